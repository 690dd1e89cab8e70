"""Made photos with known words in them: ten faces, five sizes, seven angles, seven lights.

The background is a photo, where there are any, else waves of colour. The words are drawn on a plate
such as a sign, or straight on the photo. Photo and words are the same for the same number.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 2400, 1800
FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif",
         "DejaVuSerif-BoldItalic", "STIXGeneral", "STIXGeneralItalic", "cmb10",
         "cmtt10")  # fmt: skip
"""They come with matplotlib."""
SIZES = (24, 36, 48, 72, 120)
"""Of the letters (em), in pixels: from 1 % to 5 % of the photo's longer side."""
ANGLES = (0, 0, 0, 10, -20, 30, 90, 180)
"""Degrees against the clock; half of what people photograph stands upright."""
LIGHTS = ("even", "gradient", "low contrast", "noise", "blurred", "JPEG 25", "dark")
_VOCABULARY = """
arrival bakery boarding bridge camera castle central closed coffee concert danger delivery
departure exit festival flight forest garden gate harbour hardware hotel invoice island kitchen
library luggage market menu morning museum number office opening orchestra passport pharmacy
platform police postcard quarter receipt restaurant river school station street summer theatre
ticket total tower tunnel university village voucher warning welcome window winter yellow
Anna Berlin Danube Edinburgh Florence Greenwich Hamburg Lisbon Madrid Naples Oxford Prague
Salzburg Vienna Zurich January March July October Monday Friday
12:45 18.90 2023 0471 B27 14 1,250 09:30 A380 100% 3.5 1984
"""
_WORDS = _VOCABULARY.split()


@dataclass(frozen=True, slots=True)
class Lettered:
    """A made photo."""

    content: bytes
    """A JPEG file."""
    lines: tuple[tuple[str, ...], ...]
    """The words in it, line by line."""
    face: str
    size: int
    angle: int
    light: str
    plate: bool
    """Whether they stand on a plate."""


def lettered(number: int, backgrounds: Sequence[Path], seed: int = 0) -> Lettered:
    """Makes a photo; the first photos go through all faces and sizes evenly."""
    chance = default_rng((seed, number))
    face, size = FACES[number % len(FACES)], SIZES[number // len(FACES) % len(SIZES)]
    angle, light = ANGLES[chance.integers(len(ANGLES))], LIGHTS[chance.integers(len(LIGHTS))]
    plate = bool(chance.random() < 0.7)
    lines = tuple(_line(chance) for _ in range(3))
    photo = _background(chance, backgrounds)
    block = _block(lines, _font(face, size), chance).rotate(
        angle, Image.Resampling.BICUBIC, expand=True
    )
    room = (max(1, WIDTH - block.width), max(1, HEIGHT - block.height))
    x, y = (int(chance.integers(side)) for side in room)
    paper, ink = _colours(
        photo.crop((x, y, x + block.width, y + block.height)), chance, plate=plate
    )
    if light == "low contrast":
        ink = tuple((3 * p + i) // 4 for p, i in zip(paper, ink, strict=True))
    if plate:
        photo.paste(paper, (x, y), block.getchannel("G"))
    photo.paste(ink, (x, y), block.getchannel("R"))
    return Lettered(_file(photo, light, size, chance), lines, face, size, angle, light, plate)


def _line(chance: Generator) -> tuple[str, ...]:
    words = [_WORDS[at] for at in chance.choice(len(_WORDS), int(chance.integers(2, 4)), False)]
    style = chance.integers(3)
    return tuple(w.upper() if style == 0 else w.capitalize() if style == 1 else w for w in words)


def _font(face: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf", size
    )


def _block(
    lines: Sequence[Sequence[str]], font: ImageFont.FreeTypeFont, chance: Generator
) -> Image.Image:
    """Lines of words; in red the letters, in green the plate below them."""
    em = int(font.size)
    blank = round(chance.uniform(0.2, 0.36) * em)  # not the font's own: some have none
    places, width = [], 0
    for number, words in enumerate(lines):
        x = 0
        for word in words:
            places.append((x, round(number * 1.5 * em), word))
            x += round(font.getlength(word)) + blank
        width = max(width, x - blank)
    edge = round(em * chance.uniform(0.4, 1.2))
    height = round((len(lines) - 1) * 1.5 * em + 1.3 * em)
    block = Image.new("RGB", (width + 2 * edge, height + 2 * edge), (0, 255, 0))
    letters = Image.new("L", block.size)
    draw = ImageDraw.Draw(letters)
    for x, y, word in places:
        draw.text((x + edge, y + edge), word, 255, font)
    return Image.merge("RGB", (letters, block.getchannel("G"), block.getchannel("B")))


def _background(chance: Generator, photos: Sequence[Path]) -> Image.Image:
    if photos:
        with Image.open(photos[int(chance.integers(len(photos)))]) as image:
            return image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    waves = chance.uniform(40, 215, (12, 16, 3)).astype(np.uint8)
    return Image.fromarray(waves).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def _colours(
    below: Image.Image, chance: Generator, *, plate: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the paper and of the ink, far apart in brightness."""
    bright, dark = chance.integers(200, 256, 3), chance.integers(0, 70, 3)
    if plate:
        pair = (bright, dark) if chance.random() < 0.7 else (dark, bright)
    else:
        paper = np.asarray(below).reshape(-1, 3).mean(0)
        pair = (paper, dark if paper.mean() > 127 else bright)
    return tuple(int(level) for level in pair[0]), tuple(int(level) for level in pair[1])


def _file(photo: Image.Image, light: str, size: int, chance: Generator) -> bytes:
    if light == "blurred":
        photo = photo.filter(ImageFilter.GaussianBlur(0.06 * size))
    if light in ("gradient", "dark", "noise"):
        levels = np.asarray(photo, np.float32)
        if light == "gradient":
            ramp = np.linspace(0.2, 1.1, WIDTH, dtype=np.float32)[:: int(chance.choice([-1, 1]))]
            levels = levels * ramp[:, None]
        if light == "dark":
            levels = levels * 0.25
        if light != "gradient":
            deviation = 30 if light == "noise" else 8
            levels = levels + deviation * chance.standard_normal(levels.shape, np.float32)
        photo = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=25 if light == "JPEG 25" else 90)
    return out.getvalue()


def all_lettered(count: int, backgrounds: Sequence[Path], seed: int = 0) -> Iterator[Lettered]:
    """The first photos, one at a time."""
    return (lettered(number, backgrounds, seed) for number in range(count))
