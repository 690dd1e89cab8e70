"""Sidecars: files beside a photo that say more about it.

- ``photo.jpg.xmp`` (darktable, digiKam) and ``photo.xmp`` (Adobe), which belongs to every photo of
  that name, such as a RAW file and its JPEG.
- Google Takeout's ``photo.jpg.supplemental-metadata.json``, cut to 46 characters before ``.json``,
  and ``photo.jpg.json`` of earlier exports. Photos of the same name have their number at another
  place: ``photo(1).jpg`` belongs to ``photo.jpg(1).json``. Edited copies have none of their own and
  share the original's.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from pixquery.db.records import FileState
from pixquery.engine.photos import fingerprint

_XMP, _JSON = ".xmp", ".json"
_WHOLE = "supplemental-metadata"
_CUT = range(44, 52)
"""Lengths at which Takeout has been seen to cut a name, in characters or bytes."""
_NUMBER = re.compile(r"(.*)(\(\d{1,5}\))", re.DOTALL)
_EDITED = re.compile(
    "(.+)-(?:edited|effects|smile|mix|bearbeitet|modifié|editado|edité|modificato|modificado|"
    "bewerkt|edytowane|redigerad|redigeret|muokattu|отредактировано|编辑|編集済み|수정됨)",
    re.DOTALL,
)
"""What Google Photos adds to the names of edited copies, in the owner's language."""
_DIGITS = 32
"""Of a digest."""


class SidecarFile(NamedTuple):
    """A sidecar as it was found."""

    path: str
    state: FileState


def state_of(files: Sequence[SidecarFile]) -> str:
    """A digest of the names, sizes and times of a photo's sidecars; empty if there are none.

    Not of their folder: a photo that is moved with its sidecars keeps what was read of them.
    """
    if not files:
        return ""
    told = json.dumps([(path.rpartition(os.sep)[2], *state) for path, state in files])
    return fingerprint(told.encode()).hex()[:_DIGITS]


def paired(
    beside: Sequence["os.DirEntry[str]"], photos: Iterable["os.DirEntry[str]"]
) -> dict[str, tuple[SidecarFile, ...]]:
    """The sidecars of each photo of a folder, by its path; of photos that have any.

    Args:
        beside: Regular files of which some may be sidecars.
        photos: Of the same folder.
    """
    entries = {entry.name: entry for entry in beside}
    sidecars = Sidecars(entries)
    files: dict[str, SidecarFile | None] = {}
    found = {}
    for photo in photos:
        names = sidecars.of(photo.name)
        for name in names:
            if name not in files:
                files[name] = _looked_at(entries[name])
        if own := tuple(file for name in names if (file := files[name])):
            found[photo.path] = own
    return found


def _looked_at(entry: "os.DirEntry[str]") -> SidecarFile | None:
    try:
        return SidecarFile(entry.path, FileState.of(entry.stat(follow_symlinks=False)))
    except OSError:  # deleted meanwhile
        return None


def is_sidecar(name: str) -> bool:
    """Whether a file of this name may be a photo's sidecar."""
    return name[-4:].lower() == _XMP or name[-5:].lower() == _JSON


def sidecars_of(photo_name: str, names_in_folder: Collection[str]) -> tuple[str, ...]:
    """The names of a photo's sidecars; for many photos of a folder, see :class:`Sidecars`."""
    return Sidecars(names_in_folder).of(photo_name)


class Sidecars:
    """The sidecars of one folder."""

    def __init__(self, names: Collection[str]) -> None:
        """Looks at each name once; those that are no sidecars may be among them."""
        self._xmp: dict[str, list[str]] = {}
        self._json: dict[str, list[str]] = {}
        self._cut: set[int] = set()
        for name in sorted(names):
            lower = name.lower()
            if lower.endswith(_XMP):
                self._xmp.setdefault(lower[: -len(_XMP)], []).append(name)
            elif lower.endswith(_JSON):
                self._note(lower[: -len(_JSON)], name)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._xmp or self._json)

    def of(self, photo_name: str) -> tuple[str, ...]:
        """The names of a photo's sidecars, those first that are for it alone."""
        lower = photo_name.lower()
        found: dict[str, None] = {}
        if self._xmp:
            found.update(dict.fromkeys(self._xmp.get(lower, ())))
            found.update(dict.fromkeys(self._xmp.get(_stem(lower), ())))
        if self._json:
            for name in _original_names(lower):
                if of_this := self._takeout(*name):
                    found.update(dict.fromkeys(of_this))
                    break
        return tuple(found)

    def _note(self, stem: str, name: str) -> None:
        """Notes a JSON under the photo's name that it was made of, with its number at the end."""
        number = ""
        if match := _NUMBER.fullmatch(stem):
            stem, number = match.groups()
        before, dot, last = stem.rpartition(".")
        if dot and before and _WHOLE.startswith(last):
            self._put(before, number, name)
        self._put(stem, number, name)

    def _put(self, stem: str, number: str, name: str) -> None:
        self._json.setdefault(stem + number, []).append(name)
        if len(stem) in _CUT or len(stem.encode("utf-8", "replace")) in _CUT:
            self._cut.add(len(stem))

    def _takeout(self, name: str, number: str) -> list[str]:
        if of_whole := self._json.get(name + number):
            return of_whole
        for length in sorted(self._cut, reverse=True):
            if length < len(name) and (of_cut := self._json.get(name[:length] + number)):
                return of_cut
        return []


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _original_names(name: str) -> Iterator[tuple[str, str]]:
    """The names that Takeout may have named a photo's JSON after, and their numbers, likely first.

    Args:
        name: Of the photo, in lower case.
    """
    stem = _stem(name)
    suffix = name[len(stem) :]
    numbered = _NUMBER.fullmatch(stem)
    plain, number = numbered.groups() if numbered else (stem, "")
    if numbered:
        yield plain + suffix, number
    yield name, ""
    if edited := _EDITED.fullmatch(plain):
        yield edited[1] + suffix, number
    yield stem, ""  # a title without a suffix, of old exports
