"""From captions and people's ratings to a profile."""
