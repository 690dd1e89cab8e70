"""`info` and `verify`: what a library contains, and whether it is intact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.options import shared
from pixquery.commands.printing import iso, megabytes, origin, print_json, say, shown, tell
from pixquery.commands.progress import progress_bar
from pixquery.db.quoting import quoted
from pixquery.engine.legible import counted, legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixquery.engine.answers import LibraryInfo
    from pixquery.engine.checkup import Finding
    from pixquery.engine.library import Library
    from pixquery.indexer.sample import Comparison


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
    if found.trained:
        tell(f"           {origin(found.trained)}")
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
    if found.reads_text or found.text_read:
        paused = "" if found.reads_text else " (not continued: `pixquery index --read-text` does)"
        click.echo(f"text       read in {found.text_read:,} of {found.images:,} photos{paused}")
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
        "trained": found.trained,
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
        "text": {"on": found.reads_text, "read": found.text_read},
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

    Catalogue, vectors, profile and photo files are checked against each other, and some photos are
    encoded again and compared with their vectors. The exit code is 1 if anything is wrong and was
    not repaired.
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
        comparison = _compared(opened, repair=repair)
        findings += _disagreeing(comparison)
        if repair and findings:
            if opened.catalog.roots():
                with progress_bar("Encoding", "photos") as progress:
                    _reindex(opened, progress)
            remaining = dict.fromkeys(finding.what for finding in opened.verify(repair=False))
            if comparison is not None and comparison.differing:
                ids = [record.id for record, _ in comparison.differing]
                lasting = _compared(opened, ids=ids)
                remaining |= dict.fromkeys(finding.what for finding in _disagreeing(lasting))
            found = dict.fromkeys(finding.what for finding in findings)
            findings = [
                Finding(what, repaired=what not in remaining) for what in (found | remaining)
            ]
    broken = [finding for finding in findings if not finding.repaired]
    if as_json:
        compared = 0 if comparison is None else comparison.compared
        print_json(
            {
                "library": str(library),
                "findings": [asdict(f) for f in findings],
                "compared": compared,
            }
        )
    else:
        for finding in findings:
            tell(f"{'repaired' if finding.repaired else 'wrong'}: {finding.what}")
        if not findings:
            click.echo("no problems found")
        elif broken and not repair:
            click.echo("repair it with `pixquery verify --repair`")
    if broken:
        click.get_current_context().exit(1)


def _compared(
    opened: Library, *, repair: bool = False, ids: Sequence[int] | None = None
) -> Comparison | None:
    """Photos encoded again; none if catalogue or profile are too damaged for that.

    Args:
        opened: The library.
        repair: If some vectors disagree, compare all, and forget those that do.
        ids: Only these photos.
    """
    from pixquery.db.errors import LibraryDamaged, ProfileError
    from pixquery.indexer.sample import compare_vectors, forget_differing

    try:
        if ids is not None:
            return compare_vectors(opened, ids=ids)
        comparison = compare_vectors(opened)
        if repair and comparison.differing:
            with progress_bar("Comparing", "photos") as progress:
                comparison = compare_vectors(opened, most=None, progress=progress)
            forget_differing(opened, comparison)
    except (LibraryDamaged, ProfileError):  # which is among the findings
        return None
    return comparison


def _disagreeing(comparison: Comparison | None) -> list[Finding]:
    from pixquery.engine.checkup import Finding

    differing = () if comparison is None else comparison.differing
    return [
        Finding(f"vectors: the vector of {record.path} is not what its photo gives")
        for record, _ in differing
    ]


def _reindex(opened: Library, progress: Callable[[int, int], object]) -> None:
    """Indexes all folders within reach; the photos of others are kept."""
    from pixquery.db.errors import BadRoot
    from pixquery.indexer.build import Options, index

    try:
        report = index(opened, [], Options(progress=progress))
    except BadRoot as error:
        say(f"pixquery: {error}")
        return
    for lost in report.vanished:
        say(
            f"pixquery: {lost.path} {lost.reason}: its {counted(lost.images, 'photo')} are kept; "
            "index again when it is back"
        )
