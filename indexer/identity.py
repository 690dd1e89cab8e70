"""One photo per file, whatever names it has: links, folders mounted twice, roots inside others.

Only files of the same size and time can be one file, so only those are looked at again. A file's
identity is its device and its number there; where a file system has no such numbers, every name
counts as a file of its own: no photo is lost.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from itertools import chain
from pathlib import Path

from pixquery.db.catalog import Catalog
from pixquery.db.records import FileState
from pixquery.engine.photos import Identity, identity_of
from pixquery.indexer.plan import Plan

CHECKED = "one_name_each"
"""The setting that notes at which revision :func:`drop_repeated` looked at the whole library."""

_File = tuple[Identity, FileState]


def drop_repeated(catalog: Catalog) -> int:
    """Removes photos that are in the library under another name of their file already.

    Earlier versions let them in. Copies keep their places: they are other files.

    Returns:
        How many were removed.
    """
    if catalog.setting(CHECKED) == str(catalog.revision):
        return 0
    alike = defaultdict(list)
    for name, known in catalog.repeated():
        alike[known.content, known.state].append((name, known))
    seen: set[_File] = set()
    repeated = []
    for name, known in chain.from_iterable(files for files in alike.values() if len(files) > 1):
        file = _file(name)
        if file is None or file[1] != known.state:
            continue
        if file in seen:
            repeated.append(known.id)
        seen.add(file)
    catalog.remove(repeated)
    return len(repeated)


def note_checked(catalog: Catalog) -> None:
    """Notes that no photo of the library is another's file."""
    revision = str(catalog.revision)
    if catalog.setting(CHECKED) != revision:
        catalog.keep(CHECKED, revision)


def drop_other_names(plans: Sequence[Plan], catalog: Catalog) -> int:
    """Takes out of plans the new files that the library has, or is about to get, by another name.

    A name that the library has stays; of new ones a name that leads through no link, then the
    first.

    Returns:
        How many names were taken out.
    """
    new: dict[str, FileState] = {}
    roots: dict[str, Path] = {}
    present: dict[str, FileState] = {}
    for plan in plans:
        for file, state, before in plan.changes.fresh:
            (new if before is None else present)[str(file)] = state
            roots[str(file)] = plan.root
    if not new:
        return 0
    wanted = set(new.values())
    gone = {str(path) for plan in plans for path in plan.changes.gone}
    held = {path: state for path, state in catalog.states().items() if path not in gone} | present
    alike: dict[FileState, list[str]] = defaultdict(list)
    for path, state in chain(held.items(), new.items()):
        if state in wanted:
            alike[state].append(path)
    dropped: set[str] = set()
    for paths in alike.values():
        if len(paths) > 1:
            dropped |= _repeated(paths, held.keys(), roots)
    for plan in plans:
        fresh = plan.changes.fresh
        fresh[:] = [file for file in fresh if str(file[0]) not in dropped]
    return len(dropped)


def _repeated(paths: Iterable[str], held: Set[str], roots: dict[str, Path]) -> set[str]:
    """All names but the one to keep of each file that has several among ``paths``."""
    names: dict[_File, list[str]] = defaultdict(list)
    for path in paths:
        if (file := _file(path)) is not None:
            names[file].append(path)
    repeated: set[str] = set()
    for several in names.values():
        if len(several) > 1:
            kept = min(several, key=lambda path: path not in held and _is_led_to(path, roots[path]))
            repeated.update(path for path in several if path != kept and path not in held)
    return repeated


def _is_led_to(path: str, root: Path) -> bool:
    """Whether a path below a root leads through a symbolic link."""
    below = os.path.relpath(path, root)
    return os.path.realpath(path) != os.path.join(os.path.realpath(root), below)


def _file(path: str) -> _File | None:
    """The identity of a file with its size and time; None if it has none, or is out of reach."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    identity = identity_of(status)
    return None if identity is None else (identity, FileState.of(status))
