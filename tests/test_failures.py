"""Decodings that fail: what is damage, what is tried again, and that nothing else is lost."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.errors import PhotoFailed, UnreadableImage
from pixquery.db.records import Floats, Pixels
from pixquery.engine.encoders import PhotoEncoder
from pixquery.engine.legible import named
from pixquery.engine.profile import Profile
from pixquery.indexer.build import Options, index
from pixquery.indexer.damage import is_damage
from pixquery.indexer.decode import decode, thumbnail
from pixquery.indexer.reading import submitted
from pixquery.web.reader import Reader
from tests.comparing import counts, stems
from tests.conftest import REPOSITORY, Invoke, NewLibrary, parsed, square
from tests.photos import encoded, quarters
from tests.web.conftest import client_of

AGAIN = "it is tried again at the next index"


def refuse(error: BaseException) -> Callable[..., Any]:
    def raise_(*_: object) -> Any:
        raise error

    return raise_


def plugin(error: BaseException) -> type[ImageFile.ImageFile]:
    """A plug-in decoder, as a package of its own would bring it, that fails while it decodes."""

    class Failing(ImageFile.ImageFile):
        format = "GIF"
        format_description = "a GIF of another make"

        def _open(self) -> None:
            self._size, self._mode, self.tile = (24, 16), "RGB", []

        def load(self) -> Any:
            raise error

    return Failing


@pytest.fixture
def broken_gif(request: pytest.FixtureRequest) -> Iterator[BaseException]:
    """Another decoder for GIF is registered with Pillow, and fails."""
    error: BaseException = request.param
    Image.preinit()
    before = Image.OPEN["GIF"]
    Image.register_open("GIF", plugin(error), lambda start: start.startswith(b"GIF8"))
    yield error
    Image.OPEN["GIF"] = before


class Panic(BaseException):
    """What a decoder in Rust raises if it panics is no Exception."""


NOT_DAMAGE = [
    MemoryError(),
    OSError(5, "Input/output error"),
    OSError(24, "Too many open files"),
    FileNotFoundError(2, "No such file or directory"),
    RecursionError("maximum recursion depth exceeded"),
    OSError("out of memory when reading image file"),
    AssertionError(),
    NameError("name 'x' is not defined"),
    ImportError("no decoder"),
    Panic("index out of bounds"),
]


@pytest.mark.parametrize("broken_gif", NOT_DAMAGE, indirect=True, ids=repr)
def test_what_is_not_the_files_fault_is_tried_again(
    broken_gif: BaseException, new_library: NewLibrary, squares: Path
) -> None:
    (gif,) = squares.rglob("*.gif")
    library = new_library()
    for round_ in (7, 0):
        report = index(library, [squares])
        assert report.added == round_
        (skip,) = report.skipped
        assert skip.path == gif
        assert named(broken_gif) in skip.reason
        assert skip.reason.endswith(AGAIN)
        assert "damaged" not in skip.reason
    with pytest.raises(PhotoFailed) as failed:
        decode(gif.read_bytes(), 8)
    assert failed.value.__cause__ is broken_gif
    Image.preinit()


def test_a_photo_is_indexed_once_its_decoder_works(new_library: NewLibrary, squares: Path) -> None:
    (gif,) = squares.rglob("*.gif")
    library = new_library()
    Image.preinit()
    before = Image.OPEN["GIF"]
    Image.register_open("GIF", plugin(MemoryError()), lambda start: start.startswith(b"GIF8"))
    try:
        assert counts(index(library, [squares])) == {"added": 7}
        assert index(library, [squares]).skipped[0].path == gif
    finally:
        Image.OPEN["GIF"] = before
    report = index(library, [squares])
    assert (counts(report), report.skipped) == ({"added": 1, "unchanged": 7}, ())
    assert stems(library, gif.stem) == [gif.stem]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_what_ends_the_program_ends_it(stop: BaseException) -> None:
    Image.preinit()
    before = Image.OPEN["GIF"]
    Image.register_open("GIF", plugin(stop), lambda start: start.startswith(b"GIF8"))
    try:
        with pytest.raises(type(stop)):
            decode(encoded(quarters(), "GIF"), 8)
    finally:
        Image.OPEN["GIF"] = before


def test_damage_is_remembered(library: Library, squares: Path) -> None:
    whole = encoded(quarters(), "JPEG")
    (squares / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    first = index(library, [squares])
    assert "damaged or cut off" in first.skipped[0].reason
    looked_at = (squares / "cut.jpg").stat().st_atime_ns
    assert index(library, [squares]).skipped == first.skipped
    assert (squares / "cut.jpg").stat().st_atime_ns == looked_at


# -- where an error comes from --------------------------------------------------------------------


def caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - any
        return error
    raise AssertionError("nothing was raised")


def test_errors_of_decoders_are_damage_and_ours_are_not() -> None:
    image = Image.new("RGB", (8, 8))
    assert is_damage(caught(lambda: Image.open(io.BytesIO(b"GIF89a"))))
    assert is_damage(caught(Image.open(io.BytesIO(encoded(quarters())[:-40])).load))
    assert not is_damage(caught(lambda: image.convert("no such mode")))  # a ValueError in Pillow
    assert not is_damage(caught(lambda: image.resize((2, 2), 99)))
    assert not is_damage(caught(lambda: decode(encoded(image), "8")))  # type: ignore[arg-type]
    assert not is_damage(ValueError("raised by nobody"))


def test_a_defect_of_ours_is_not_damage() -> None:
    content = encoded(quarters())
    with pytest.raises(PhotoFailed, match=r"^could not be decoded: TypeError: "):
        decode(content, "8")  # type: ignore[arg-type]
    with pytest.raises(PhotoFailed, match="TypeError"):
        thumbnail(content, None)  # type: ignore[arg-type]
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(content[:-40], 8)


# -- encoders ---------------------------------------------------------------------------------


class Picky:
    """An image encoder that fails on dark photos."""

    def __init__(self, encoder: PhotoEncoder, error: Exception) -> None:
        self.size, self.dimension = 8, 3
        self._encoder, self._error = encoder, error

    def encode(self, pixels: Pixels) -> Floats:
        if (abs(pixels.mean((1, 2, 3)) - 9) < 3).any():
            raise self._error
        return self._encoder.encode([(photo,) for photo in pixels])


class PickyProfile(Profile):
    """A profile whose device fails on dark photos."""

    error: Exception

    def photos_on(self, device: str) -> PhotoEncoder:
        return PhotoEncoder([Picky(super().photos_on(device), self.error)])


@pytest.mark.parametrize("error", [RuntimeError("[GPU] out of resources\nat x.cpp"), MemoryError()])
@pytest.mark.parametrize("batch", [1, 3, 32])
def test_a_photo_that_cannot_be_encoded_costs_no_other(
    error: Exception, batch: int, new_library: NewLibrary, squares: Path
) -> None:
    square(squares / "dark.png", (9, 9, 9))
    library = new_library()
    sound = library.profile
    library.profile = PickyProfile(sound.folder, sound.manifest, sound.quality)
    library.profile.error = error
    for added in (8, 0):
        report = index(library, [squares], Options(batch_size=batch))
        assert report.added == added
        (skip,) = report.skipped
        assert skip.path.name == "dark.png"
        assert skip.reason == f"could not be encoded: {named(error)}: {AGAIN}"
    library.profile = sound
    report = index(library, [squares])
    assert (counts(report), report.skipped) == ({"added": 1, "unchanged": 8}, ())
    for colour in ("red", "green", "blue"):
        assert stems(library, colour) == [colour]


# -- a system that is out of something ------------------------------------------------------------

_CHILD = """
import json, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pixquery import Library
from pixquery.indexer.build import Options, index
from pixquery.indexer.decode import decode

