"""Pillow's settings: changed while photos are decoded, and only then."""

import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import AvifImagePlugin, Image

from pixquery.indexer.pillow import set_for_decoding
from tests.conftest import REPOSITORY

_IMPORTS = """
import signal, sys, warnings
import numpy  # has filters of its own
from PIL import AvifImagePlugin, Image
Image.init()  # all formats of its own

def settings():
    return (Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS, list(warnings.filters),
            sorted(Image.OPEN), signal.getsignal(signal.SIGINT))

before = settings()
import pixquery.indexer.build, pixquery.indexer.decode, pixquery.indexer.limits
import pixquery.engine.photos, pixquery.indexer.pillow, pixquery.indexer.watch
assert settings() == before
"""

_IN_THREADS = """
import io, sys, warnings
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
from pixquery.indexer.decode import decode
from pixquery.indexer.limits import MAX_PIXELS

def tiff(size):
    out = io.BytesIO()
    Image.new("1", size).save(out, "TIFF", compression="group4")
    return out.getvalue()

out = io.BytesIO()
exif = b"Exif\\0\\0II*\\0\\x08\\0\\0\\0\\x05\\0"  # announces five tags, and ends
Image.new("RGB", (60, 40), (200, 20, 20)).save(out, "JPEG", exif=exif)
damaged = out.getvalue()
huge = tiff((14_000, 14_000))  # 196 megapixels: Pillow's own limit is an error for them
before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
with ThreadPoolExecutor(8) as pool:
    contents = [damaged, huge] * 4 + [damaged] * 60
    photos = list(pool.map(lambda content: decode(content, 8), contents))
assert {(photo.width, photo.height) for photo in photos} == {(60, 40), (14_000, 14_000)}
assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
try:
    Image.open(io.BytesIO(huge))
except Image.DecompressionBombError:
    pass
else:
    sys.exit("Pillow's limit was not restored")
try:
    with Image.open(io.BytesIO(damaged)) as image:
        image.getexif()
except UserWarning:
    pass
else:
    sys.exit("Pillow's warnings were not restored, or this EXIF does not cause one")
"""


def run_with_warnings_as_errors(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_imports_change_nothing() -> None:
    run_with_warnings_as_errors(_IMPORTS)


def test_decoding_in_threads_is_right_when_warnings_are_errors() -> None:
    run_with_warnings_as_errors(_IN_THREADS)


def test_the_last_decoding_restores_the_settings() -> None:
    def settings() -> tuple[object, ...]:
        return Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS, list(warnings.filters)

    before = settings()
    begun, end = threading.Event(), threading.Event()

    def decoding() -> None:
        with set_for_decoding():
            begun.set()
            end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(decoding)
        begun.wait(10)
        with set_for_decoding():
            pass
        assert (Image.MAX_IMAGE_PIXELS, AvifImagePlugin.DEFAULT_MAX_THREADS) == (None, 1)
        assert settings() != before
        end.set()
        other.result(10)
    assert settings() == before


def test_settings_survive_an_error() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with pytest.raises(OSError, match="broken"), set_for_decoding():
        raise OSError("broken")
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_a_filter_of_the_user_that_is_the_same_stays() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        before = list(warnings.filters)
        with set_for_decoding(), warnings.catch_warnings():
            warnings.simplefilter("error")
        assert list(warnings.filters) == before


def test_only_warnings_of_pillow_are_silenced() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with set_for_decoding():
            warnings.warn_explicit("odd", UserWarning, "file", 1, module="PIL.TiffImagePlugin")
            with pytest.raises(UserWarning, match="odd"):
                warnings.warn_explicit("odd", UserWarning, "file", 1, module="PILLAR")
        with pytest.raises(UserWarning, match="odd"):
            warnings.warn_explicit("odd", UserWarning, "file", 1, module="PIL.TiffImagePlugin")
