"""Damaged photos are used or refused; nothing else happens."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import UnreadableImage
from pixquery.indexer.decode import Photo, decode
from tests.photos import encoded, quarters

SIZE = 32


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_files_cut_off_anywhere_are_refused_or_whole(format_: str) -> None:
    whole = encoded(quarters(), format_)
    refused = 0
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        try:
            decode(whole[:length], SIZE)
        except UnreadableImage as error:
            refused += 1
            assert str(error)
    assert refused > 30


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"GIF89a", b"\xff\xd8\xff", b"%PDF-1.7\n", b"x" * 99]
)
def test_what_is_no_photo_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(content, SIZE)


def test_other_formats_that_pillow_knows_are_refused() -> None:
    for format_ in ("PPM", "ICO", "TGA", "EPS"):
        with pytest.raises(UnreadableImage, match="not a JPEG, PNG"):
            decode(encoded(quarters(), format_), SIZE)


_SMALL = {name: encoded(quarters((24, 16)), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP",
                                                               "TIFF")}  # fmt: skip


@given(
    format_=st.sampled_from(sorted(_SMALL)),
    changes=st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=4)), max_size=5),
)
@hypothesis_settings(max_examples=400)
def test_damage_anywhere_never_does_more_than_refuse(
    format_: str, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray(_SMALL[format_])
    for place, data in changes:
        place %= len(content)
        content[place : place + len(data)] = data
    try:
        photo = decode(bytes(content), SIZE)
    except UnreadableImage as error:
        assert str(error)
    else:
        assert isinstance(photo, Photo)
        assert photo.pixels.shape == (SIZE, SIZE, 3)
