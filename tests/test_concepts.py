"""What a library is taught: found at once, kept, forgotten, and nothing else is changed by it."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from pixquery import Library, index, teach
from pixquery.db.errors import BadConcept, LibraryLocked, NothingFound, QueryRefused
from pixquery.engine.concepts import MOST_EXAMPLES, likeness, named
from tests.conftest import COLOURS, NewLibrary, centred, square
from tests.lessons import MEANT, ORANGES, oranges, remembering


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile with a memory."""
    return remembering(tmp_path_factory.mktemp("profiles") / "remembering")


@pytest.fixture
def taught(tmp_path: Path, squares: Path, profile: Path) -> Iterator[Library]:
    """A library of the eight squares and of an orange, not taught yet."""
    square(squares / "orange.png", (252, 127, 12))
    with Library.open(tmp_path / "library", create=True, profile=str(profile)) as library:
        index(library, [squares])
        yield library


def first(library: Library, text: str) -> str:
    return library.search(text, k=1).hits[0].path.stem


RIGHT = {colour: colour for colour in MEANT}


def found(library: Library) -> dict[str, str]:
    return {colour: first(library, colour) for colour in MEANT}


def similarities(library: Library, text: str) -> dict[str, float | None]:
    return {hit.path.stem: hit.similarity for hit in library.search(text).hits}


# -- what it does -----------------------------------------------------------------------------


def test_a_taught_concept_is_found_and_everything_else_as_before(
    taught: Library, tmp_path: Path
) -> None:
    assert found(taught) == RIGHT
    lesson = teach(taught, "sunset", oranges(tmp_path / "examples")[:3])
    assert first(taught, "sunset") == "orange"
    assert first(taught, "a sunset") == "orange"
    assert found(taught) == RIGHT
    assert (lesson.concept.name, lesson.added, lesson.replaced) == ("sunset", 3, False)
    assert lesson.answer.hits[0].path.stem == "orange"
    assert lesson.relevance_before is not None
    assert lesson.relevance_after is not None
    assert lesson.relevance_after > lesson.relevance_before
    assert lesson.likeness > 0.95
    with Library.open(taught.folder) as another:
        assert first(another, "sunset") == "orange"
        assert found(another) == RIGHT
        assert another.verify() == []


def test_without_a_memory_the_words_come_to_lie_where_the_examples_do(
    new_library: NewLibrary, squares: Path, tmp_path: Path
) -> None:
    library = new_library()
    index(library, [squares])
    teach(library, "sunset", oranges(tmp_path / "examples"))
    # Every word that means nothing has the vector 0, and is moved to where the examples lie.
    mean = np.mean([centred(colour) for colour in ORANGES], 0)
    wanted = {colour: centred(colour) @ mean / np.linalg.norm(mean) for colour in COLOURS}
    got = similarities(library, "sunset")
    assert got.keys() == wanted.keys()
    for colour, similarity in got.items():
        assert similarity == pytest.approx(wanted[colour], abs=0.01)


def test_no_photo_of_the_library_is_read(taught: Library, tmp_path: Path, squares: Path) -> None:
    squares.rename(tmp_path / "unplugged")
    teach(taught, "sunset", oranges(tmp_path / "examples"))
    assert first(taught, "sunset") == "orange"


def test_a_library_without_photos_can_be_taught(
    tmp_path: Path, squares: Path, profile: Path
) -> None:
    with Library.open(tmp_path / "library", create=True, profile=str(profile)) as library:
        lesson = teach(library, "sunset", oranges(tmp_path / "examples"))
        assert (lesson.fits, lesson.answer.hits) == (0, ())
        square(squares / "orange.png", (252, 127, 12))
        index(library, [squares])
        assert first(library, "sunset") == "orange"
        assert library.verify() == []


def test_photos_that_are_added_later_are_aligned_in_the_same_way(
    taught: Library, tmp_path: Path, squares: Path
) -> None:
    teach(taught, "sunset", oranges(tmp_path / "examples"))
    square(squares / "deep orange.png", (248, 125, 10))
    index(taught, [squares])
    assert {hit.path.stem for hit in taught.search("sunset", k=2).hits} == {"orange", "deep orange"}
    assert taught.verify() == []


# -- forgetting and teaching again ------------------------------------------------------------


def test_forgetting_leaves_no_trace(taught: Library, tmp_path: Path) -> None:
    before, generation = similarities(taught, "sunset"), taught.catalog.generation()
    teach(taught, "sunset", oranges(tmp_path / "examples"))
    assert similarities(taught, "sunset") != before
    concept = taught.forget_concept("Sunset")
    assert (concept.name, len(concept.examples)) == ("sunset", 4)
    assert taught.concepts == ()
    assert similarities(taught, "sunset") == before
    after = taught.catalog.generation()
    assert generation is not None
    assert after is not None
    assert after.space == generation.space
    assert len(list(taught.folder.glob("vectors-*.faiss"))) == 1
    assert (taught.catalog.examples(), taught.verify()) == ([], [])
    with pytest.raises(NothingFound, match="pixquery info"):
        taught.forget_concept("sunset")


def test_the_same_name_replaces_or_adds(taught: Library, tmp_path: Path) -> None:
    examples = oranges(tmp_path / "examples")
    teach(taught, "sunset", examples[:2])
    added = teach(taught, "SUNSET", examples[1:], add=True)
    assert (added.concept.name, added.added, added.replaced) == ("sunset", 2, False)
    assert added.concept.examples == tuple(examples)
    replaced = teach(taught, "Sunset", examples[2:])
    assert (replaced.concept.name, replaced.added, replaced.replaced) == ("Sunset", 2, True)
    assert [concept.examples for concept in taught.concepts] == [tuple(examples[2:])]
    one = teach(taught, "sunset", examples[:1], add=True)  # enough together with those it has
    assert len(one.concept.examples) == 3
    assert taught.verify() == []


