"""Tells lines of text from patterns that only look like some: fences, leaves, eyes."""

from pixquery.db.records import Line

RULES = 1
"""Counts how often the rules were changed."""


def worth_keeping(line: Line, size: tuple[int, int]) -> bool:
    """Whether a line is likely text, by what it says, how surely it was read, and its height."""
    return line.confidence >= 0.5
