"""The folders to index: under which name, and which of them are one folder under two names.

Roots are not resolved: users expect the name that they typed, and it must stay while a disk is
away. A folder's identity is its device and its number there.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadRoot
from pixquery.engine.home import expanded
from pixquery.engine.photos import Identity, identity_of
from pixquery.indexer.programs import is_hidden
from pixquery.indexer.report import OtherName


def never(_path: Path) -> bool:
    """For folders of which no library has a photo."""
    return False


def roots_of(paths: Iterable[str | Path], held: Callable[[Path], bool] = never) -> list[Path]:
    """The folders to scan: absolute, none inside another.

    Args:
        paths: As the user typed them.
        held: Whether the library has photos of a folder, which then need not exist now.

    Raises:
        BadRoot: One does not exist or is not a folder; the message names it.
    """
    roots: list[Path] = []
    for path in sorted({Path(os.path.abspath(expanded(path))) for path in paths}):
        if not (is_there(path) or held(path)):
            raise BadRoot(f"the folder {path} does not exist: check its name, then index it again")
        if os.path.isfile(path):  # noqa: PTH113
            raise BadRoot(f"{path} is a file: index its folder, {path.parent}")
        if not any(root in path.parents for root in roots):
            roots.append(path)
    return roots


def is_there(root: Path) -> bool:
    """Whether a path can be reached; on a disk that fails or hangs it cannot."""
    return os.path.isdir(root) or os.path.isfile(root)  # noqa: PTH112, PTH113 - Path's may raise


def settled(catalog: Catalog, paths: Sequence[str | Path]) -> tuple[list[Path], list[OtherName]]:
    """The folders that were named, under the names that the library has for them.

    Roots that are one folder under two names become one, under the name that came first. A folder
    in a known root is named as a part of that; a folder around known roots takes them in.

    Args:
        catalog: Of the library, for writing.
        paths: As the user typed them; they need not exist.

    Returns:
        The folders in their order, and which names are not used (any more).
    """
    others = _merge_known(catalog)
    merged = {other.path for other in others}
    places: list[_Place] = []
    for path in dict.fromkeys(Path(os.path.abspath(expanded(path))) for path in paths):
        known = [_Place.of(root.path) for root in catalog.roots()]
        place = _Place.of(path)
        home = next(filter(None, map(place.name_in, [*known, *places])), None)
        if home is not None:
            if home != path and path not in merged:
                others.append(OtherName(path, home))
            places.append(_Place(home, place.inside))
            continue
        for root in places:
            if (name := root.name_in(place)) is not None:
                others.append(OtherName(root.path, name))
        places = [root for root in places if root.name_in(place) is None]
        places.append(place)
        for root in known:
            name = root.name_in(place)
            if name is not None and path not in root.path.parents:
                others.append(OtherName(root.path, name, catalog.merge_roots(root.path, name)))
    return [place.path for place in places], others


def _merge_known(catalog: Catalog) -> list[OtherName]:
    """Makes one root of those that are one folder, or one inside another, under two names."""
    merged = []
    roots = [_Place.of(root.path) for root in catalog.roots()]
    for number, root in enumerate(roots):
        earlier, later = roots[:number], roots[number + 1 :]
        # Of two names of one folder the first stays; of two folders the outer one.
        for home in [*earlier, *(other for other in later if other.identity != root.identity)]:
            name = root.name_in(home)
            if name is not None and root.identity and home.identity:
                twice = catalog.merge_roots(root.path, name)
                merged.append(OtherName(root.path, name, twice))
                return merged + _merge_known(catalog)
    return merged


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder, and everything that it is inside of."""

    path: Path
    """Its name."""
    inside: dict[Identity | str, Path]
    """Its path below each folder that contains it, by identity and by real name, itself first."""

    @classmethod
    def of(cls, path: Path) -> "_Place":
        real = Path(os.path.realpath(path))
        inside: dict[Identity | str, Path] = {}
        for folder in (real, *real.parents):
            below = real.relative_to(folder)
            with suppress(OSError):  # away
                if (identity := identity_of(folder.stat())) is not None:
                    inside.setdefault(identity, below)
            inside.setdefault(str(folder), below)
        return cls(path, inside)

    @property
    def identity(self) -> Identity | None:
        """None if it is not there."""
        first = next(iter(self.inside), "")
        return None if isinstance(first, str) else first

    def name_in(self, other: "_Place") -> Path | None:
        """This folder's name at or under another, by way of that one's name; None if it is outside.

        A hidden folder is not what an index of the outer folder contains, so it counts as outside.
        """
        below = self.inside.get(next(iter(other.inside)))
        if below is None:
            return None
        name = other.path / below
        return None if name != self.path and any(map(is_hidden, below.parts)) else name
