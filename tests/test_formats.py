"""Formats told by content, plugins that come later, and what cannot be opened."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pixquery.db.errors import UnreadableImage
from pixquery.indexer.decode import decode
from pixquery.indexer.formats import kind_of, readable_now
from pixquery.indexer.scan import SUFFIXES
from tests import photos
from tests.conftest import REPOSITORY, Invoke, parsed
from tests.photos import SAMPLES, UPRIGHT, corners, encoded, jxl_claiming, quarters

SIZE = 32
HEIC, DNG = SAMPLES / "quarters-1.heic", SAMPLES / "quarters.dng"


def _jxl() -> bytes:
    import pillow_jxl  # noqa: F401

    return encoded(quarters(), "JXL", lossless=True)


def everything() -> dict[str, bytes]:
    """The same picture in every format."""
    return {
        **{name: encoded(quarters(), name) for name in ("PNG", "GIF", "WEBP", "BMP", "TIFF")},
        "JPEG": encoded(quarters(), "JPEG", quality=95),
        "AVIF": encoded(quarters(), "AVIF"),
        "HEIC": HEIC.read_bytes(),
        "JPEG XL": _jxl(),
        "camera RAW": DNG.read_bytes(),
    }


# -- content decides --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".heic", ".tif", ".nef", ".jxl"])
def test_the_content_decides_and_not_the_name(
    suffix: str, tmp_path: Path, invoke: Invoke, colours: Path
) -> None:
    files = everything()
    (tmp_path / "photos").mkdir()
    for place, content in enumerate(files.values()):
        (tmp_path / "photos" / f"{place}{suffix}").write_bytes(content)
    done = invoke("index", tmp_path / "photos", "--library", tmp_path / "library",
                  "--profile", colours, "--json")  # fmt: skip
    assert parsed(done)["skipped"] == []
    assert parsed(done)["added"] == len(files)


def test_every_suffix_is_looked_at() -> None:
    wanted = {".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf",
              ".rw2", ".raf", ".pef"}  # fmt: skip
    assert wanted <= SUFFIXES


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "camera RAW"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", ""),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\xff\xd8\xff\xe0", ""),
        (b"FUJIFILMCCD-RAW 0201", "camera RAW"),
        (b"IIRO\x08\0\0\0", "camera RAW"),
        (b"IIU\0\x18\0\0\0", "camera RAW"),
        (b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0\0\0", "camera RAW"),
        (b"II*\0", ""),
        (b"", ""),
    ],
)
def test_beginnings(start: bytes, kind: str) -> None:
    assert kind_of(start) == kind


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({50706: 1}, "camera RAW"),  # DNG
        ({330: 200, 254: 1, 262: 2}, "camera RAW"),  # NEF: a stamp, the photo in a folder below
        ({262: 32803}, "camera RAW"),  # a mosaic of sensor values
        ({259: 34713}, "camera RAW"),  # Nikon's compression
        ({254: 0, 259: 5, 262: 2}, ""),
        ({330: 200, 254: 0}, ""),  # smaller copies below the photo
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_raw_tiffs(tags: dict[int, int], kind: str, order: str) -> None:
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    for tag, value in tags.items():
        content += struct.pack(order + "HHII", tag, 4, 1, value)
    assert kind_of(content) == kind


def test_an_ordinary_tiff_is_none() -> None:
    pages = [Image.new("RGB", (9, 9))] * 2
    assert kind_of(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])) == ""


# -- plugins ----------------------------------------------------------------------------------

_WITHOUT = """
import sys
for name in ("pi_heif", "pillow_jxl", "rawpy"):
    sys.modules[name] = None  # as if it were not installed
from pixquery.commands.entry import main
main()
"""


def test_photos_wait_for_their_plugin(tmp_path: Path, invoke: Invoke, colours: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    shutil.copy(HEIC, root / "a.heic")
    shutil.copy(DNG, root / "b.dng")
    (root / "c.jxl").write_bytes(_jxl())
    (root / "d.png").write_bytes(encoded(quarters()))
    (root / "e.heic").write_bytes(b"no photo")
    words = ["index", str(root), "--library", str(tmp_path / "library"), "--json"]
    first = [*words, "--profile", str(colours)]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *first],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    reasons = {Path(skip["path"]).name: skip["reason"] for skip in report["skipped"]}
    needs = "photos need an extra: pip install 'pixquery[formats]', then index again"
    assert reasons.pop("e.heic").startswith("not a JPEG")
    assert reasons == {
        "a.heic": f"HEIC {needs}", "b.dng": f"camera RAW {needs}", "c.jxl": f"JPEG XL {needs}"
    }  # fmt: skip
    assert report["added"] == 1
    # Without them nothing changes; with them the same files are read, though they are unchanged.
    again = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *words],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert len(json.loads(again.stdout)["skipped"]) == 4
    now = parsed(invoke(*words))
    assert (now["added"], now["unchanged"], len(now["skipped"])) == (3, 1, 1)
    assert parsed(invoke(*words))["unchanged"] == 4


def test_only_missing_plugins_are_worth_another_look() -> None:
    needs = " photos need an extra: pip install 'pixquery[formats]', then index again"
    assert readable_now("HEIC" + needs)
    assert not readable_now("FITS" + needs)
    assert not readable_now("damaged or cut off (HEIC that cannot be opened)")
    assert not readable_now("")


# -- what cannot be opened --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(9), "(JPEG that cannot be opened)"),
        (b"\x89PNG\r\n\x1a\n", "(PNG that cannot be opened)"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged or cut off"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not a JPEG, PNG"),
        (HEIC.read_bytes()[:300], "(HEIC that cannot be opened)"),
        (b"%PDF-1.7\n", "not a JPEG, PNG"),
    ],
)
def test_the_reason_names_the_format(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage) as error:
        decode(content, SIZE)
    assert reason in str(error.value)


def test_a_heic_with_a_name_that_is_no_text_is_refused() -> None:
    # pi_heif 1.4 crashes on it, so it must not come that far.
    content = photos.patched(HEIC.read_bytes(), b"infe", 8, "4s", b"Ex\xe6f")  # type: ignore[arg-type]
    with pytest.raises(UnreadableImage, match="damaged or cut off"):
        decode(content, SIZE)


def test_a_raw_file_without_a_preview() -> None:
    content = DNG.read_bytes()
    with pytest.raises(UnreadableImage):
        decode(content[: len(content) // 8], SIZE)


# -- JPEG XL ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (256, 256), (40, 30), (300, 200), (1, 999),
                                  (160, 90), (1000, 8), (12, 10), (500, 400)])  # fmt: skip
def test_the_header_tells_the_size(size: tuple[int, int]) -> None:
    import pillow_jxl  # noqa: F401

    content = encoded(Image.new("RGB", size, (9, 99, 199)), "JXL", lossless=True)
    photo = decode(content, 8)
    assert (photo.width, photo.height) == size
    assert photo.pixels[4, 4].tolist() == [9, 99, 199]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (jxl_claiming(100, 100), "broken JPEG XL code"),
        (jxl_claiming(100, 100, animated=True), "animated"),
        (jxl_claiming(100, 100, channels=5), "5 channels"),
        (b"\xff\x0a", "cut off"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "damaged or cut off"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x08free" * 20_000, "damaged or cut off"),
    ],
)
def test_jpeg_xl_that_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        decode(content, SIZE)


def test_every_format_shows_the_same_picture() -> None:
    for name, content in everything().items():
        photo = decode(content, SIZE)
        assert corners(photo.pixels) == UPRIGHT, name
        assert (photo.width, photo.height) == (96, 64), name
