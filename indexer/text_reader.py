"""Reads the text in photos, line by line, with the package rapidocr and PP-OCRv6's networks.

The networks are in the package's wheel, and nothing is ever downloaded. They run on OpenVINO, as
the encoders do. One finds lines (differentiable binarization, https://arxiv.org/abs/1911.08947),
one sees whether a line is upside down, and one reads it (CTC over 18,708 characters: Latin,
Chinese, Japanese).
"""

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixquery.db.errors import MissingExtra
from pixquery.db.records import Line, Pixels
from pixquery.engine.runtime import cause_of, openvino
from pixquery.indexer.decode import picture
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.text_rules import RULES, worth_keeping

Quad: TypeAlias = NDArray[np.float32]
"""Four corners, float32[4, 2]: x and y, clockwise from the one at the upper left."""

DECODED_TO = 2000
"""Longer side, in pixels, that larger photos are decoded to."""
_PIXELS = 800_000
"""Larger photos are reduced to so many pixels: to find lines takes 0.3 KB of memory a pixel."""
_ENLARGED_TO = 736
"""Shorter side, in pixels, that smaller photos are enlarged to, as rapidocr does by default."""
_MOST_ENLARGED = 4
_LEAST_SIDE = 8
"""Pixels below which nothing can be read."""
_PADDED_TO = 64
"""Pixels that each side is padded to: the network halves a picture five times."""
_TURNED = 1.5
"""Rapidocr turns lines that are so many times taller than wide before it reads them."""
_UPSIDE_DOWN = 0.9
"""How sure the network must be of that."""
_NETWORKS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_SETTINGS = {
    "Global.log_level": "critical",
    "Det.limit_type": "max",
    "Det.limit_side_len": 1 << 20,  # photos are scaled here, with a better filter
    "Cls.cls_thresh": _UPSIDE_DOWN,
    "Rec.rec_batch_num": 2,  # with 6, which is no faster, it takes 100 MB more
    "Rec.rec_img_shape": [3, 48, 160],  # most words are not as wide as the default, 320
}
"""Rapidocr's."""
_opening = Lock()


class TextReader:
    """Reads the text in photos; for one thread at a time.

    With Python and its packages it takes 210 MB, and up to 850 MB while it reads.
    """

    version: str
    """That of :func:`reading_version`."""

    def __init__(self, threads: int = 1) -> None:
        """Loads the networks, which takes a second.

        It also keeps OpenCV, which rapidocr uses, to one thread in the whole process.

        Args:
            threads: How many of the processor's cores are used, at most.

        Raises:
            MissingExtra: The packages of the extra ``text`` are not installed, or damaged.
        """
        with _opening:
            self._engine = _opened(threads)
        self._finder = self._engine.text_det
        self._memory = self._finder.session.session.get_compiled_model()
        self.version = reading_version()

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
        return self.read(picture(content, DECODED_TO))

    def read(self, image: Image.Image | Pixels) -> list[Line]:
        """Reads the text in a photo.

        Args:
            image: Upright, as :func:`indexer.decode.picture` makes it; or uint8[h, w, 3], RGB.

        Returns:
            Lines of text, roughly from top to bottom, without what is likely no text
            (:mod:`indexer.text_rules`). Words of a line may run together.

        Raises:
            PhotoFailed: The photo may be sound; another try may succeed.
        """
        return [line for line in self.everything(image) if worth_keeping(line)]

    def everything(self, image: Image.Image | Pixels) -> list[Line]:
        """As :meth:`read`, with whatever looked like text."""
        with failures_reported("its text could not be read"):
            image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
            return list(self._lines(image))

    def _lines(self, image: Image.Image) -> Iterator[Line]:
        size = _reading_size(image.size)
        if min(size) < _LEAST_SIDE:
            return
        pixels = _pixels(image, size)
        quads: NDArray[np.float32] | None = self._finder(pixels).boxes
        self._memory.release_memory()  # as much as all the rest, and not needed before the next
        if quads is None:
            return
        cut = self._engine.crop_text_regions(pixels, quads)
        turned, turns = self._engine.cls_and_rotate(cut)
        read = self._engine.recognize_txt(turned)
        for quad, (label, sure), text, confidence in zip(
            quads, turns.cls_res or (), read.txts or (), read.scores or (), strict=True
        ):
            words = " ".join(text.split())
            if words and confidence > 0:
                upside_down = label == "180" and sure > _UPSIDE_DOWN
                corners = _from_the_beginning(quad, upside_down=upside_down)
                shares = np.clip(corners / np.array(size, float), 0, 1).round(4)
                yield Line(words, float(confidence), tuple(shares.ravel().tolist()))


