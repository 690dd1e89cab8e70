"""`models use`: has a library answer with another relevance."""

from __future__ import annotations

from pathlib import Path

import click

from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, tell
from pixquery.db.quoting import quoted


@click.command(
    "use",
    epilog="""Examples:

\b
pixquery models use lite2-minilm-judged
pixquery models use lite2-minilm""",
)
@click.argument("name", metavar="NAME|DIR")
@shared
def models_use(name: str, library: Path, as_json: bool) -> None:
    """Switch the library to a profile with another relevance.

    The profile must have the same encoders and alignment as the library's own, as one has that
    `pixquery train` made from your judgements. No photo is encoded again, and a running gallery
    follows within seconds. Use the same command with the earlier name to go back.

    For any other profile, photos must be encoded again: `pixquery index --rebuild --profile NAME`.
    """
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
