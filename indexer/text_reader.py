"""Reads the text in photos, line by line, with PP-OCRv6's networks as the package rapidocr has them.

The networks are small and come in the package's wheel. They run on OpenVINO, as the encoders do;
nothing is ever downloaded. Three take part: one finds lines (Differentiable Binarization, Liao et
al. 2020), one tells whether a line is upside down, and one reads it (CTC over 18,708 characters).
"""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixquery.db.errors import MissingExtra
from pixquery.db.records import Line, Pixels
from pixquery.engine.runtime import openvino
from pixquery.indexer.decode import picture
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.text_rules import RULES, worth_keeping

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Quad: TypeAlias = NDArray[np.float32]
"""Four corners in pixels, float32[4, 2]: x and y, clockwise from the one at the upper left."""

READ_FROM = 4096
"""The longer side, in pixels, that a photo is decoded at to be read. Larger is a waste of time."""
_MOST_PIXELS = 1_200_000
"""Photos are reduced to so many pixels. More of them find little more text, and the network that
finds lines takes 0.4 KB a pixel."""
_ENLARGED_TO = 736
"""Shorter side, in pixels, that smaller photos are enlarged to: the networks were trained on letters
that are larger than those of a small picture."""
_MOST_ENLARGED = 4
_LEAST_SIDE = 8
"""Pixels below which nothing can be read."""
_PADDED_TO = 64
"""Pixels that each side is padded to: the networks halve a picture five times."""
_TURNED = 1.5
"""Lines that are so many times taller than wide are read from top to bottom, as rapidocr does."""
_UPSIDE_DOWN = 0.9
"""How sure the network must be that a line is upside down."""

_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_SETTINGS = {
    "Global.log_level": "critical",
    "Global.use_preprocess_img": False,
    "Global.use_vertical_padding": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": 1 << 20,
    "Cls.cls_thresh": _UPSIDE_DOWN,
}
"""Rapidocr's own settings. Photos are scaled here, with a better filter than its own."""
_OPENING = Lock()


class TextReader:
    """Reads the text in photos; one takes 150 MB, and up to 500 MB while it reads.

    It is for one thread at a time.
    """

    def __init__(self, threads: int = 1) -> None:
        """Loads the networks, which takes about a second.

        OpenCV, which rapidocr uses, is kept to one thread in the whole process.

        Args:
            threads: How many processor cores to use at most.

        Raises:
            MissingExtra: The packages of the extra ``text`` are not installed.
        """
        with _OPENING:
            self._engine = _opened(threads)
        self.version = _version()
        """A digest of everything that decides what is read: 16 hexadecimal digits."""

    def read_file(self, content: bytes) -> list[Line]:
        """Decodes a photo and reads the text in it.

        Args:
            content: The whole file.

        Returns:
            As :meth:`read` does.

        Raises:
            UnreadableImage: With the reason in words.
            PhotoFailed: It may be sound; another try may succeed.
        """
        return self.read(picture(content, READ_FROM))

    def read(self, image: Image.Image | Pixels) -> list[Line]:
        """Reads the text in a photo.

        Args:
            image: Upright, as :func:`indexer.decode.picture` makes it; or uint8[h, w, 3], RGB.

        Returns:
            Its lines of text, from top to bottom as far as lines have such an order, without those
            that are likely no text (:mod:`indexer.text_rules`).

        Raises:
            PhotoFailed: Another try may succeed.
        """
        with failures_reported("its text could not be read"):
            image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
            return [line for line in self._lines(image) if worth_keeping(line, image.size)]

    def read_all(self, image: Image.Image | Pixels) -> list[Line]:
        """As :meth:`read`, with all that looked like text: to measure, not to keep."""
        with failures_reported("its text could not be read"):
            image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
            return list(self._lines(image))

    def _lines(self, image: Image.Image) -> Iterator[Line]:
        size = _reading_size(image.size)
        if min(size) < _LEAST_SIDE:
            return
        scaled = image.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=3)
        pixels = np.asarray(scaled)[:, :, ::-1]  # OpenCV's order of colours
        below, beside = (max(0, _PADDED_TO - side) for side in pixels.shape[:2])
        pixels = np.pad(pixels, ((0, below), (0, beside), (0, 0)), "edge")
        found, turned, read, _ = self._engine.run_ocr_steps(np.ascontiguousarray(pixels), {})
        if found.boxes is None or turned.cls_res is None or read.txts is None:
            return
        scores = read.scores or ()
        for quad, (label, sure), text, confidence in zip(
            found.boxes, turned.cls_res, read.txts, scores, strict=True
        ):
            text = " ".join(text.split())
            if text and confidence > 0:
                upside_down = label == "180" and sure > _UPSIDE_DOWN
                corners = _from_the_beginning(quad, upside_down=upside_down) / np.float32(size)
                shares = np.clip(corners, 0, 1).ravel().astype(float).round(4)
                yield Line(text, float(confidence), tuple(shares.tolist()))


def _reading_size(size: tuple[int, int]) -> tuple[int, int]:
    """The width and height at which a photo is read."""
    width, height = size
    smaller = math.sqrt(_MOST_PIXELS / (width * height))
    larger = min(_MOST_ENLARGED, max(1.0, _ENLARGED_TO / min(size)))
    share = min(smaller, larger)
    return max(1, round(width * share)), max(1, round(height * share))


def _from_the_beginning(quad: Quad, *, upside_down: bool) -> Quad:
    """The corners of a line clockwise from where its text begins, as rapidocr has turned it."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    width, height = int(max(sides[0], sides[2])), int(max(sides[1], sides[3]))
    first = 1 if height >= _TURNED * width else 0
    return np.roll(quad, -first - 2 * upside_down, axis=0)


def _opened(threads: int) -> "RapidOCR":
    """The engine, with its networks loaded."""
    core = openvino().Core()  # imported first, without its usage statistics
    try:
        with _same_surroundings():
            import cv2
            from rapidocr import EngineType, RapidOCR
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"reading text needs the package {error.name}: pip install 'pixquery[text]'"
        ) from error
    cv2.setNumThreads(1)
    settings: dict[str, Any] = dict(_SETTINGS)
    for part, file in _model_files().items():
        settings[f"{part}.engine_type"] = EngineType.OPENVINO
        settings[f"{part}.model_path"] = str(file)  # else it is downloaded if it differs
    engine = RapidOCR(params=settings)
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": 0,  # every photo has another shape, and each would be kept
    }
    for load in (engine._load_det_model, engine._load_cls_model, engine._load_rec_model):
        session = load().session
        session.session = core.compile_model(session.model, "CPU", options).create_infer_request()
    return engine


@contextmanager
def _same_surroundings() -> Iterator[None]:
    """Undoes what OpenCV's import does to the path of libraries, which programs started later get."""
    before = os.environ.get("LD_LIBRARY_PATH")
    try:
        yield
    finally:
        if before is not None:
            os.environ["LD_LIBRARY_PATH"] = before
        else:
            os.environ.pop("LD_LIBRARY_PATH", None)


def _model_files() -> dict[str, Path]:
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    return {part: folder / name for part, name in _MODELS.items()}


def _version() -> str:
    here: Sequence[object] = (
        version("rapidocr"), sorted(_MODELS.items()), sorted(_SETTINGS.items()), READ_FROM,
        _MOST_PIXELS, _ENLARGED_TO, _MOST_ENLARGED, _LEAST_SIDE, RULES,
    )  # fmt: skip
    return hashlib.sha256(repr(here).encode()).hexdigest()[:16]
