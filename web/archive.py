"""A ZIP of chosen photos, which is sent while it is made: nothing of it is kept anywhere."""

import zipfile
from collections.abc import Generator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pixquery.db.errors import NothingFound
from pixquery.engine.legible import counted
from pixquery.web.answers import described
from pixquery.web.pictures import Pictures
from pixquery.web.ranges import Sent
from pixquery.web.refusals import Refusal
from pixquery.web.site import site_of

MOST = 5_000
"""Photos in one archive."""
LEFT_OUT = "NOT INCLUDED.txt"
"""Lists the photos whose files could not be read."""
_AT_ONCE = 1 << 18
"""Bytes that are read at a time."""
_FORBIDDEN = frozenset('<>:"/\\|?*')
"""Characters that a name cannot have on every system."""
_RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
"""Names that mean a device on Windows, whatever their suffix."""
_LONGEST = 200
"""Bytes of a name, which many systems limit to 255."""
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
"""What a ZIP can note."""

routes = APIRouter()


@routes.post(
    "/api/archive",
    response_class=Response,
    responses=described(
        _403="The request is from another site.", _404="There is no photo with the first id."
    )
    | {200: {"description": "The photos.", "content": {"application/zip": {}}}},
)
async def archive(
    request: Request,
    ids: Annotated[
        str,
        Form(
            max_length=20 * MOST,
            pattern=r"^[1-9]\d{0,18}(,[1-9]\d{0,18})*$",
            description=f"Ids with commas between them, of at most {MOST:,} photos.",
        ),
    ],
) -> Response:
    """The files of chosen photos in one ZIP, unchanged; it lists those that cannot be read."""
    chosen = list(dict.fromkeys(map(int, ids.split(","))))
    if len(chosen) > MOST:
        raise Refusal(
            413, f"{counted(len(chosen), 'photo')} are too many for one archive: choose at most "
            f"{MOST:,}"
        )  # fmt: skip
    site = site_of(request)
    await site.glances.run(lambda: site.reader.photo(min(chosen[0], 2**63 - 1)))
    name = f"photos {datetime.now():%Y-%m-%d %H.%M}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Sent(zipped(site.pictures, chosen), "application/zip", headers)


def zipped(pictures: Pictures, ids: Sequence[int]) -> Generator[bytes]:
    """The bytes of a ZIP with the files of photos, piece by piece.

    Files are stored as they are: photos are compressed already.
    """
    pipe = _Pipe()
    names: set[str] = {LEFT_OUT.casefold()}
    left_out: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for image_id in ids:
            try:
                original = pictures.original(image_id)
            except (Refusal, NothingFound) as error:
                left_out.append(str(error))
                continue
            name = _unused(plain_name(original.name), names)
            entry = zipfile.ZipInfo(name, _noted(original.modified))
            left = original.size
            with original.file, archive.open(entry, "w", force_zip64=True) as into:
                while left and (piece := _read(original.file, left)):
                    left -= len(piece)
                    into.write(piece)
                    yield from pipe.taken()
            if left:
                left_out.append(f"{name} is not whole: its file could not be read to its end")
        if left_out:
            archive.writestr(LEFT_OUT, "\r\n".join([*left_out, ""]))
    yield from pipe.taken()


class _Pipe:
    """What a ZIP is written to: a file that cannot be read or rewound."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        if piece:
            self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open here."""

    def taken(self) -> list[bytes]:
        """What was written since."""
        pieces, self._pieces = self._pieces, []
        return pieces


def plain_name(name: str) -> str:
    """A file's name that every system can unpack, and that leads to no other folder."""
    clean = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in name)
    clean = clean.strip(" .") or "photo"
    stem, suffix = PurePath(clean).stem, PurePath(clean).suffix
    if stem.split(".")[0].casefold() in _RESERVED:
        stem = f"_{stem}"
    while len((stem + suffix).encode()) > _LONGEST and len(stem) > 1:
        stem = stem[:-1]
    return stem + suffix


def _unused(name: str, names: set[str]) -> str:
    """The name, numbered if it is used; systems that ignore case shall not overwrite a file."""
    path, number = PurePath(name), 1
    while name.casefold() in names:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    names.add(name.casefold())
    return name


def _read(file: BinaryIO, left: int) -> bytes:
    """The next bytes of a file; none at its end, or if the disk fails."""
    with suppress(OSError):
        return file.read(min(_AT_ONCE, left))
    return b""


def _noted(moment: datetime) -> tuple[int, int, int, int, int, int]:
    """A time on this computer's clock, as far as a ZIP can note it."""
    with suppress(OverflowError, OSError, ValueError):  # years that the clock does not know
        moment = moment.astimezone()
    year, month, day, hour, minute, second, *_ = moment.timetuple()
    return max(_EARLIEST, min(_LATEST, (year, month, day, hour, minute, second)))
