"""The owner's words in an indexing: of new photos, of changed sidecars, of earlier libraries."""

import io
import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from pixquery.db.metadata import ANNOTATED, Noted
from pixquery.db.records import Annotation, Place
from pixquery.engine.library import Library
from pixquery.indexer.build import index
from pixquery.indexer.metadata import metadata_in, metadata_of
from pixquery.indexer.report import IndexReport
from tests.conftest import Invoke, NewLibrary, square
from tests.photos import encoded
from tests.test_annotations import HARVEST, PACKET, in_xmp, jpeg, with_xmp
from tests.test_xmp_words import array, packet


def written(folder: Path, name: str, words: str = "", colour: str = "red") -> Path:
    """A photo, with an XMP packet that has this keyword."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    content = encoded(Image.new("RGB", (32, 32), colour), "JPEG", exif=exif)
    if words:
        content = content[:2] + in_xmp(packet(array("dc:subject", [words]))) + content[2:]
    file.write_bytes(content)
    return file


def sidecar(photo: Path, keyword: str, name: str = "") -> Path:
    file = photo.with_name(name or f"{photo.name}.xmp")
    file.write_bytes(packet(array("dc:subject", [keyword])))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


@pytest.fixture
def library(new_library: NewLibrary) -> Library:
    return new_library()


def run(library: Library, folder: Path, *, encoding: bool = False) -> IndexReport:
    """Brings the library up to date; fails if a photo is encoded that must not be."""
    report = index(library, [folder])
    assert not report.skipped
    assert bool(report.pace.photos) == encoding
    return report


def keywords(library: Library) -> dict[str, tuple[str, ...]]:
    """The keywords of each photo that has an annotation, by the photo's name."""
    found = library.catalog.annotations(list(range(1, 50)))
    records = library.catalog.records(list(found))
    return {records[image_id].path.name: own.keywords for image_id, own in found.items()}


# -- new and changed photos ---------------------------------------------------------------------


def test_new_photos(library: Library, folder: Path) -> None:
    written(folder, "a.jpg", "Lisbon")
    sidecar(written(folder, "b.jpg", "Porto", "blue"), "Faro")
    written(folder, "c.jpg", colour="lime")
    report = run(library, folder, encoding=True)
    assert (report.added, report.described, report.passed_over) == (3, 0, 0)
    assert keywords(library) == {"a.jpg": ("Lisbon",), "b.jpg": ("Faro", "Porto")}
    revision = library.catalog.metadata_revision
    assert run(library, folder).described == 0
    assert library.catalog.metadata_revision == revision


