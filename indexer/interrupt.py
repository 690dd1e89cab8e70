"""Ctrl-C during a run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Makes the first Ctrl-C only a request; yields a function that says whether it has come.

    Raised at any moment, ``KeyboardInterrupt`` could end a transaction half-way, or leave a lock of
    the thread pool locked for ever. A second Ctrl-C still raises it. Nothing changes if the program
    handles Ctrl-C itself, or outside the main thread.
    """
    requested = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            signal.default_int_handler(number, frame)
        requested = True

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: requested
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
