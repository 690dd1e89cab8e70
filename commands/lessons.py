"""What `models teach` says of a lesson."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixquery.commands.printing import figure
from pixquery.db.quoting import quoted
from pixquery.engine.legible import legible
from pixquery.engine.standing import fits, in_figures

if TYPE_CHECKING:
    from pixquery.engine.answers import Lesson

_ALIKE = 0.3
"""Examples whose mean likeness is below this have little in common.

With the shipped profile, 78 of 100 threes of random photos lie below, and 1 of 100 threes of photos
of one thing.
"""


def doubts(lesson: Lesson) -> list[str]:
    """Why the lesson may not have been a good one."""
    name, doubts = legible(lesson.concept.name), []
    if lesson.likeness < _ALIKE:
        doubts.append(
            f"the examples of {name} have little in common (mean likeness {lesson.likeness:.2f}): "
            "if queries for it find other things, teach it again with photos of one kind"
        )
    if lesson.relevance_before is not None and fits(lesson.relevance_before):
        doubts.append(
            f"the profile knows {name} without examples (mean relevance "
            f"{in_figures(lesson.relevance_before)}): if queries for it were right before, forget "
            f"it with `pixquery models forget-concept {quoted(lesson.concept.name)}`"
        )
    return doubts


def lesson_json(lesson: Lesson, library: Path) -> dict[str, Any]:
    """A lesson as `models teach --json` prints it."""
    return {
        "library": str(library),
        "concept": lesson.concept.name,
        "examples": [str(path) for path in lesson.concept.examples],
        "added": lesson.added,
        "replaced": lesson.replaced,
        "likeness": round(lesson.likeness, 4),
        "relevance": {
            "before": figure(lesson.relevance_before),
            "after": figure(lesson.relevance_after),
        },
        "fits": lesson.fits,
        "best": [str(hit.path) for hit in lesson.answer.hits],
        "skipped": [{"path": str(skip.path), "reason": skip.reason} for skip in lesson.skipped],
    }
