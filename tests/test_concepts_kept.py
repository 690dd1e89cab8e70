"""What was taught is kept: through other profiles, damage, copies and kills."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pixquery import Library, index, teach
from pixquery.db.errors import LibraryDamaged
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import Options
from tests.conftest import Invoke, parsed, square
from tests.lessons import MEANT, oranges, remembering, resealed
from tests.proofs.kills import HALF_A_WRITE, KILL, Kills
from tests.proofs.material import Children


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile with a memory."""
    return remembering(tmp_path_factory.mktemp("profiles") / "remembering")


@pytest.fixture
def examples(tmp_path: Path) -> list[Path]:
    return oranges(tmp_path / "examples")


@pytest.fixture
def untaught(tmp_path: Path, squares: Path, profile: Path) -> Path:
    """A closed library of nine squares."""
    square(squares / "orange.png", (252, 127, 12))
    with Library.open(tmp_path / "library", create=True, profile=str(profile)) as library:
        index(library, [squares])
    return tmp_path / "library"


@pytest.fixture
def place(untaught: Path, examples: list[Path]) -> Path:
    """The same, taught "sunset"."""
    with Library.open(untaught) as library:
        teach(library, "sunset", examples)
    return untaught


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A profile with another encoder, in a rotated space: red texts of the other find green."""
    return remembering(tmp_path / "turned", "turned", roll=1)


RIGHT = {colour: colour for colour in MEANT} | {"sunset": "orange"}


def found(library: Library) -> dict[str, str]:
    return {words: library.search(words, k=1).hits[0].path.stem for words in RIGHT}


def sunset(library: Library) -> list[float]:
    """What tells whether the library knows the concept: similarities of all photos."""
    return [hit.similarity or 0 for hit in library.search("sunset").hits]


def known(library: Library) -> dict[str, bool]:
    return {concept.name: concept.known for concept in library.concepts}


def switch(place: Path, profile: Path, squares: Path) -> None:
    with Library.open(place, profile=str(profile), switch=True) as library:
        assert index(library, [squares], Options(rebuild=True)).lacking == 0


# -- other profiles ---------------------------------------------------------------------------


def test_a_newer_alignment_keeps_concepts_without_reading_their_photos(
    place: Path, squares: Path, profile: Path, examples: list[Path], tmp_path: Path
) -> None:
    newer = shutil.copytree(profile, tmp_path / "newer")
    tensors = load_file(newer / "alignment.safetensors")
    tensors["memory.weight"] = np.array([0.4], np.float32)
    save_file(tensors, newer / "alignment.safetensors")
    resealed(newer)
    for file in examples:
        file.unlink()
    switch(place, newer, squares)
    with Library.open(place) as library:
        assert (library.profile.folder, known(library)) == (newer.resolve(), {"sunset": True})
        assert found(library) == RIGHT
        assert library.verify() == []


def test_another_encoder_reads_the_examples_again(
    place: Path, squares: Path, turned: Path, profile: Path, examples: list[Path]
) -> None:
    switch(place, turned, squares)
    with Library.open(place) as library:
        assert (library.profile.name, known(library)) == ("turned", {"sunset": True})
        assert found(library) == RIGHT
        assert library.verify() == []
    for file in examples:  # on the way back they are not needed
        file.unlink()
    switch(place, profile, squares)
    with Library.open(place) as library:
        assert (library.profile.name, known(library)) == ("remembering", {"sunset": True})
        assert found(library) == RIGHT
        assert library.verify() == []


def test_examples_that_are_gone_or_changed_wait_for_their_files(
    place: Path, squares: Path, turned: Path, examples: list[Path], invoke: Invoke
) -> None:
    content = [file.read_bytes() for file in examples]
    for file in examples[:2]:
        file.unlink()
    for file in examples[2:]:
        square(file, "green")
    switch(place, turned, squares)
    with Library.open(place) as library:
        assert known(library) == {"sunset": False}
        assert library.verify() == []
    told = invoke("info", "--library", place)
    assert "taught with another encoder" in told.stdout
    assert "`pixquery models teach sunset PHOTO...`" in told.stdout
    examples[0].write_bytes(content[0])
    examples[3].write_bytes(content[3])
    assert invoke("index", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert known(library) == {"sunset": True}
        assert found(library) == RIGHT
        assert library.verify() == []


def test_a_profile_rebuilt_from_other_models_reads_the_examples_again(
    untaught: Path, squares: Path, profile: Path, examples: list[Path], tmp_path: Path
) -> None:
    import json

    own = shutil.copytree(profile, tmp_path / "own")
    switch(untaught, own, squares)
    with Library.open(untaught) as library:
        teach(library, "sunset", examples)
    manifest = json.loads((own / "manifest.json").read_text())
    manifest["image"]["source_sha256"] = "f" * 64
    (own / "manifest.json").write_text(json.dumps(manifest))
    with Library.open(untaught) as library:
        assert known(library) == {"sunset": False}
        index(library, [])
        assert known(library) == {"sunset": True}
        assert found(library) == RIGHT
        assert library.verify() == []


def test_while_a_library_is_switched_it_can_be_taught(
    untaught: Path, squares: Path, turned: Path, examples: list[Path]
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with Library.open(untaught, profile=str(turned), switch=True) as library:
        options = Options(rebuild=True, batch_size=2, progress=stop)
        assert index(library, [squares], options).interrupted
    with Library.open(untaught) as library:
        teach(library, "sunset", examples)
        assert found(library) == RIGHT
    switch(untaught, turned, squares)
    with Library.open(untaught) as library:
        assert (library.profile.name, found(library)) == ("turned", RIGHT)
        assert library.verify() == []


def test_a_copied_library_knows_its_concepts(place: Path, tmp_path: Path) -> None:
    other = shutil.copytree(place, tmp_path / "other")
    shutil.rmtree(place)
    with Library.open(other) as library:
        assert found(library) == RIGHT
        assert library.verify() == []


def test_a_lost_index_file_is_derived_again(place: Path) -> None:
    with Library.open(place) as library:
        before = sunset(library)
    next(place.glob("vectors-*")).unlink()
    with Library.open(place) as library:
        assert sunset(library) == pytest.approx(before, abs=1e-3)
        assert library.verify() == []


# -- damage -----------------------------------------------------------------------------------


def change(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        catalogue.execute(statement)
        catalogue.commit()


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("concept_examples", "UPDATE concept_examples SET concept = 'red' WHERE rowid = 1"),
        ("concept_examples", "UPDATE concept_examples SET raw = zeroblob(6) WHERE rowid = 1"),
        ("concept_names", "UPDATE concept_names SET raw = zeroblob(12)"),
    ],
)
def test_damaged_concepts_are_refused_and_the_sound_rows_are_kept(
    table: str, statement: str, place: Path, invoke: Invoke
) -> None:
    change(place, statement)
    refused = invoke("query", "red", "--library", place)
    assert refused.exit_code == 1
    assert "`pixquery verify --repair --library" in refused.stderr
    told = invoke("verify", "--library", place)
    assert told.exit_code == 1
    assert f"1 rows of {table} differ from their checksums" in told.stdout
    assert "no sound vector" not in told.stdout
    mended = invoke("verify", "--repair", "--library", place, "--json")
    assert mended.exit_code == 0, mended.output
    assert all(finding["repaired"] for finding in parsed(mended)["findings"])
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert found(library) == RIGHT
        (concept,) = library.concepts
        assert len(concept.examples) == (3 if table == "concept_examples" else 4)


def test_vectors_of_different_lengths_are_damage(place: Path) -> None:
    from pixquery.db.checksums import digest

    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        catalogue.create_function("pixquery_digest", -1, digest)
        catalogue.execute("UPDATE concept_examples SET raw = zeroblob(8) WHERE rowid = 1")
        catalogue.execute(
            "UPDATE concept_examples SET checksum = "
            "pixquery_digest(concept, content, encoder, taught, path, raw)"
        )
        catalogue.commit()
    with Library.open(place) as library, pytest.raises(LibraryDamaged, match="lengths"):
        library.search("red")


# -- kills ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [KILL, HALF_A_WRITE])
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_teaching_that_is_killed_at_any_call_has_happened_or_has_not(
    way: int, step: int, untaught: Path, examples: list[Path], children: Children
) -> None:
    kills = Kills(children, untaught, ["models", "teach", "sunset", *map(str, examples)])
    with Library.open(kills.before) as library:
        old = sunset(library)
    assert kills.run(0) == 0
    with Library.open(untaught) as library:
        new = sunset(library)
    assert kills.calls > 10
    seen = set()
    for at in range(1, kills.calls + 1, step):
        if kills.run(at, way) == 0:
            continue  # this call cannot be cut in half
        with Library.open(untaught) as library:
            knows = known(library) == {"sunset": True}
            assert sunset(library) == pytest.approx(new if knows else old, abs=1e-3), at
            assert library.verify() == [], at
            seen.add(knows)
            index(library, [])
            teach(library, "sunset", examples)
            assert found(library) == RIGHT, at
            assert library.verify() == [], at
            assert len(list(untaught.glob("vectors-*.faiss*"))) == 1, at
    assert seen == {False, True}  # some were killed before the change, some after
