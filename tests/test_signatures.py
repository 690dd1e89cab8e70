"""The first bytes of a file say whether it is a photo."""

import io
from pathlib import Path

import pytest
from PIL import Image

from pixquery.indexer import formats
from pixquery.indexer.signatures import STARTS, begins_as_photo, is_photo


@pytest.mark.parametrize(
    ("format_", "options"),
    [("JPEG", {}), ("PNG", {}), ("GIF", {}), ("WEBP", {}), ("BMP", {}), ("TIFF", {}),
     ("TIFF", {"big_tiff": True}), ("MPO", {}), ("AVIF", {}),
     ("PNG", {"save_all": True, "append_images": [Image.new("RGB", (4, 4))]})],
)  # fmt: skip
def test_what_pillow_writes(format_: str, options: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, format_, **options)
    assert begins_as_photo(out.getvalue()[:256])
    assert begins_as_photo(out.getvalue())


@pytest.mark.parametrize(
    "head",
    [b"\xff\x0a\0", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
     b"\0\0\0\x1cftypmif1\0\0\0\0miafheic", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
     b"\0\0\0\x1cftypavif\0\0\0\0mif1", b"II*\0\x10\0\0\0CR", b"MM\0*", b"FUJIFILMCCD-RAW 0201",
     b"FOVb", b"\0MRM", b"IIU\0", b"IIRO", b"IIRS", b"MMOR"],
)  # fmt: skip
def test_other_formats(head: bytes) -> None:
    assert begins_as_photo(head)


@pytest.mark.parametrize(
    "head",
    [b"", b"\xff", b"\xff\xd8", b"text", b"%PDF-1.7", b"PK\3\4", b"RIFF\0\0\0\0WAVEfmt ",
     b"RIFF\0\0\0\0AVI LIST", b"BMW drivers", b"BM", b"\0\0\0\x18ftypisom\0\0\2\0isommp42",
     b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", b"\0" * 256, b"GIF", b"<svg", b"\x1f\x8b", b"ID3\3"],
)  # fmt: skip
def test_other_files(head: bytes) -> None:
    assert not begins_as_photo(head)


def test_all_that_is_read_is_recognised() -> None:
    assert set(formats._STARTS) <= set(STARTS)


def test_what_cannot_be_opened_is_no_photo(tmp_path: Path) -> None:
    assert not is_photo(str(tmp_path))
    assert not is_photo(str(tmp_path / "nothing"))
    (tmp_path / "link").symlink_to(tmp_path / "photo")
    (tmp_path / "photo").write_bytes(b"GIF89a")
    assert is_photo(str(tmp_path / "photo"))
    assert is_photo(str(tmp_path / "link"))
