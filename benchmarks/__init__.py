"""One script a question; run them as `python -m benchmarks.NAME` from the repository root."""
