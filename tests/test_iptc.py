"""What the owner wrote in IPTC's fields."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.records import Annotation
from pixquery.indexer.iptc import words_of

UTF_8 = (1, 90, b"\x1b%G")


def fields(*written: tuple[int, int, bytes]) -> bytes:
    return b"".join(
        b"\x1c" + struct.pack(">BBH", record, number, len(value)) + value
        for record, number, value in written
    )


def test_every_field() -> None:
    data = fields(
        UTF_8, (2, 0, b"\0\4"), (2, 5, "Tür".encode()), (2, 25, b"Lisbon"),
        (2, 25, "Zug 🚂".encode()), (2, 25, b"LISBON"), (2, 90, b"Lisboa"), (2, 92, b"Alfama"),
        (2, 95, b"Lisboa District"),
        (2, 101, b"Portugal"), (2, 120, b"Two\rlines"), (2, 122, b"writer"), (2, 80, b"by-line"),
    )  # fmt: skip
    assert words_of(data) == Annotation(
        title="Tür",
        caption="Two\nlines",
        keywords=("Lisbon", "Zug 🚂"),
        location=("Alfama", "Lisboa", "Lisboa District", "Portugal"),
    )


@pytest.mark.parametrize(
    ("character_set", "value", "text"),
    [
        (b"\x1b%G", "Müller".encode(), "Müller"),
        (b"\x1b%G", b"M\xfcller", "M\ufffdller"),
        (b"", "Müller".encode(), "Müller"),
        (b"", b"M\xfcller", "Müller"),
        (b"\x1b.A", b"M\xfcller", "Müller"),
        (b"", b"5 \x80", "5 €"),
        (b"", b"Anna\0\0", "Anna"),
    ],
)
def test_character_sets(character_set: bytes, value: bytes, text: str) -> None:
    assert words_of(fields((1, 90, character_set), (2, 25, value))).keywords == (text,)


def test_headline_stands_in_for_a_title_that_a_camera_wrote() -> None:
    data = fields((2, 5, b"OLYMPUS DIGITAL CAMERA"), (2, 105, b"Harvest"), (2, 120, b"cof"))
    assert words_of(data, "HUAWEI") == Annotation(title="Harvest")


def test_a_long_caption() -> None:
    long = b"x" * 40_000
    extended = b"\x1c\2\x78\x80\4" + struct.pack(">I", len(long)) + long
    assert words_of(extended + fields((2, 5, b"After"))) == Annotation(
        title="After", caption="x" * 10_000
    )


def test_too_many_fields() -> None:
    data = fields(*((2, 25, b"%d" % number) for number in range(100_000)))
    assert len(words_of(data).keywords) == 1000


@pytest.mark.parametrize(
    "tail", [b"\x1c", b"\x1c\2\5", b"\x1c\2\5\xff\xff", b"\x1c\2\5\x80\4\xff\xff\xff\xff", b"junk"]
)
def test_what_is_cut_off_costs_nothing_before_it(tail: bytes) -> None:
    assert words_of(fields((2, 25, b"Lisbon")) + tail).keywords == ("Lisbon",)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    words_of(data)
    words_of(b"\x1c\2" + data)
