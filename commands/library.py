"""`info` and `verify`: what a library contains, and whether it is intact."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.options import shared
from pixquery.commands.printing import iso, megabytes, print_json, say, shown, tell
from pixquery.commands.progress import progress_bar
from pixquery.db.quoting import quoted
from pixquery.engine.legible import counted, legible

if TYPE_CHECKING:
    from pixquery.engine.answers import LibraryInfo


@click.command(epilog="Example:  pixquery info --json")
@shared
def info(library: Path, as_json: bool) -> None:
    """Show what the library contains."""
    from pixquery.engine.library import Library

    with Library.open(library) as opened:
        found = opened.info()
    if as_json:
        print_json(_info_json(found))
        return
    click.echo(f"library    {shown(found.library)}")
    unpredicted = "" if found.relevance else ", predicts no relevance"
    tell(f"profile    {found.profile}{unpredicted}")
    tell(f"quality    {found.quality}")
    click.echo(f"photos     {found.images:,}")
    for root in found.roots:
        click.echo(f"  root     {shown(root.path)} ({root.images:,})")
    click.echo(
        f"index      {found.index}, {found.dimension} dimensions, {megabytes(found.vectors_bytes)}"
    )
    click.echo(f"catalogue  {megabytes(found.catalogue_bytes)}")
    click.echo(f"updated    {iso(found.updated) or 'never'}")
    for concept in found.concepts:
        click.echo(
            f"concept    {legible(concept.name)}, {counted(len(concept.examples), 'example')}"
        )
        if not concept.known:
            tell(
                "             taught with another encoder: teach it again with "
                f"`pixquery models teach {quoted(concept.name)} PHOTO...`"
            )
    if found.earlier:
        click.echo(
            f"earlier    {found.earlier:,} of {found.images:,} photos were encoded by an earlier "
            "image encoder or at another quality; they are found as before, and `pixquery index "
            "--rebuild` encodes them again"
        )
    if found.switching:
        quality = found.switching_quality
        tell(
            f"unfinished {found.encoded:,} of {found.images:,} photos are encoded again; continue "
            f"with `pixquery index --rebuild --profile {quoted(found.switching)}"
            f"{'' if quality == found.quality else f' --quality {quality}'}`"
        )


def _info_json(found: LibraryInfo) -> dict[str, Any]:
    return {
        "library": str(found.library),
        "profile": found.profile,
        "relevance": found.relevance,
        "quality": found.quality,
        "images": found.images,
        "earlier": found.earlier,
        "roots": [{"path": str(root.path), "images": root.images} for root in found.roots],
        "vectors": {
            "index": found.index,
            "dimension": found.dimension,
            "bytes": found.vectors_bytes,
        },
        "catalogue_bytes": found.catalogue_bytes,
        "updated": iso(found.updated),
        "switching": {
            "profile": found.switching,
            "quality": found.switching_quality,
            "encoded": found.encoded,
        }
        if found.switching
        else None,
        "concepts": [
            {
                "name": concept.name,
                "examples": [str(path) for path in concept.examples],
                "taught": iso(concept.taught),
                "known": concept.known,
            }
            for concept in found.concepts
        ],
    }


@click.command(epilog="Example:  pixquery verify --repair")
@click.option("--repair", is_flag=True, help="Repair everything that can be repaired.")
@shared
def verify(repair: bool, library: Path, as_json: bool) -> None:
    """Check the library for damage, and repair it.

    Catalogue, vectors, profile and photo files are checked against each other. The exit code is 1
    if anything is wrong and was not repaired.
    """
    from pixquery.db.errors import LibraryDamaged
    from pixquery.engine.checkup import Finding
    from pixquery.engine.library import Library

    repaired = []
    try:
        opened = Library.open(library)
    except LibraryDamaged as error:
        if not repair:
            raise
        Library.mend(library)
        damage, _, _ = str(error).partition(": repair it with")
        repaired = [Finding(damage, repaired=True)]
        opened = Library.open(library)
    with opened:
        findings = [*repaired, *opened.verify(repair=repair)]
        if repair and findings:
            from pixquery.indexer.build import index as build

            roots = [root.path for root in opened.catalog.roots() if root.path.is_dir()]
            if roots:
                with progress_bar("Encoding", "photos") as progress:
                    _reindex(opened, roots, progress, build)
            remaining = {finding.what for finding in opened.verify(repair=False)}
            findings = [
                type(finding)(finding.what, repaired=finding.what not in remaining)
                for finding in findings
            ]
    broken = [finding for finding in findings if not finding.repaired]
    if as_json:
        print_json({"library": str(library), "findings": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            tell(f"{'repaired' if finding.repaired else 'wrong'}: {finding.what}")
        if not findings:
            click.echo("no problems found")
        elif broken and not repair:
            click.echo("repair it with `pixquery verify --repair`")
    if broken:
        click.get_current_context().exit(1)


def _reindex(opened: Any, roots: list[Path], progress: Any, build: Any) -> None:
    from pixquery.db.errors import BadRoot
    from pixquery.indexer.build import Options

    try:
        build(opened, roots, Options(progress=progress))
    except BadRoot as error:
        say(f"pixquery: {error}")
