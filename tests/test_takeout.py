"""The JSON of Google Takeout."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.records import Annotation, Place
from pixquery.indexer.exif import Exif
from pixquery.indexer.takeout import takeout_of

WHOLE: dict[str, Any] = {
    "title": "IMG_1234.jpg",
    "description": "Anna's cake 🎂\nat home",
    "imageViews": "7",
    "creationTime": {"timestamp": "1700000000", "formatted": "Nov 14, 2023, 10:13:20 PM UTC"},
    "photoTakenTime": {"timestamp": "1563098400", "formatted": "Jul 14, 2019, 10:00:00 AM UTC"},
    "geoData": {"latitude": 38.7139, "longitude": -9.1394, "altitude": 0.0},
    "geoDataExif": {"latitude": 1.0, "longitude": 1.0},
    "people": [{"name": "Anna Müller"}, {"name": ""}, {"name": "Tom"}, {"name": "anna müller"}],
    "favorited": True,
    "url": "https://photos.google.com/photo/x",
    "googlePhotosOrigin": {"mobileUpload": {"deviceType": "ANDROID_PHONE"}},
}


def read(**changed: Any) -> tuple[Annotation, Exif]:
    return takeout_of(json.dumps(WHOLE | changed).encode())


def test_the_whole() -> None:
    annotation, exif = read()
    assert annotation == Annotation(
        caption="Anna's cake 🎂\nat home", people=("Anna Müller", "Tom"), rating=5
    )
    assert exif == Exif(taken=datetime(2019, 7, 14, 9), place=Place(38.7139, -9.1394))


def test_what_google_leaves_empty() -> None:
    nowhere = {"latitude": 0.0, "longitude": 0.0}
    annotation, exif = read(
        description="", people=[], favorited=False, geoData=nowhere, geoDataExif=nowhere
    )
    assert not annotation
    assert exif == Exif(taken=datetime(2019, 7, 14, 10))
    assert read(geoData=nowhere)[1].place == Place(1, 1)


def test_times() -> None:
    place = {"geoData": {"latitude": 35.7, "longitude": 139.7}}
    assert read(**place)[1].taken == datetime(2019, 7, 14, 19)
    assert read(photoTakenTime={"timestamp": "-86400"}, geoData=None, geoDataExif=None)[1] == Exif(
        taken=datetime(1969, 12, 31)
    )


@pytest.mark.parametrize(
    "changed",
    [{"description": 7}, {"description": ["a"]}, {"people": "Anna"}, {"people": [7, None, {}]},
     {"people": {"name": "Anna"}}, {"geoData": "here"}, {"geoData": {"latitude": "a"}},
     {"geoData": {"latitude": 91, "longitude": 0}}, {"geoData": {"latitude": 1}},
     {"geoData": {"latitude": 10**400, "longitude": 1}}, {"photoTakenTime": 7},
     {"photoTakenTime": {}}, {"photoTakenTime": {"timestamp": "9" * 100}},
     {"photoTakenTime": {"timestamp": "soon"}}, {"favorited": "yes"}, {"description": "\ud800"}],
    ids=str,
)  # fmt: skip
def test_other_types_and_numbers_are_left_out(changed: dict[str, Any]) -> None:
    read(**changed)
    for name in changed:
        assert name != "people" or not read(**changed)[0].people
        assert name != "description" or not read(**changed)[0].caption
        assert name != "photoTakenTime" or read(**changed)[1].taken is None
        assert name != "favorited" or read(**changed)[0].rating is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"[]", b"7", b"null", b"{", b"[" * 500_000, b'{"a":' * 150_000,
     b'{"geoData":' + b"9" * 900_000 + b"}", b'{"geoData":{"latitude":NaN,"longitude":1e999}}',
     json.dumps(WHOLE).encode() + b" " * 2**20, b'{"shapes": [], "version": "5.0", "description":'
     b' "a labelling tool\'s"}', bytes(range(256))],
    ids=range(13),
)  # fmt: skip
def test_what_is_not_googles_is_refused(content: bytes) -> None:
    assert takeout_of(content) == (Annotation(), Exif())


def test_other_encodings() -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        content = json.dumps(WHOLE, ensure_ascii=False).encode(encoding)
        assert takeout_of(content)[0].people == ("Anna Müller", "Tom")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["name", "latitude", "longitude", "timestamp"]), inner)
    ),
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(WHOLE, _JSON)))
def test_any_json(told: dict[str, Any]) -> None:
    takeout_of(json.dumps(told).encode())
