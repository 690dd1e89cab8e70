"""The one way to open a photo's file."""

import io
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pixquery.commands.loading import photo_loader
from pixquery.db.errors import UnreadableImage
from pixquery.db.records import FileState
from pixquery.engine import photos
from pixquery.indexer.thumbnails import thumbnail_of
from tests.conftest import Invoke, square
from tests.photos import recorded


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
        thumbnail_of(recorded(odd), 160)
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


# -- below a folder ---------------------------------------------------------------------------

below = pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="POSIX has folders as descriptors")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A photo at ``root/a/b/red.png``, and a private one beside the root."""
    square(tmp_path / "private" / "b" / "red.png", "blue")
    return square(tmp_path / "root" / "a" / "b" / "red.png", "red")


@below
def test_below_a_folder_no_link_is_followed(deep: Path, tmp_path: Path) -> None:
    root, content = tmp_path / "root", deep.read_bytes()
    assert photos.read_below(root, deep).content == content
    link = tmp_path / "link"  # the folder itself may be one
    link.symlink_to(root)
    assert photos.read_below(link, link / "a" / "b" / "red.png").content == content
    deep.rename(deep.with_name("other.png"))
    deep.symlink_to(deep.with_name("other.png"))
    assert photos.read(deep).content == content
    with pytest.raises(OSError, match="symbolic links are not followed"):
        photos.read_below(root, deep)


@below
@pytest.mark.parametrize("place", ["a", "a/b"])
@pytest.mark.parametrize("relative", [True, False])
def test_no_folder_on_the_way_is_a_link(
    place: str, relative: bool, deep: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / place).rename(tmp_path / "away")
    target = tmp_path / "private" / ("" if place == "a" else "b")
    (root / place).symlink_to(
        os.path.relpath(target, (root / place).parent) if relative else target
    )
    assert photos.read(deep).content == (tmp_path / "private" / "b" / "red.png").read_bytes()
    with pytest.raises(OSError, match="symbolic links are not followed") as refused:
        photos.read_below(root, deep)
    assert refused.value.filename == str(deep)


@below
def test_a_folder_that_was_replaced_is_noticed(deep: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    identity = photos.identity_of(root.stat())
    assert photos.read_below(root, deep, identity).content == deep.read_bytes()
    root.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        photos.read_below(root, deep, identity)
    shutil.copytree(tmp_path / "away", root)
    with pytest.raises(OSError, match="another folder has taken the place"):
        photos.read_below(root, deep, identity)
    (root / "a").rename(root / "c")
    (root / "a").touch()
    with pytest.raises(NotADirectoryError):
        photos.read_below(root, deep)


def test_a_file_found_through_a_link_is_still_that_file(deep: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(deep)
    identity = photos.identity_of(link.stat())
    assert photos.read(link, identity).content == deep.read_bytes()
    link.unlink()
    link.symlink_to(tmp_path / "private" / "b" / "red.png")
    with pytest.raises(OSError, match="another file has taken its place"):
        photos.read(link, identity)


def test_open_files_are_closed_again(deep: Path, tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux's /proc")
    before = os.listdir("/proc/self/fd")
    (tmp_path / "root" / "a" / "link").symlink_to("b")
    record = recorded(deep)
    photos.open_indexed(record).close()
    for act in (
        lambda: photos.read_below(tmp_path / "root", deep),
        lambda: photos.read_below(tmp_path / "root", deep, (0, 1)),
        lambda: photos.read_below(tmp_path / "root", deep.parent.with_name("link") / "red.png"),
        lambda: photos.read_below(tmp_path / "root", deep.with_name("none.png")),
        lambda: photos.read_indexed(replace(record, content=b"other")),
        lambda: photos.open_indexed(replace(record, content=b"other")),
        lambda: photos.open_indexed(replace(record, state=FileState(1, 0))),
    ):
        with suppress(OSError, UnreadableImage):
            act()
    assert os.listdir("/proc/self/fd") == before


def test_a_name_with_nul_is_no_files() -> None:
    for read in (photos.read, photos.open_file):
        with pytest.raises(OSError, match="null"):
            read(Path("a\0b"))


# -- what was indexed -------------------------------------------------------------------------


def test_only_what_was_indexed_is_shown(deep: Path, tmp_path: Path) -> None:
    record, content = recorded(deep), deep.read_bytes()
    os.utime(deep, (1, 1))  # touched, and the same
    assert photos.read_indexed(record) == content
    with photos.open_indexed(record) as file:
        assert file.read() == content
    changed = bytes([content[0] ^ 1]) + content[1:]
    for other in (changed, content + b"!", content[:-1], b""):
        deep.write_bytes(other)
        for read in (photos.read_indexed, photos.open_indexed):
            with pytest.raises(UnreadableImage, match=r"^it has changed since it was indexed$"):
                read(record)
        with pytest.raises(UnreadableImage, match="changed since it was indexed"):
            thumbnail_of(record, 160)
    (tmp_path / "kept.png").write_bytes(content)
    deep.unlink()
    deep.symlink_to(tmp_path / "kept.png")  # a link, to the very photo
    assert photos.read_indexed(record) == content
    with pytest.raises(UnreadableImage, match="not in the library any more"):
        thumbnail_of(None, 160)


PRIVATE = ("replaced by a link", "replaced by a pipe", "in a folder replaced by a link", "grown")


@pytest.mark.parametrize("harm", PRIVATE)
def test_no_command_shows_what_was_put_there_later(
    harm: str, tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library, page = tmp_path / "library", tmp_path / "hits.html"
    photo = square(squares / "sub" / "scarlet.png", (255, 1, 1))
    assert invoke("index", squares, "--library", library, "--profile", colours).exit_code == 0
    private = square(tmp_path / "private" / "scarlet.png", (255, 2, 2))
    private.write_bytes(private.read_bytes().ljust(photo.stat().st_size, b"\0"))
    if harm == "in a folder replaced by a link":
        photo.parent.rename(tmp_path / "away")
        photo.parent.symlink_to(private.parent, target_is_directory=True)
    else:
        photo.unlink()
        if harm == "grown":
            photo.touch()
            os.truncate(photo, 20 << 30)
        else:
            make_pipe(photo) if "pipe" in harm else photo.symlink_to(private)
    words = ("query", "red", "--library", library, "--path", "*scarlet*")
    sheet = invoke(*words, "--sheet", page)
    assert sheet.exit_code == 0, sheet.output
    assert "<img" not in page.read_text("utf-8")
    reason = "not a regular file" if "pipe" in harm else "it has changed since it was indexed"
    assert f"cannot be read: {reason}" in page.read_text("utf-8")
    opened = invoke(*words, "--open", "1")
    assert ("not a regular file" in opened.output) == ("pipe" in harm)


def test_thumbnails_have_the_longer_side(tmp_path: Path) -> None:
    file = square(tmp_path / "red.png", "red", size=(640, 320))
    with Image.open(io.BytesIO(thumbnail_of(recorded(file), 160))) as image:
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
        thumbnail_of(recorded(file), 160)


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


def test_no_file_beside_the_photos_is_waited_for(
    tmp_path: Path, place: Path, invoke: Invoke
) -> None:
    pipe = tmp_path / "pipe.pth"
    make_pipe(pipe)
    added = invoke("models", "add", "x", "--image", pipe, "--text", pipe, "--library", place)
    assert added.exit_code == 1
    assert "not a regular file" in added.output
    assert invoke("policy", "on", "--library", place).exit_code == 0
    (place / "stop-words.txt").unlink()
    make_pipe(place / "stop-words.txt")
    asked = invoke("query", "red", "--library", place)
    assert asked.exit_code == 1
    assert "stop-words.txt cannot be read (not a regular file)" in asked.output
