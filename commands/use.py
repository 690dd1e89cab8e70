"""`models use`: has a library answer with another relevance, and says so."""

from __future__ import annotations

from pathlib import Path

from pixquery.commands.printing import print_json, tell
from pixquery.db.quoting import quoted


def show_use(name: str, library: Path, *, as_json: bool) -> None:
    """Switches a library to a profile that differs in its relevance alone, and says so."""
    from pixquery.engine.adoption import use
    from pixquery.engine.library import Library
    from pixquery.engine.profile import load_profile

    with Library.open(library) as opened:
        before = use(opened, name)
    models = load_profile(name)
    if as_json:
        print_json({"library": str(library), "profile": models.name, "before": before})
        return
    tell(f"{library} answers with {models.name} now")
    tell(f"go back with:  pixquery models use {quoted(before)}")
