"""The commands, a noun a file; each is imported when it is asked for.

Beside `cli.py` only this room prints, exits, or knows click and rich. NumPy stays unloaded until a
command has said how many threads it wants, so that most imports stand within functions.
"""

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended."""
