"""Other people's models into profiles."""
