"""What the owner wrote about a photo: in its XMP, IPTC and EXIF.

XMP comes first, which programs keep up to date; IPTC and EXIF fill in what it lacks.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from unicodedata import category

from PIL import Image

from pixquery.db.records import Annotation
from pixquery.indexer import iptc, xmp_words
from pixquery.indexer.fields import text_of, words
from pixquery.indexer.pillow import DECODER_ERRORS
from pixquery.indexer.typed import (
    MOST_KEYWORDS,
    MOST_PEOPLE,
    caption_of,
    distinct,
    keyword_of,
    title_of,
)
from pixquery.indexer.xmp_words import stars_of, stars_of_percent

_EXIF_IFD = 0x8769
_MAKER, _DESCRIPTION, _COMMENT = 0x010F, 0x010E, 0x9286
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
_STARS, _PERCENT = 0x4746, 0x4749
_XMP, _IPTC = 700, 33723
_IPTC_IN_PHOTOSHOP = 0x0404
_LONGEST = 64 * 1024
"""Bytes of a field; EXIF in a JPEG has no more."""


def annotation_in(image: Image.Image) -> Annotation:
    """What the owner wrote in a photo of any format that Pillow has opened here.

    PNG and GIF may have their XMP after the pixels: it is found once they are loaded. A rating of 0
    says that there is none; see :func:`merged`.
    """
    try:
        return _annotation_in(image)
    except DECODER_ERRORS:  # a photo is worth more than what is said about it
        return Annotation()


def _annotation_in(image: Image.Image) -> Annotation:
    try:
        exif = image.getexif()
        packet = _bytes(image.info.get("xmp")) or _bytes(exif.get(_XMP))
        fields = _iptc_of(exif)
    except DECODER_ERRORS:
        exif, packet, fields = Image.Exif(), _bytes(image.info.get("xmp")), b""
    photoshop = image.info.get("photoshop")  # of a JPEG
    if isinstance(photoshop, dict):
        fields = _bytes(photoshop.get(_IPTC_IN_PHOTOSHOP)) or fields
    return _annotation(exif, packet, fields)


def of_raw(content: bytes, preview: Annotation) -> Annotation:
    """What the owner wrote in a RAW file, if that is a TIFF, completed from its preview's."""
    exif = Image.Exif()
    try:
        exif.load(content)
        packet, fields = _bytes(exif.get(_XMP)), _iptc_of(exif)
    except DECODER_ERRORS:
        return preview
    return _together(_annotation(exif, packet, fields), preview)


def merged(*annotations: Annotation) -> Annotation:
    """Several annotations of a photo as one.

    Title, caption, rating, label and location are those of the first that has them; keywords and
    persons are those of all. A rating of 0 takes back the stars that a later one gives.
    """
    together = _together(*annotations)
    return together if together.rating else replace(together, rating=None)


def _together(*annotations: Annotation) -> Annotation:
    """The same, with a rating of 0 if that came first."""
    present = [annotation for annotation in annotations if annotation]
    return Annotation(
        title=next((each.title for each in present if each.title), ""),
        caption=next((each.caption for each in present if each.caption), ""),
        keywords=distinct((word for each in present for word in each.keywords), MOST_KEYWORDS),
        people=distinct((name for each in present for name in each.people), MOST_PEOPLE),
        rating=next((each.rating for each in present if each.rating is not None), None),
        label=next((each.label for each in present if each.label), ""),
        location=next((each.location for each in present if each.location), ()),
    )


def _annotation(exif: Image.Exif, packet: bytes, fields: bytes) -> Annotation:
    in_xmp = xmp_words.words_of(packet) if packet else Annotation()
    try:
        maker = words(exif.get(_MAKER))
    except DECODER_ERRORS:
        maker = ""
    in_iptc = _completing(iptc.words_of(fields, maker), in_xmp) if fields else Annotation()
    return _together(in_xmp, in_iptc, _of_exif(exif, maker))


