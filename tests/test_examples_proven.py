"""Examples that an earlier version noted with a checksum that other photos can share."""

import os
import time
from pathlib import Path

import pytest

from pixquery import Library, index, teach
from pixquery.indexer.build import Options
from tests.aged import aged, lengths
from tests.collisions import colliding
from tests.conftest import square
from tests.lessons import ORANGES, remembering


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile with a memory."""
    return remembering(tmp_path_factory.mktemp("profiles") / "remembering")


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A profile with another encoder, whose vectors cannot be compared with the other's."""
    return remembering(tmp_path / "turned", "turned", roll=1)


@pytest.fixture
def examples(tmp_path: Path) -> list[Path]:
    """Two orange squares; the third file has the checksum of the first, and is blue."""
    folder = tmp_path / "examples"
    made = [
        square(folder / "made" / f"{n}.jpg", colour).read_bytes()
        for n, colour in enumerate([*ORANGES[:2], (10, 10, 250)])
    ]
    orange, blue = colliding(made[0], made[2])
    for name, content in (("one", orange), ("two", made[1]), ("blue", blue)):
        (folder / f"{name}.jpg").write_bytes(content)
    return [folder / "one.jpg", folder / "two.jpg", folder / "blue.jpg"]


@pytest.fixture
def place(tmp_path: Path, squares: Path, profile: Path, examples: list[Path]) -> Path:
    """A library of an earlier version that was taught "sunset"."""
    with Library.open(tmp_path / "library", create=True, profile=str(profile)) as library:
        square(squares / "orange.png", (252, 127, 12))
        index(library, [squares])
        teach(library, "sunset", examples[:2])
    aged(tmp_path / "library")
    return tmp_path / "library"


def noted(place: Path) -> dict[str, int]:
    return lengths(place, "concept_examples")


def encoders(place: Path) -> set[str]:
    """The encoders that have encoded the examples."""
    with Library.open(place) as library:
        return {row.encoder for row in library.catalog.examples()}


def finds_orange(library: Library) -> bool:
    return library.search("sunset", k=1).hits[0].path.stem == "orange"


def test_indexing_proves_examples_and_changes_no_vector(place: Path, examples: list[Path]) -> None:
    assert noted(place) == {"one.jpg": 16, "two.jpg": 16}
    with Library.open(place) as library:
        file = next(place.glob("vectors-*.faiss"))
        assert finds_orange(library)
        index(library, [])
        assert finds_orange(library)
    assert noted(place) == {"one.jpg": 32, "two.jpg": 32}
    assert next(place.glob("vectors-*.faiss")) == file
    for example in examples:
        example.unlink()
    with Library.open(place) as library:
        assert (finds_orange(library), library.verify()) == (True, [])


def test_a_file_made_to_look_like_an_example_is_not_taken_for_it(
    place: Path, squares: Path, examples: list[Path], turned: Path
) -> None:
    examples[0].write_bytes(examples[2].read_bytes())
    later = time.time() + 10
    os.utime(examples[0], (later, later))
    before = encoders(place)
    with Library.open(place) as library:
        index(library, [])
        assert finds_orange(library)
    assert noted(place) == {"one.jpg": 16, "two.jpg": 32}
    with Library.open(place, profile=str(turned), switch=True) as library:
        index(library, [squares], Options(rebuild=True))
        rows = library.catalog.examples()
        assert [row.path.name for row in rows if row.encoder not in before] == ["two.jpg"]


def test_another_encoder_reads_examples_that_were_not_written_since(
    place: Path, squares: Path, turned: Path
) -> None:
    with Library.open(place, profile=str(turned), switch=True) as library:
        index(library, [squares], Options(rebuild=True))
        assert [concept.known for concept in library.concepts] == [True]
        assert finds_orange(library)
    assert noted(place) == {"one.jpg": 32, "two.jpg": 32}


def test_an_example_that_is_given_again_counts_once(place: Path, examples: list[Path]) -> None:
    copy = examples[0].with_name("copy.jpg")
    copy.write_bytes(examples[0].read_bytes())
    examples[0].unlink()
    with Library.open(place) as library:
        lesson = teach(library, "sunset", [copy, examples[1]], add=True)
        assert (lesson.added, len(lesson.concept.examples)) == (0, 2)
    assert set(noted(place).values()) == {32}


def test_a_file_made_to_look_like_an_example_is_another_example(
    place: Path, examples: list[Path]
) -> None:
    with Library.open(place) as library:
        lesson = teach(library, "sunset", [examples[2]], add=True)
        assert (lesson.added, len(lesson.concept.examples)) == (1, 3)
    assert noted(place) == {"one.jpg": 16, "two.jpg": 16, "blue.jpg": 32}