def test_several_concepts_live_side_by_side(taught: Library, tmp_path: Path) -> None:
    greys = [square(tmp_path / "greys" / f"{n}.png", (n, n + 2, n)) for n in (118, 140, 150)]
    teach(taught, "sunset", oranges(tmp_path / "examples"))
    assert found(taught) == RIGHT
    teach(taught, "fog", greys)
    assert [concept.name for concept in taught.concepts] == ["fog", "sunset"]
    taught.forget_concept("fog")
    assert [concept.name for concept in taught.concepts] == ["sunset"]
    assert first(taught, "sunset") == "orange"
    assert taught.verify() == []


# -- which photos and names -------------------------------------------------------------------


def test_a_folder_means_its_photos_and_unreadable_ones_are_skipped(
    taught: Library, tmp_path: Path
) -> None:
    examples = oranges(tmp_path / "examples")
    (tmp_path / "examples" / "broken.png").write_bytes(b"no photo")
    lesson = teach(taught, "sunset", [tmp_path / "examples", tmp_path / "nowhere.jpg"])
    assert set(lesson.concept.examples) == set(examples)
    assert [skip.path.name for skip in lesson.skipped] == ["broken.png", "nowhere.jpg"]
    assert all(skip.reason for skip in lesson.skipped)


def test_equal_files_count_once(taught: Library, tmp_path: Path) -> None:
    one = oranges(tmp_path / "examples")[0]
    copy = tmp_path / "copy.png"
    copy.write_bytes(one.read_bytes())
    with pytest.raises(BadConcept, match="2 to 20 different"):
        teach(taught, "sunset", [one, copy])
    assert taught.concepts == ()


def test_too_few_or_too_many_examples_are_refused(taught: Library, tmp_path: Path) -> None:
    one = oranges(tmp_path / "examples")[0]
    (tmp_path / "broken.png").write_bytes(b"no photo")
    with pytest.raises(BadConcept, match=r"1 of 2 can be read.*broken\.png"):
        teach(taught, "sunset", [one, tmp_path / "broken.png"])
    many = [square(tmp_path / "many" / f"{n}.png", (250, 100 + n, 9)) for n in range(21)]
    with pytest.raises(BadConcept, match="21 photos"):
        teach(taught, "sunset", [tmp_path / "many"])
    assert len(teach(taught, "sunset", many[:MOST_EXAMPLES]).concept.examples) == 20
    with pytest.raises(BadConcept, match="21"):
        teach(taught, "sunset", many[20:], add=True)
    assert taught.verify() == []


@pytest.mark.parametrize(
    "name", ["", "  ", "a\x00b", "two\x1b[2J", "\u202ereceipt", "x" * 61, "?!"]
)
def test_names_that_nobody_can_type_are_refused(name: str, taught: Library, tmp_path: Path) -> None:
    with pytest.raises(BadConcept):
        teach(taught, name, oranges(tmp_path / "examples"))
    assert taught.concepts == ()


def test_names_are_stored_as_they_are_typed() -> None:
    assert named("  my  Red\tbicycle ") == "my Red bicycle"
    assert named("Straße 7") == "Straße 7"


def test_stop_words_are_not_taught(taught: Library, tmp_path: Path) -> None:
    taught.switch_policy(on=True)
    with pytest.raises(QueryRefused):
        teach(taught, "children", oranges(tmp_path / "examples"))
    assert taught.concepts == ()


def test_another_writer_is_respected(taught: Library, tmp_path: Path) -> None:
    with taught.writing(), pytest.raises(LibraryLocked):
        teach(taught, "sunset", oranges(tmp_path / "examples"))


def test_likeness_is_the_mean_cosine_of_all_pairs() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = [rows[i] @ rows[j] for i in range(5) for j in range(5) if i != j]
    assert likeness(rows) == pytest.approx(np.mean(pairs), abs=1e-6)


# -- readers ----------------------------------------------------------------------------------


def test_a_long_lived_reader_learns_when_it_refreshes(taught: Library, tmp_path: Path) -> None:
    with Library.open(taught.folder) as reader:
        before = similarities(reader, "sunset")
        teach(taught, "sunset", oranges(tmp_path / "examples"))
        assert similarities(reader, "sunset") == before
        reader.refresh()
        assert similarities(reader, "sunset") == pytest.approx(similarities(taught, "sunset"))
        assert [concept.name for concept in reader.concepts] == ["sunset"]
        taught.forget_concept("sunset")
        reader.refresh()
        assert similarities(reader, "sunset") == pytest.approx(before)
        assert reader.profile is reader.profile


def test_a_reader_never_compares_a_query_with_vectors_of_another_alignment(
    taught: Library, tmp_path: Path
) -> None:
    def answer(library: Library) -> tuple[float, ...]:
        return tuple(round(hit.similarity or 0, 4) for hit in library.search("sunset").hits)

    examples = oranges(tmp_path / "examples")
    states = {answer(taught)}
    for shades in (examples[:2], examples[2:]):
        teach(taught, "sunset", shades)
        states.add(answer(taught))
    assert len(states) == 3
    taught.forget_concept("sunset")
    seen, done = set(), Event()
    with Library.open(taught.folder) as reader:

        def ask() -> None:
            while not done.is_set():
                seen.add(answer(reader))

        threads = [Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            for shades in (examples[:2], examples[2:]):
                teach(taught, "sunset", shades)
                reader.refresh()
            taught.forget_concept("sunset")
            reader.refresh()
        done.set()
        for thread in threads:
            thread.join()
    assert seen <= states
    assert len(seen) >= 2