def _completing(in_iptc: Annotation, in_xmp: Annotation) -> Annotation:
    """IPTC's words without keywords that are longer ones of XMP, cut off at IPTC's length."""
    keywords = tuple(
        keyword
        for keyword in in_iptc.keywords
        if len(keyword.encode()) < iptc.SHORTENED
        or not any(whole.startswith(keyword.rstrip("\ufffd")) for whole in in_xmp.keywords)
    )
    return replace(in_iptc, keywords=keywords)


def _iptc_of(exif: Image.Exif) -> bytes:
    """IPTC's fields in a TIFF, as they lie in the file.

    Photoshop declares them to be numbers, of which Pillow gives the first; its own reader of IPTC
    takes them from the same place.
    """
    data = getattr(getattr(exif, "_info", None), "_tagdata", {}).get(_IPTC)
    return data if isinstance(data, bytes) else b""


def _bytes(value: object) -> bytes:
    """A field's bytes."""
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, bytes) else b""


# -- EXIF ---------------------------------------------------------------------------------------


def _of_exif(exif: Image.Exif, maker: str) -> Annotation:
    """What Windows and others write into EXIF."""
    try:
        inner = exif.get_ifd(_EXIF_IFD) if _EXIF_IFD in exif else {}
        title = title_of(_wide(exif.get(_XP_TITLE)), maker)
        captions = list(_captions(exif, inner.get(_COMMENT), maker))
        keywords = _wide(exif.get(_XP_KEYWORDS)).replace(",", ";").split(";")
        rating = stars_of(exif.get(_STARS))
        percent = stars_of_percent(exif.get(_PERCENT))
    except DECODER_ERRORS:
        return Annotation()
    # Windows writes the title as the description, too.
    caption = next((text for text in captions if text != title), "".join(captions[:1]))
    return Annotation(
        title=title,
        caption=caption,
        keywords=distinct(map(keyword_of, keywords), MOST_KEYWORDS),
        rating=rating or percent or None,
    )


def _captions(exif: Image.Exif, comment: object, maker: str) -> Iterator[str]:
    texts = (
        text_of(exif.get(_DESCRIPTION)),
        _wide(exif.get(_XP_COMMENT)),
        _wide(exif.get(_XP_SUBJECT)),
        _comment(comment, exif.endian or "<"),
    )
    return filter(None, (caption_of(text, maker) for text in texts))


def _wide(value: object) -> str:
    """The text of a field of Windows, UTF-16 of the lower byte first."""
    content = _bytes(value)[:_LONGEST]
    return content.decode("utf-16-le", "ignore").partition("\0")[0]


def _comment(value: object, order: str) -> str:
    """The text of EXIF's UserComment, whose first eight bytes name its character set.

    Args:
        value: The field.
        order: "<" or ">", the order of bytes in the EXIF.
    """
    content = _bytes(value)[:_LONGEST]
    code, content = content[:8], content[8:]
    if code == b"UNICODE\0":
        return _unicode(content, order)
    if code == b"JIS\0\0\0\0\0":
        return content.decode("iso2022_jp", "ignore").strip("\0")
    if code == b"ASCII\0\0\0" or not code.strip(b"\0 "):
        text = text_of(content)
        return text if text.isprintable() or code.startswith(b"ASCII") else ""
    whole = code + content  # without the character set, which is not allowed
    return whole.decode() if whole.isascii() and whole.decode().isprintable() else ""


def _unicode(content: bytes, order: str) -> str:
    """UTF-16 in the order of the EXIF or in the other one: programs differ; UTF-8 occurs, too."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "ignore").partition("\0")[0]
    names = {"<": "utf-16-le", ">": "utf-16-be"}
    readings = [content.decode(names[each], "ignore") for each in (order, "><"[order == ">"])]
    if b"\0" not in content.rstrip(b"\0"):
        with suppress(UnicodeDecodeError):
            readings.append(content.decode("utf-8"))
    return min(readings, key=_strangeness).partition("\0")[0]


def _strangeness(text: str) -> tuple[int, int]:
    """How much a text looks as if its bytes were read in the wrong order.

    Then many letters do not exist, and their upper bytes scatter, which those of a script share.
    """
    letters = text.rstrip("\0")
    nonexistent = sum(category(letter) in ("Cn", "Co", "Cs") for letter in letters)
    return nonexistent, len({ord(letter) >> 8 for letter in letters})