library, photos, kind, limit = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
with Library.open(library) as opened:
    content = next(photos.rglob("red.*")).read_bytes()
    opened.profile.photos.encode([decode(content, *opened.profile.sizes).scales])
    opened.index  # loads FAISS
    if kind == "RLIMIT_AS":
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit += size
    resource.setrlimit(getattr(resource, kind), (limit, limit))
    report = index(opened, [photos], Options(jobs=2))
    print(json.dumps([report.added, [[str(s.path), s.reason] for s in report.skipped]]))
"""


def limited(library: Path, photos: Path, kind: str, limit: int) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(library), str(photos), kind, str(limit)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")
def test_out_of_memory_is_no_damage(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = tmp_path / "library"
    large = squares / "large.png"
    Image.new("RGB", (11_000, 11_000), "yellow").save(large, compress_level=1)  # takes 484 MB
    (tmp_path / "other").mkdir()
    square(tmp_path / "other" / "one.png", "red")
    invoke("index", tmp_path / "other", "--library", library, "--profile", colours)
    added, skipped = limited(library, squares, "RLIMIT_AS", 300 * 2**20)
    assert (added, [path for path, _ in skipped]) == (8, [str(large)])
    assert "there was not enough memory (MemoryError)" in skipped[0][1]
    assert skipped[0][1].endswith(AGAIN)
    again = parsed(invoke("index", squares, "--library", library, "--json"))
    assert (again["added"], again["skipped"]) == (1, [])


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")
def test_out_of_files_loses_no_photo(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = tmp_path / "library"
    (tmp_path / "other").mkdir()
    square(tmp_path / "other" / "one.png", "red")
    invoke("index", tmp_path / "other", "--library", library, "--profile", colours)
    for number in range(40):
        square(squares / f"{number}.png", (number, 2 * number, 99))
    held = len(os.listdir("/proc/self/fd"))
    for limit in range(held + 4, held + 30, 5):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(library), str(squares), "RLIMIT_NOFILE", str(limit)],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            for _, reason in json.loads(done.stdout)[1]:
                assert reason.endswith(AGAIN)
        else:
            assert "StorageFailed" in done.stderr or "BadRoot" in done.stderr, done.stderr
    report = parsed(invoke("index", squares, "--library", library, "--json"))
    assert report["skipped"] == []
    assert report["images"] == 49
    assert np.isfinite(report["seconds"])


def test_without_another_thread_the_work_is_done_in_this_one() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()  # as if the system started no more: a RuntimeError for any work
    assert submitted(pool, divmod, 17, 5).result() == (3, 2)


def test_a_photo_that_cannot_be_stored_costs_no_other(
    new_library: NewLibrary, squares: Path
) -> None:
    class Narrow(Catalog):
        """A catalogue whose database refuses one of the photos."""

        def put(self, root_id: int, records: Any, raw: Any, encoder: str) -> list[int]:
            if any(record.path.stem == "red" for record in records):
                raise OverflowError("Python int too large to convert to SQLite INTEGER")
            return super().put(root_id, records, raw, encoder)

    library = new_library()
    library.catalog.close()
    library.catalog = Narrow(library.catalog.file)
    for added in (7, 0):
        report = index(library, [squares])
        assert report.added == added
        assert [skip.path.stem for skip in report.skipped] == ["red"]
        assert "could not be stored: OverflowError: Python int" in report.skipped[0].reason


@pytest.mark.parametrize("broken_gif", [MemoryError(), NameError("gone")], indirect=True, ids=repr)
def test_no_command_takes_a_failure_for_damage(
    broken_gif: BaseException, tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    (gif,) = squares.rglob("*.gif")
    library = tmp_path / "library"
    assert invoke("index", squares, "--library", library, "--profile", colours).exit_code == 0
    table = tmp_path / "pairs.csv"
    table.write_text(f"image,text\n{gif},red\n")
    for command in (["score", table], ["query", "--like", gif]):
        done = invoke(*command, "--library", library)
        assert done.exit_code == 1
        assert f"{gif} could not be decoded: {named(broken_gif)}: try again" in done.output
    red = next(squares.rglob("red.*"))
    taught = invoke("models", "teach", "thing", red, gif, "--library", library)
    assert taught.exit_code == 1
    assert named(broken_gif) in taught.output
    with client_of(Reader(library)) as client:
        for content, status in ((gif.read_bytes(), 500), (b"\xff\xd8\xff", 422), (b"no", 422)):
            response = client.post("/api/search?k=1", files={"photo": ("a.gif", content)})
            assert response.status_code == status, response.text


def test_a_library_is_drawn_without_the_photo_that_fails(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXQUERY_CACHE", str(tmp_path / "cache"))  # other tests draw these, too
    library, page = tmp_path / "library", tmp_path / "hits.html"
    made = invoke("index", squares, "--library", library, "--profile", colours, "--no-thumbnails")
    assert made.exit_code == 0
    Image.preinit()
    before = Image.OPEN["GIF"]
    Image.register_open("GIF", plugin(MemoryError()), lambda start: start.startswith(b"GIF8"))
    try:
        drawn = invoke("query", "red", "--library", library, "--sheet", page)
        assert drawn.exit_code == 0, drawn.output
        assert page.read_text("utf-8").count("<img") == 7
        assert "could not be decoded: there was not enough memory" in page.read_text("utf-8")
        with client_of(Reader(library)) as client:
            hits = client.get("/api/search?k=8").json()["hits"]
            (gif,) = (hit["id"] for hit in hits if hit["name"].endswith(".gif"))
            assert client.get(f"/api/images/{gif}/thumbnail").status_code == 500
            assert client.get(f"/api/images/{gif}/file").status_code == 200
    finally:
        Image.OPEN["GIF"] = before
