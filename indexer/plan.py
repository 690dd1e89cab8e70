"""What one run has to do in one root."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pixquery.db.records import KnownFile, Skipped
from pixquery.engine.library import Library
from pixquery.engine.profile import Profile
from pixquery.indexer.options import Options
from pixquery.indexer.report import Tally, Vanished
from pixquery.indexer.scan import NO_PHOTO, Changes, Scan, compare, out_of_reach
from pixquery.indexer.undescribed import UnchangedFile, to_describe


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run has to do in one root."""

    root: Path
    root_id: int
    changes: Changes
    missing: bool
    """The root does not exist any more."""
    scanned: Scan
    """What was in it."""
    to_describe: tuple[UnchangedFile, ...] = ()
    """Unchanged photos whose owner's words must be read again."""
    unseen: bool = False
    """Some of its photos are in folders that could not be opened."""


def sufficient(profile: Profile, options: Options) -> tuple[str, ...]:
    """The encoders whose vectors a photo may keep, the profile's own first."""
    return (profile.encoder,) if options.rebuild else tuple(profile.readable)


def plan(
    library: Library, root: Path, scanned: Scan, options: Options, tally: Tally
) -> Plan | None:
    """Compares a root with the catalogue, and counts what needs no work.

    Returns:
        None if the root's photos are out of reach; they are kept, and counted as vanished.
    """
    catalog, encoders = library.catalog, sufficient(library.profile, options)
    known = catalog.known(root, *encoders)
    readable = _readable_now(known)
    if readable:
        catalog.forget_skipped([Path(path) for path in readable])
        known = {path: file for path, file in known.items() if path not in readable}
    changes = compare(scanned, known)
    reason = "" if options.prune else out_of_reach(scanned, known, changes)
    if reason or (scanned.missing and not options.prune):
        images = sum(file.id > 0 for file in known.values())
        tally.vanished.append(Vanished(root, images, reason or "is not there"))
        return None
    if options.rebuild:  # files that could not be used are tried again
        catalog.forget_skipped([Path(path) for path, file in known.items() if not file.id])
        known = catalog.known(root, *encoders)
        changes = compare(scanned, known)
    tally.skipped += [*scanned.closed, *changes.skipped]
    tally.unchanged += changes.unchanged
    tally.linked += scanned.linked
    tally.passed_over += scanned.passed_over
    root_id = catalog.add_root(root)
    new = {
        path: state
        for path, state in scanned.no_photos.items()
        if path not in known or known[path].state != state
    }
    if new:
        catalog.skip(root_id, [(Skipped(Path(path), NO_PHOTO), new[path]) for path in new])
    again = to_describe(catalog, root, scanned, known)
    unseen = bool(scanned.closed) and any(
        file.id and path not in scanned.states and Path(path) not in changes.gone
        for path, file in known.items()
    )
    return Plan(root, root_id, changes, scanned.missing, scanned, again, unseen)


def _readable_now(known: Mapping[str, KnownFile]) -> set[str]:
    """The skipped files for whose format a plugin has been installed since."""
    unusable = {
        path: file.reason for path, file in known.items() if file.reason not in ("", NO_PHOTO)
    }
    if not unusable:
        return set()
    from pixquery.indexer.formats import readable_now  # loads Pillow

    return {path for path, reason in unusable.items() if readable_now(reason)}
