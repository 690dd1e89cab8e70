"""Reading text in photos: made pictures with known words, turned, odd and empty ones."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import Line
from pixquery.indexer.text_reader import TextReader
from pixquery.indexer.text_rules import worth_keeping
from tests.conftest import REPOSITORY

PASS, ROUTE = "BOARDING PASS", "Vienna to Lisbon 14 July"
WIDTH, HEIGHT = 600, 400
BOXES = {PASS: (40, 50, 290, 80), ROUTE: (40, 200, 410, 230)}
"""Left, top, right and bottom of the letters, roughly."""


@pytest.fixture(scope="module")
def reader() -> TextReader:
    pytest.importorskip("rapidocr", reason="the extra text is not installed")
    return TextReader()


def card(mode: str = "RGB") -> Image.Image:
    """White, with two lines of black text."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    for text, (left, top, _, _) in BOXES.items():
        draw.text((left, top), text, "black", ImageFont.load_default(32))
    return image.convert(mode)


def texts(lines: list[Line]) -> set[str]:
    return {line.text for line in lines}


def points(line: Line) -> list[tuple[float, float]]:
    return list(zip(line.corners[::2], line.corners[1::2], strict=True))


def test_text_is_read_where_it_stands(reader: TextReader) -> None:
    lines = reader.read(card())
    assert [line.text for line in lines] == [PASS, ROUTE]
    for line in lines:
        assert 0.9 < line.confidence <= 1
        left, top, right, bottom = BOXES[line.text]
        drawn = [(left, top), (right, top), (right, bottom), (left, bottom)]
        for (x, y), (expected_x, expected_y) in zip(points(line), drawn, strict=True):
            assert abs(x * WIDTH - expected_x) < 30
            assert abs(y * HEIGHT - expected_y) < 20


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_text_is_read_and_its_corners_begin_where_it_does(
    reader: TextReader, degrees: int
) -> None:
    upright = {line.text: points(line) for line in reader.read(card())}
    turned = {line.text: points(line) for line in reader.read(card().rotate(degrees, expand=True))}
    assert turned.keys() == upright.keys() == {PASS, ROUTE}
    move: Any = {  # where Pillow's rotation moves a point
        90: lambda x, y: (y, 1 - x),
        180: lambda x, y: (1 - x, 1 - y),
        270: lambda x, y: (1 - y, x),
    }[degrees]
    for text in upright:
        moved = [move(x, y) for x, y in upright[text]]
        assert np.allclose(turned[text], moved, atol=0.05)


@pytest.mark.parametrize("degrees", [-25, 12])
def test_text_aslant_is_read(reader: TextReader, degrees: int) -> None:
    image = card().rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    found = reader.read(image)
    assert {text.replace(" ", "") for text in texts(found)} == {
        PASS.replace(" ", ""), ROUTE.replace(" ", "")}  # fmt: skip


@pytest.mark.parametrize("scale", [0.5, 8])
def test_small_and_large_pictures_are_read(reader: TextReader, scale: float) -> None:
    size = (int(WIDTH * scale), int(HEIGHT * scale))
    lines = reader.read(card().resize(size, Image.Resampling.LANCZOS))
    assert texts(lines) == {PASS, ROUTE}
    assert abs(lines[0].corners[0] * WIDTH - BOXES[PASS][0]) < 30


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_mode_is_read(reader: TextReader, mode: str) -> None:
    assert PASS in texts(reader.read(card(mode)))


def test_pixels_are_read(reader: TextReader) -> None:
    assert texts(reader.read(np.asarray(card()))) == {PASS, ROUTE}


def test_a_file_is_read_upright(reader: TextReader) -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    card().transpose(Image.Transpose.ROTATE_90).save(out, "JPEG", exif=exif)
    lines = reader.read_file(out.getvalue())
    assert lines[0].text == PASS
    assert lines[0].corners[1] < 0.25


def test_a_file_of_sixteen_bits_is_read(reader: TextReader) -> None:
    out = io.BytesIO()
    Image.fromarray(np.asarray(card("L"), np.uint16) * 257).save(out, "PNG")
    assert PASS in texts(reader.read_file(out.getvalue()))


def test_a_damaged_file_says_so(reader: TextReader) -> None:
    with pytest.raises(UnreadableImage):
        reader.read_file(b"\xff\xd8\xff\xe0 no picture")


