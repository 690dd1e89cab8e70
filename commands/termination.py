"""What happens when the system asks a command to end, as `kill` and a shutdown do."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Ends as Ctrl-C does, so that unfinished files are removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
