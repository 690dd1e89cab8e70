"""Brings a library up to date with its roots: scan, decode, encode, write, publish.

Photos are decoded in threads while others are encoded. Each batch is one transaction, so whatever
stops a run, the next one resumes after the last batch that was written.
"""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from pixquery.db.errors import BadRoot
from pixquery.engine.home import expanded
from pixquery.engine.library import Library
from pixquery.engine.roots import known_folder
from pixquery.indexer.examples import encode_again
from pixquery.indexer.identity import drop_other_names, drop_repeated, note_checked
from pixquery.indexer.interrupt import deferred_ctrl_c
from pixquery.indexer.options import Options
from pixquery.indexer.place_pass import name_places
from pixquery.indexer.plan import Plan, plan
from pixquery.indexer.report import IndexReport, Tally
from pixquery.indexer.root_names import settled
from pixquery.indexer.run import Run
from pixquery.indexer.scan import Scan, scan_roots
from pixquery.indexer.undescribed import note_described

__all__ = ["Options", "index"]


def index(
    library: Library, paths: Sequence[str | Path], options: Options | None = None
) -> IndexReport:
    """Adds the photos under ``paths`` and brings the library up to date with them.

    Photos of a folder that looks unplugged rather than emptied are kept and reported, unless
    ``options.prune`` is set. If each of them is among the new files of a run, the folder was moved:
    they keep their ids, and it is dropped. Ctrl-C ends the run early; the report then says
    ``interrupted``.

    Args:
        library: To bring up to date.
        paths: Folders; ``~`` is expanded. None means all roots of the library.
        options: How to index.

    Raises:
        BadRoot: A path does not exist or is not a folder, or none of them contains a photo, and the
            library has no photos of them either; or no path is given and the library has no roots;
            or the library has no photos of one of ``options.moved_from``.
        LibraryLocked: Another process is writing to the library.
        StorageFailed: The disk is full or failing; what was written before is kept.
    """
    begin = perf_counter()
    options = options or Options()
    catalog = library.catalog
    named = [Path(os.path.abspath(expanded(path))) for path in paths]
    if options.rebuild or not paths:  # a rebuild must leave no photo without a vector
        paths = [*paths, *(root.path for root in catalog.roots())]
    if not paths:
        raise BadRoot(
            f"the library {library.folder} has no folders yet: "
            "name one with `pixquery index FOLDER`"
        )
    moved_from = tuple(known_folder(catalog, path) for path in options.moved_from)
    options = replace(options, moved_from=moved_from)
    tally = Tally()
    interrupted = False
    # Before the scan: photos added by others meanwhile would look deleted.
    with library.writing(waiting=options.waiting):
        if options.rebuild:
            library.encode_anew()
        with _paused_collector():
            roots, other_names = settled(catalog, paths)
            mended = drop_repeated(catalog)
            scans = scan_roots(
                roots,
                options.exclude,
                follow_links=options.follow_links,
                held=catalog.holds,
                noted=catalog.noted,
            )
            in_reach = [
                planned
                for root, scanned in scans.items()
                if (planned := plan(library, root, scanned, options, tally))
            ]
            tally.linked += drop_other_names(in_reach, catalog)
        with deferred_ctrl_c() as stop_requested:
            try:
                Run(library, options, tally, in_reach, stop_requested).run()
            except KeyboardInterrupt:
                interrupted = True
            lacking = _publish(library, options, interrupted=interrupted)
            interrupted = interrupted or stop_requested()
        if not interrupted:
            name_places(catalog)
            note_checked(catalog)
            note_described(catalog, [plan.root for plan in in_reach if not plan.unseen])
            named += [other.name for other in other_names if other.path in named]
            catalog.settle(_looked_at(scans, in_reach, options), named)
    met = {pattern for scanned in scans.values() for pattern in scanned.met}
    return IndexReport(
        library=library.folder,
        profile=library.profile.name,
        added=tally.added,
        updated=tally.updated,
        moved=tally.moved,
        unchanged=tally.unchanged,
        removed=tally.removed,
        skipped=tuple(sorted(tally.skipped, key=lambda skip: skip.path)),
        images=len(library),
        seconds=perf_counter() - begin,
        interrupted=interrupted,
        vanished=tuple(tally.vanished),
        linked=tally.linked,
        roots=len(in_reach),
        lacking=lacking,
        quality=library.profile.quality,
        away=tuple(tally.away),
        passed_over=tally.passed_over,
        unmatched=tuple(pattern for pattern in options.exclude if pattern not in met),
        other_names=tuple(other_names),
        mended=mended,
        described=tally.described,
        pace=tally.pace,
    )


def _looked_at(
    scans: Mapping[Path, Scan], in_reach: Sequence[Plan], options: Options
) -> list[Path]:
    """The roots in which every photo was found that is there.

    A disk may leave an empty folder when it is unplugged, and a folder may be closed to us.
    """
    return [
        plan.root
        for plan in in_reach
        if options.prune or (scans[plan.root].states and not scans[plan.root].closed)
    ]


def _publish(library: Library, options: Options, *, interrupted: bool) -> int:
    """Makes what was written searchable; returns how many photos still lack a vector for that."""
    if not interrupted:
        encode_again(library)
    if not options.rebuild:
        library.publish()
        return 0
    return library.lacking() if interrupted else library.adopt()


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Pauses the collector of reference cycles.

    A hundred thousand small records contain none, and looking for them again and again would take a
    fifth of a pass over unchanged files.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
