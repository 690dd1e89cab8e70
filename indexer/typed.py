"""Words that the owner typed: made legible, kept to a length, and told from what cameras write.

Cameras and programs fill the same fields with words of their own, and nobody looks for those. What
is known to be such is left out, wherever it stands alone; a sentence that contains it is kept.
"""

import re
from collections.abc import Iterable
from unicodedata import category, normalize

MOST_KEYWORDS = 1000
MOST_PEOPLE = 1000
_KEYWORD, _TITLE, _CAPTION, _LABEL = 500, 1000, 10_000, 100
"""The most characters of each."""
_SPARE = 4
"""How many times as long a text may be before it is made legible; the rest is not looked at."""

_BREAKS = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n{3,}")
_UNSEEN = frozenset({"Cc", "Cs"})
"""Control characters and halves of surrogates. Unassigned ones stay: they may be new emoji."""
_NO_CHARACTERS = "\ufeff\ufffe\uffff"


def line_of(text: str, most: int = _KEYWORD) -> str:
    """A text as one line, in Unicode's form NFC, without control characters."""
    return _cut(" ".join(_legible(text[: _SPARE * most]).split()), most)


def keyword_of(text: str) -> str:
    """A keyword or a name, as one line; empty if there is no letter, digit or symbol in it."""
    line = line_of(text)
    return line if _says_something(line) else ""


def label_of(text: str) -> str:
    """A label, as one line; empty if it says that there is none."""
    line = line_of(text, _LABEL)
    return "" if line.casefold() in {"none", "default"} else line


def title_of(text: str, maker: str = "") -> str:
    """A title, as one line; empty if a camera or a program wrote it, or if it is a file's name.

    Args:
        text: As it is in the file.
        maker: Of the camera.
    """
    line = line_of(text, _TITLE)
    return "" if _is_written_by_a_machine(line, maker) or _NUMBERED.fullmatch(line) else line


def caption_of(text: str, maker: str = "") -> str:
    """A caption with its lines; empty if a camera or a program wrote it.

    Args:
        text: As it is in the file.
        maker: Of the camera.
    """
    lines = _BREAKS.sub("\n", text[: _SPARE * _CAPTION]).split("\n")
    legible = "\n".join(" ".join(_legible(line).split()) for line in lines)
    caption = _cut(_BLANK_LINES.sub("\n\n", legible.strip("\n")), _CAPTION)
    return "" if _is_written_by_a_machine(caption, maker) else caption


def distinct(texts: Iterable[str], most: int) -> tuple[str, ...]:
    """Texts that differ in more than case, each as it was written first, at most so many."""
    found: dict[str, str] = {}
    for text in texts:
        if text and found.setdefault(text.casefold(), text) is text and len(found) == most:
            break
    return tuple(found.values())


def _legible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    kept = (
        letter
        if category(letter) not in _UNSEEN and letter not in _NO_CHARACTERS
        else " "
        if letter.isspace()
        else ""
        for letter in text
    )
    return normalize("NFC", "".join(kept))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rstrip()


# -- what machines write ------------------------------------------------------------------------

_PICTURES = "jpe?g|png|gif|tiff?|heic|heif|webp|bmp|dng|cr[23]|nef|arw|raf|orf|rw2|mp4|mov"

_KNOWN = frozenset(
    {"default", "none", "null", "undefined", "untitled", "ascii", "unicode", "charset=ascii",
     "image", "picture", "photo", "jpeg", "exif", "jfif", "dsc", "camera", "screenshot", "sef",
     "image description", "image title", "user comment", "user comments", "description",
     "my beautiful picture", "applemark", "ndmark", "qualcomm", "mediatek", "hisilicon k3",
     "samsung", "samsung camera pictures", "sony dsc", "nikon", "minolta", "kodak", "x-default",
     "digital image", "digital picture", "jpeg photo", "jpeg image", "processed with vsco",
     "created with gimp", "created with the gimp", "created with paint.net", "ycbcr",
     "copyright", "title"}
)  # fmt: skip
"""Of cameras, phones and programs, in lower case."""

_MAKERS = (
    "agfa|aiptek|benq|canon|casio|concord|epson|fuji(?:film)?|ge|hewlett-packard|hp|jenoptik|kodak|"
    "konica|leica|medion|minolta|nikon|olympus|panasonic|pentax|polaroid|praktica|premier|ricoh|"
    "rollei|samsung|sanyo|sony|toshiba|traveler|trust|vivitar"
)
_MACHINE = re.compile(
    rf"""
      (?:(?:{_MAKERS})\s+){{0,3}}digital\ (?:still\ |photo\ |video\ )?camera
    | exif[ _-]?jpeg.{{0,20}}  # Exif_JPEG_PICTURE, Exif_JPEG_420
    | <[^<>]{{0,100}}>  # <Digimax S500>, <SAMSUNG ...>
    | (?:file\ )?(?:created|processed|made|edited|converted|written)\ (?:with|by|using|in)
        \ .{{0,20}}(?:gimp|vsco|snapseed|imagemagick|photoshop|lightroom|picasa|instagram|
           paint\.net|meitu|ebay|prisma|pixlr|canva|b612|beautycam).{{0,60}}
    | (?:lead\ technologies|creator:\ gd-jpeg|intel\(r\)\ jpeg|lavc\d|handmade\ software).{{0,100}}
    | charset=\w+\ .{{0,40}}
    | \{{.*\}}  # the settings of a phone's camera
    | (?:[a-z_]+:\ ?[^ ;\n]{{0,40}};\s*){{2}}.*  # filter: 0; fileterIntensity: 0.0; ...
    | .*\bsteps:\ \d+,\ sampler:.*  # of a program that makes pictures
    | (?=.*\d)(?:0x)?[0-9a-f]{{8,}}
    | (?:[a-z]:)?[\\/]?(?:[^\\/\n]{{1,80}}[\\/])*[^\\/\n]{{1,80}}\.(?:{_PICTURES})
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_NUMBERED = re.compile(
    r"(?:img|dsc[nf]?|dji|pxl|mvi|gopr|wp|p|pict|imag|cimg|sam|screenshot|photo|image|vid)"
    r"[_-]?\d{3,}[\w-]*",
    re.IGNORECASE,
)
"""A file's name without its suffix, which many programs take for the title."""
_CODE = re.compile(r"[a-z0-9]{2,12}(?:_[A-Za-z0-9]{1,12})*")
_CODED = ("huawei", "honor")
"""Makers that describe a photo by the camera's mode, such as "oznor" and "cof_soft"."""


def _is_written_by_a_machine(text: str, maker: str) -> bool:
    if not _says_something(text):
        return True
    line = text.strip(" .\n")
    if line.casefold() in _KNOWN:
        return True
    if len(line) < 4000 and _MACHINE.fullmatch(line):
        return True
    return bool(maker.casefold().startswith(_CODED) and _CODE.fullmatch(line))


def _says_something(text: str) -> bool:
    """Whether there is a letter, a digit or a symbol such as an emoji in a text."""
    return any(letter.isalnum() or category(letter) in ("So", "Cn") for letter in text)
