"""The one way to open a photo's file."""

import io
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pixquery.commands.loading import photo_loader
from pixquery.db.errors import UnreadableImage
from pixquery.engine import photos
from pixquery.indexer.thumbnails import thumbnail_of
from tests.conftest import Invoke, square


def make_pipe(file: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes exist on POSIX only")
    os.mkfifo(file)


def make_device(file: Path) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero")
    file.symlink_to("/dev/zero")


def make_socket(file: Path) -> None:
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("sockets have names on POSIX only")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(file.parent)  # a socket's path must be short
        bound.bind(file.name)


def make_folder(file: Path) -> None:
    file.mkdir()


ODD: dict[str, Callable[[Path], None]] = {
    "pipe": make_pipe,
    "device": make_device,
    "socket": make_socket,
    "folder": make_folder,
}


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Something named like a photo that is not a regular file."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "x.jpg"
    ODD[request.param](file)
    return file


def test_a_file_is_read_with_its_state(tmp_path: Path) -> None:
    file = square(tmp_path / "red.png", "red")
    state, content = photos.read(file)
    assert (state.size, state.mtime_ns) == (len(content), file.stat().st_mtime_ns)
    assert content == file.read_bytes()


def test_only_regular_files_are_opened(odd: Path) -> None:
    for open_ in (photos.open_file, photos.read):
        with pytest.raises(OSError, match=r"not a regular file|No such device|directory|denied"):
            open_(odd)
    with pytest.raises(UnreadableImage):
        thumbnail_of(odd, 160)
    with pytest.raises(UnreadableImage, match=r"x\.jpg cannot be read \(.+\): name another photo"):
        photo_loader(8, "bicubic")(odd)


def test_no_command_waits_for_a_pipe(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = tmp_path / "library"
    assert invoke("index", squares, "--library", library, "--profile", colours).exit_code == 0
    red = next(squares.rglob("red.*"))
    red.unlink()
    make_pipe(red)
    page = tmp_path / "hits.html"
    sheet = invoke("query", "red", "--library", library, "--sheet", page)
    assert sheet.exit_code == 0, sheet.output
    assert "cannot be read: not a regular file" in page.read_text("utf-8")
    like = invoke("query", "--like", red, "--library", library)
    assert like.exit_code == 1
    assert "cannot be read (not a regular file): name another photo" in like.output


def test_large_files_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    file.touch()
    os.truncate(file, photos.MAX_BYTES + 1)
    with pytest.raises(UnreadableImage, match=r"536,870,913 bytes are more than the 512 MB"):
        photos.read(file)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links can be refused on POSIX only")
def test_links_can_be_refused(tmp_path: Path) -> None:
    file = square(tmp_path / "red.png", "red")
    link = tmp_path / "link.png"
    link.symlink_to(file)
    assert photos.read(link).content == file.read_bytes()
    with pytest.raises(OSError, match="symbolic links"):
        photos.read(link, follow_link=False)
    assert photos.read(file, follow_link=False).content == file.read_bytes()


def test_thumbnails_have_the_longer_side(tmp_path: Path) -> None:
    file = square(tmp_path / "red.png", "red", size=(640, 320))
    with Image.open(io.BytesIO(thumbnail_of(file, 160))) as image:
        assert (image.format, image.size) == ("JPEG", (160, 80))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"", "the file is empty"), (b"<svg/>", "not a JPEG")],
)
def test_a_thumbnail_fails_with_the_reason_alone(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnreadableImage, match=f"^{reason}"):
        thumbnail_of(file, 160)


def test_fingerprints_of_bytes_and_files_are_the_same() -> None:
    content = os.urandom(3 << 20)
    assert photos.fingerprint_of(io.BytesIO(content)) == photos.fingerprint(content)
    file = io.BytesIO(content)
    file.seek(5)
    assert photos.fingerprint_of(file) == photos.fingerprint(content[5:])


def test_hints_are_recognised_and_prove_nothing() -> None:
    content = os.urandom(3 << 20)
    assert len(photos.fingerprint(content)) == 32
    assert not photos.is_hint(photos.fingerprint(content))
    assert photos.is_hint(photos.hint(content))
    for noted in (photos.fingerprint(content), photos.hint(content)):
        assert photos.resembles(io.BytesIO(content), noted)
        assert not photos.resembles(io.BytesIO(content[:-1]), noted)


def test_fingerprints_and_hints_are_those_of_their_authors() -> None:
    # The first test vectors of BLAKE3 and of xxHash.
    assert photos.fingerprint(b"").hex() == (
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    )
    assert photos.hint(b"").hex() == "99aa06d3014798d86001c324468d497f"