def _reading_size(size: tuple[int, int]) -> tuple[int, int]:
    """The width and height at which a photo is read, for its own."""
    width, height = size
    enlarged = min(_MOST_ENLARGED, max(1.0, _ENLARGED_TO / min(size)))
    share = min(enlarged, math.sqrt(_PIXELS / (width * height)))
    return max(1, round(width * share)), max(1, round(height * share))


def _pixels(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """A photo at another size, its right and lower edges repeated if it is too small.

    Returns:
        uint8[h, w, 3], blue first, as OpenCV has it.
    """
    scaled = image.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=3)
    missing = [(0, max(0, _PADDED_TO - side)) for side in reversed(size)]
    return np.ascontiguousarray(np.pad(np.asarray(scaled), [*missing, (0, 0)], "edge")[:, :, ::-1])


def _from_the_beginning(quad: Quad, *, upside_down: bool) -> Quad:
    """The corners of a line, clockwise from where its text begins."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    width, height = int(max(sides[::2])), int(max(sides[1::2]))
    turned = height >= _TURNED * width
    return np.roll(quad, -turned - 2 * upside_down, axis=0)


def _opened(threads: int) -> Any:
    """Rapidocr's engine, with its networks loaded.

    Raises:
        MissingExtra: A package is not installed, or damaged.
    """
    core = openvino().Core()  # imported before rapidocr does, which would bring usage statistics
    try:
        with _same_paths():
            import cv2
            import rapidocr
            from rapidocr import EngineType, RapidOCR
    except ImportError as error:
        raise MissingExtra(
            f"reading text needs the package {error.name or error}: pip install 'pixquery[text]'"
        ) from error
    cv2.setNumThreads(1)
    settings: dict[str, Any] = dict(_SETTINGS)
    for part, file in _NETWORKS.items():
        settings[f"{part}.engine_type"] = EngineType.OPENVINO
        # Named, as files that are not as expected are otherwise downloaded.
        settings[f"{part}.model_path"] = str(Path(rapidocr.__file__).parent / "models" / file)
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": 0,  # it keeps something for every size, and all differ
    }
    try:
        engine: Any = RapidOCR(params=settings)
        for part in (engine._load_det_model(), engine._load_cls_model(), engine._load_rec_model()):
            compiled = core.compile_model(part.session.model, "CPU", options)
            part.session.session = compiled.create_infer_request()
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingExtra(
            f"the networks that read text cannot be loaded ({cause_of(error)}): "
            "pip install --force-reinstall rapidocr"
        ) from error
    return engine


@contextmanager
def _same_paths() -> Iterator[None]:
    """Undoes what OpenCV's import does to where programs that are started look for libraries."""
    name = "LD_LIBRARY_PATH"
    before = os.environ.get(name)
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before
        else:
            os.environ.pop(name, None)


def reading_version() -> str:
    """A digest of what decides what is read, 16 hexadecimal digits."""
    parts = (
        version("rapidocr"), _NETWORKS, _SETTINGS, DECODED_TO, _PIXELS, _ENLARGED_TO,
        _MOST_ENLARGED, _LEAST_SIDE, _PADDED_TO, RULES,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