@pytest.mark.parametrize(
    "size", [(1, 1), (7, 9), (5000, 3), (3, 5000), (20_000, 40), (64, 64), (900, 600)]
)
def test_nothing_is_read_where_nothing_stands(reader: TextReader, size: tuple[int, int]) -> None:
    assert reader.read(Image.new("RGB", size, "teal")) == []


def test_a_ribbon_of_text_is_read(reader: TextReader) -> None:
    ribbon = Image.new("RGB", (6000, 40), "white")
    ImageDraw.Draw(ribbon).text((3000, 2), PASS, "black", ImageFont.load_default(30))
    (line,) = reader.read(ribbon)
    assert line.text == PASS
    assert abs(line.corners[0] - 0.5) < 0.01


def test_what_cannot_be_read_is_a_photo_that_failed(reader: TextReader) -> None:
    with pytest.raises(PhotoFailed, match="its text could not be read"):
        reader.read(np.zeros((4, 4, 4, 4), np.uint8))
    assert reader.read(card())  # and the next is read as before


def test_the_version_says_what_reads(reader: TextReader) -> None:
    assert len(reader.version) == 16
    assert reader.version == TextReader().version


# -- the process ------------------------------------------------------------------------------

_QUIET = """
import logging, os, sys, warnings
warnings.simplefilter("error")
logging.basicConfig(level=logging.DEBUG)  # a program that wants to know everything
logging.getLogger("PIL").setLevel(logging.INFO)  # but this
def refuse(event, arguments):
    assert not event.startswith("socket."), (event, arguments)
sys.addaudithook(refuse)
import numpy as np
from PIL import Image
before = dict(os.environ), list(sys.path), logging.root.handlers[:], list(warnings.filters)
import pixquery.indexer.text_reader
assert not {"cv2", "rapidocr", "openvino"} & set(sys.modules)
reader = pixquery.indexer.text_reader.TextReader()
reader.read(np.asarray(Image.open(sys.argv[1])))
reader.read(Image.new("RGB", (300, 300)))
assert (dict(os.environ), list(sys.path), logging.root.handlers[:]) == before[:3]
assert all(entry in warnings.filters for entry in before[3])
import cv2
assert cv2.getNumThreads() == 1
assert not {"torch", "onnxruntime", "matplotlib", "pandas", "openvino_telemetry"} & set(sys.modules)
"""


def test_it_is_quiet_and_stays_off_the_network(tmp_path: Any, reader: TextReader) -> None:
    card().save(tmp_path / "card.png")
    done = subprocess.run(
        [sys.executable, "-c", _QUIET, str(tmp_path / "card.png")],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


_MISSING = """
import sys
sys.modules["{}"] = None
from pixquery.db.errors import MissingExtra
from pixquery.indexer.text_reader import TextReader
try:
    TextReader()
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize("package", ["rapidocr", "cv2"])
def test_without_the_extra_one_sentence_names_it(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MISSING.format(package)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.stdout == (
        f"reading text needs the package {package}: pip install 'pixquery[text]'\n"
    )


# -- rules ------------------------------------------------------------------------------------


def line(text: str, confidence: float, side: float = 0.1) -> Line:
    """A line in a square of the photo's upper left."""
    return Line(text, confidence, (0, 0, side, 0, side, side, 0, side))


@pytest.mark.parametrize(
    ("text", "confidence", "side"),
    [("杭", 0.99, 0.9), ("W", 0.99, 0.1), ("★★★★", 0.99, 0.1), ("-", 1.0, 0.1),
     ("19", 0.75, 0.1), ("wsr", 0.61, 0.1), ("RRDSIA", 0.49, 0.1), ("OCRED", 0.62, 0.6),
     ("HH", 0.85, 0.9)],
)  # fmt: skip
def test_patterns_are_no_text(text: str, confidence: float, side: float) -> None:
    assert not worth_keeping(line(text, confidence, side))


@pytest.mark.parametrize(
    ("text", "confidence", "side"),
    [("42", 0.95, 0.1), ("ERN", 0.75, 0.1), ("Chanpions", 0.55, 0.1), ("STOP", 0.99, 0.9),
     ("名字", 0.99, 0.1), ("7 EUR", 0.6, 0.1)],
)  # fmt: skip
def test_words_are_text(text: str, confidence: float, side: float) -> None:
    assert worth_keeping(line(text, confidence, side))
