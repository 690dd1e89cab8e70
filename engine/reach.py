"""Whether a folder is within reach: its disk may be unplugged, or hang."""

import os
from pathlib import Path


def absence(root: Path) -> str:
    """Why a folder has no files, as words that follow its path; empty if it has any."""
    try:
        with os.scandir(root) as entries:
            return "" if any(True for _ in entries) else "is empty"
    except (FileNotFoundError, NotADirectoryError):
        return "is not there"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
