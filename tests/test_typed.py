"""What counts as the owner's words, and how they are made legible."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.indexer.typed import (
    caption_of,
    distinct,
    keyword_of,
    label_of,
    line_of,
    title_of,
)

JUNK = (
    "OLYMPUS DIGITAL CAMERA", "OLYMPUS DIGITAL CAMERA         ", "KONICA MINOLTA DIGITAL CAMERA",
    "MINOLTA DIGITAL CAMERA", "SAMSUNG DIGITAL CAMERA", "JENOPTIK DIGITAL CAMERA",
    "KODAK Digital Still Camera", "Digital Camera", "DIGITAL IMAGE", "SONY DSC", "SAMSUNG", "DSC",
    "Samsung Camera Pictures", "Exif_JPEG_PICTURE", "Exif_JPEG_420", "Exif_JPEG_422", "Exif JPEG",
    "Exif_JPEG_420-freed", "<Digimax S500 / Kenox S500 / Digimax Cyber 530>", "<KENOX S630>",
    "DCIM\\100MEDIA\\DJI_0001.JPG", "DCIM/100MEDIA/DJI_0001.jpg", "C:\\photos\\a b.png",
    "IMG_1234.JPG", "default", "untitled", "Screenshot", "x-default", "ASCII", "charset=Ascii x",
    "My beautiful picture", "AppleMark", "AppleMark\n", "Hisilicon K3", "User comments",
    "Processed with VSCO with c1 preset", "Created with GIMP", "Edited with Snapseed",
    "LEAD Technologies Inc. V1.01", "Intel(R) JPEG Library, version 1,5,4,36",
    "File written by Adobe Photoshop\u00a8 4.0", "{\"exposure\": 1, \"mode\": \"night\"}",
    "filter: 0; fileterIntensity: 0.0; filterMask: 0; captureOrientation: 0;",
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 99", "0xdeadbeef01", "5f3a9c2b77",
    "", " ", ".", "....", "- - -", "\0\0\0", "\t\r\n", "???", "\u200b",
)  # fmt: skip
WORDS = (
    "Anna", "42", "Lisboa, Portugal", "My new digital camera", "A samsung phone on the table",
    "Auto", "Nor", "cof", "The Olympus digital camera that Grandpa gave me", "2019", "🎂", "❤️",
    "B/W", "Exit", "At camp: tent; fire; stars", "IMG_1234.JPG is the one that I like",
    "a < b > c", "DSC in the club", "Untitled No. 4", "東京", "שלום", "مرحبا", "Ünïcödé", "é.",
    "Created with love by Anna", "Digitalkamera", "Anna's photos / Tom's photos", "1/2",
)  # fmt: skip


@pytest.mark.parametrize("text", JUNK)
def test_what_cameras_and_programs_write_is_left_out(text: str) -> None:
    assert caption_of(text) == ""
    assert title_of(text) == ""


@pytest.mark.parametrize("text", WORDS)
def test_what_people_write_is_kept(text: str) -> None:
    assert caption_of(text) == text
    assert title_of(text) == text


@pytest.mark.parametrize(
    "text", ["IMG_1234", "DSC00001", "DSCF0001", "DSCN1234", "P1010001", "PXL_20230714_101112345",
             "DJI_0001", "Screenshot_20230714-101112", "IMG-20190714-WA0001", "img1234"],
)  # fmt: skip
def test_the_name_of_a_file_is_no_title(text: str) -> None:
    assert title_of(text) == ""
    assert caption_of(text) == text


def test_codes_of_a_maker_are_left_out_of_its_photos_alone() -> None:
    for code in ("cof", "oznor", "cof_soft", "sdr_HDRB", "edf", "rhdr"):
        assert caption_of(code, "HUAWEI") == title_of(code, "Honor") == ""
        assert caption_of(code, "Canon") == code
    assert caption_of("Cof with Anna", "HUAWEI") == "Cof with Anna"


def test_lines_of_a_caption_stay_and_blanks_do_not() -> None:
    assert caption_of("  One \t two \r\n three\rfour\u2028five\n\n\n\nsix \n") == (
        "One two\nthree\nfour\nfive\n\nsix"
    )
    assert title_of(" One \n\t two ") == "One two"
    assert keyword_of("\u00a0New\u2003York\0 ") == "New York"


def test_what_cannot_be_seen_or_stored_goes() -> None:
    assert line_of("\ufeffa\0b\x1bc\x07\x85\ud800d\uffff") == "abc d"
    assert line_of("👩‍👩‍👧 می‌خواهم \u202babc\u202c") == "👩‍👩‍👧 می‌خواهم \u202babc\u202c"
    assert line_of("e\u0301") == "é"


def test_lengths() -> None:
    assert len(caption_of("x " * 50_000)) <= 10_000
    assert len(title_of("x" * 50_000)) == 1000
    assert len(keyword_of("y" * 50_000)) == 500
    assert len(line_of("\u0301" * 50_000)) <= 500


def test_a_label_that_is_none() -> None:
    assert [label_of(text) for text in (" Red ", "None", "", "Zu tun")] == ["Red", "", "", "Zu tun"]


def test_what_differs_in_case_alone_counts_once() -> None:
    assert distinct(["Anna", "", "ANNA", "Tom", "straße", "STRASSE"], 9) == (
        "Anna", "Tom", "straße",
    )  # fmt: skip
    assert distinct(map(str, range(100)), 3) == ("0", "1", "2")


@given(st.text(st.characters()))
def test_any_text_becomes_one_that_can_be_stored(text: str) -> None:
    for cleaned in (line_of(text), keyword_of(text), title_of(text), caption_of(text)):
        assert cleaned.encode().decode() == cleaned == normalize("NFC", cleaned).strip()
        assert "\0" not in cleaned
    assert "\n" not in title_of(text) + keyword_of(text)
    assert line_of(line_of(text)) == line_of(text)
    assert caption_of(caption_of(text)) == caption_of(text)
