"""Real folders into a library: scan, decode, build."""
