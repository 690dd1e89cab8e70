"""The commands, one noun a file. A command is imported only when it is called.

Only this room prints, exits, or imports click and rich. Most imports are inside functions, because
a command sets its number of threads before it imports NumPy, and imports only what it uses.
"""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
