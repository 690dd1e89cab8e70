"""What is read of a photo's EXIF."""

from datetime import datetime
from typing import Any

import pytest
from PIL import Image

from pixquery.indexer.decode import decode
from tests.photos import UPRIGHT, corners, encoded, quarters

SIZE = 32


def taken(text: Any) -> datetime | None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = text
    return decode(encoded(quarters(), "JPEG", exif=exif), SIZE).details.taken


def test_the_camera_time() -> None:
    assert taken("2019:07:21 18:03:59") == datetime(2019, 7, 21, 18, 3, 59)


@pytest.mark.parametrize("text", ["", "    :  :     :  :  ", "0000:00:00 00:00:00", "yesterday",
                                  "2019:13:41 18:03:59"])  # fmt: skip
def test_a_camera_without_a_clock(text: str) -> None:
    assert taken(text) is None


def test_a_photo_with_damaged_exif_is_used() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    content = bytearray(encoded(quarters(), "JPEG", exif=exif))
    start = content.index(b"Exif\0\0") + 6
    content[start + 4 : start + 12] = b"\xff" * 8
    assert corners(decode(bytes(content), SIZE).pixels) == UPRIGHT
