"""The given sets of photos, and what `benchmarks.everyday` measures on them."""