def test_a_changed_photo(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    run(library, folder, encoding=True)
    written(folder, "a.jpg", "Porto")
    assert run(library, folder, encoding=True).updated == 1
    assert keywords(library) == {"a.jpg": ("Porto",)}
    written(folder, photo.name)
    run(library, folder, encoding=True)
    assert keywords(library) == {}


def test_a_photo_and_its_sidecar_that_move(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    beside = sidecar(photo, "Faro")
    run(library, folder, encoding=True)
    (folder / "new").mkdir()
    photo.rename(folder / "new" / "b.jpg")
    beside.rename(folder / "new" / "b.jpg.xmp")
    assert run(library, folder).moved == 1
    assert keywords(library) == {"b.jpg": ("Faro", "Lisbon")}
    (folder / "new" / "b.jpg").rename(folder / "c.jpg")
    assert run(library, folder).moved == 1
    assert keywords(library) == {"c.jpg": ("Lisbon",)}
    assert run(library, folder).described == 0


def test_a_copy_has_its_own_sidecar(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    sidecar(photo, "Faro")
    run(library, folder, encoding=True)
    (folder / "copy.jpg").write_bytes(photo.read_bytes())
    assert run(library, folder).added == 1
    assert keywords(library) == {"a.jpg": ("Faro", "Lisbon"), "copy.jpg": ("Lisbon",)}


def test_a_touched_photo(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    run(library, folder, encoding=True)
    os.utime(photo, (1, 1))
    sidecar(photo, "Faro")
    run(library, folder)
    assert keywords(library) == {"a.jpg": ("Faro", "Lisbon")}


# -- sidecars that change -----------------------------------------------------------------------


def test_a_sidecar_that_comes_changes_and_goes(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    written(folder, "b.jpg", colour="blue")
    run(library, folder, encoding=True)
    beside = sidecar(photo, "Faro")
    assert run(library, folder).described == 1
    assert keywords(library) == {"a.jpg": ("Faro", "Lisbon")}
    sidecar(photo, "Albufeira")
    assert run(library, folder).described == 1
    assert keywords(library) == {"a.jpg": ("Albufeira", "Lisbon")}
    beside.unlink()
    assert run(library, folder).described == 1
    assert keywords(library) == {"a.jpg": ("Lisbon",)}
    assert run(library, folder).described == 0


def test_one_sidecar_of_two_photos(library: Library, folder: Path) -> None:
    for name, colour in (("a.jpg", "red"), ("a.png", "blue"), ("b.jpg", "green")):
        square(folder / name, colour)
    sidecar(folder / "a.jpg", "Faro", "a.xmp")
    run(library, folder, encoding=True)
    assert keywords(library) == {"a.jpg": ("Faro",), "a.png": ("Faro",)}


def test_takeout_tells_time_and_place(library: Library, folder: Path) -> None:
    photo = written(folder, "a.jpg")
    run(library, folder, encoding=True)
    told = {
        "photoTakenTime": {"timestamp": "1563098400"}, "people": [{"name": "Anna"}],
        "geoData": {"latitude": 48.21, "longitude": 16.37},
    }  # fmt: skip
    beside = photo.with_name("a.jpg.supplemental-metadata.json")
    beside.write_text(json.dumps(told))
    assert run(library, folder).described == 1
    (record,) = library.catalog.records([1]).values()
    assert (record.taken, record.place) == (datetime(2019, 7, 14, 11), Place(48.21, 16.37))
    assert library.catalog.annotations([1])[1].people == ("Anna",)
    beside.unlink()
    run(library, folder)
    (record,) = library.catalog.records([1]).values()
    assert (record.taken, record.place) == (None, None)
    beside.write_text(json.dumps(told))
    written(folder, "a.jpg", "new")
    run(library, folder, encoding=True)
    assert library.catalog.records([1])[1].place == Place(48.21, 16.37)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_regular_file_is_not_opened(library: Library, folder: Path) -> None:
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue"), ("c.jpg", "lime")):
        written(folder, name, colour=colour)
    os.mkfifo(folder / "a.jpg.xmp")
    secret = folder.parent / "secret.xmp"
    secret.write_bytes(packet(array("dc:subject", ["secret"])))
    (folder / "b.jpg.xmp").symlink_to(secret)
    (folder / "c.jpg.xmp").mkdir()
    run(library, folder, encoding=True)
    assert keywords(library) == {}


@pytest.mark.parametrize(
    "content", [b"", b"no XML", b"\xff" * 100, packet("<rdf:li>" * 10**5), b" " * 2**23]
)
def test_a_useless_sidecar_costs_nothing(library: Library, folder: Path, content: bytes) -> None:
    photo = written(folder, "a.jpg", "Lisbon")
    photo.with_name("a.xmp").write_bytes(content)
    run(library, folder, encoding=True)
    assert keywords(library) == {"a.jpg": ("Lisbon",)}
    assert run(library, folder).described == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs files without permission")
def test_an_unreadable_sidecar_is_tried_again(library: Library, folder: Path) -> None:
    beside = sidecar(written(folder, "a.jpg", "Lisbon"), "Faro")
    beside.chmod(0)
    run(library, folder, encoding=True)
    assert keywords(library) == {"a.jpg": ("Lisbon",)}
    beside.chmod(0o600)
    assert run(library, folder).described == 1
    assert keywords(library) == {"a.jpg": ("Faro", "Lisbon")}


# -- filters ------------------------------------------------------------------------------------


def test_the_filters_of_the_command_line(library: Library, folder: Path, invoke: Invoke) -> None:
    whole = packet(
        array("dc:subject", ["São Paulo", "Zug"])
        + array("Iptc4xmpExt:PersonInImage", ["Anna Müller"]),
        'xmp:Rating="4"',
    )
    written(folder, "a.jpg").with_suffix(".xmp").write_bytes(whole)
    written(folder, "b.jpg", "Zug", "blue")
    written(folder, "c.jpg", colour="lime")
    run(library, folder, encoding=True)

    def found(*options: str) -> list[str]:
        answer = invoke("query", *options, "--library", library.folder, "--json")
        assert answer.exit_code == 0, answer.output
        return sorted(Path(hit["path"]).name for hit in json.loads(answer.stdout)["hits"])

    assert found("--keyword", "zug") == ["a.jpg", "b.jpg"]
    assert found("--keyword", "zug", "--keyword", "sao paulo") == ["a.jpg"]
    assert found("--person", "anna") == ["a.jpg"]
    assert found("--rating", "4..") == ["a.jpg"]
    assert found("red", "--rating", "0") == ["b.jpg", "c.jpg"]
    nothing = invoke("query", "--rating", "5", "--library", library.folder)
    assert nothing.exit_code == 3


# -- libraries of earlier versions ---------------------------------------------------------------


def forget(library: Library) -> None:
    """Leaves the library as an earlier version does."""
    with library.writing():
        library.catalog.keep(ANNOTATED, "")
        held = library.catalog.annotations(list(range(1, 50)))
        library.catalog.annotate({image_id: Noted(Annotation()) for image_id in held})


def test_photos_of_an_earlier_version_are_described_once(library: Library, folder: Path) -> None:
    written(folder, "a.jpg", "Lisbon")
    sidecar(written(folder, "b.jpg", colour="blue"), "Faro")
    other = folder.parent / "other"
    written(other, "c.jpg", "Porto", "lime")
    run(library, folder, encoding=True)
    run(library, other, encoding=True)
    forget(library)
    assert run(library, folder).described == 2
    assert run(library, folder).described == 0
    assert run(library, other).described == 1
    assert {name for name, own in keywords(library).items() if own} == {"a.jpg", "b.jpg", "c.jpg"}
    assert index(library, []).described == 0


# -- metadata without the picture ----------------------------------------------------------------


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JXL"])
def test_metadata_are_read_without_the_picture(format_: str) -> None:
    if format_ == "JXL":
        pytest.importorskip("pillow_jxl")
    content = with_xmp(format_)
    found = metadata_in(io.BytesIO(content))
    assert found is not None
    assert found.words == HARVEST
    assert found == metadata_of(content)


def test_only_the_beginning_of_a_jpeg_is_read() -> None:
    content = jpeg({}, segments=in_xmp(PACKET))

    class Counting(io.BytesIO):
        amount = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.amount += len(data)
            return data

    file = Counting(content + b"\0" * 2**20)
    found = metadata_in(file)
    assert found is not None
    assert found.words == HARVEST
    assert file.amount < 2**18


def test_a_png_with_metadata_behind_the_pixels() -> None:
    content = with_xmp("PNG")
    at, end = content.index(b"iTXt") - 4, content.index(b"IDAT") - 4
    late = content[:at] + content[end:-12] + content[at:end] + content[-12:]
    found = metadata_in(io.BytesIO(late))
    assert found is not None
    assert found.words == HARVEST


def test_what_is_no_photo_has_no_metadata() -> None:
    assert metadata_of(b"") is None
    assert metadata_in(io.BytesIO(b"\xff\xd8\xff")) is None
