"""Duplicates: groups compared with brute force, and real copies of real pictures."""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

import pixquery.engine.duplicates
from pixquery import Library
from pixquery.db.errors import BadQuery
from pixquery.db.records import FileState, Filter, Floats, ImageRecord
from pixquery.engine.answers import Duplicates
from pixquery.engine.duplicates import THRESHOLD
from pixquery.indexer.build import index
from tests.conftest import REPOSITORY, Invoke, NewLibrary, Snapshot, parsed, square

Photos = list[tuple[int, int, int, int, int]]
"""Content, width, height, bytes and time of each."""


# -- grouping ---------------------------------------------------------------------------------


def put(library: Library, photos: Photos, raw: Floats) -> list[ImageRecord]:
    """Adds files to a catalogue as photos; equal contents have equal bytes and vectors."""
    folder = library.folder / "photos"
    folder.mkdir()
    records = []
    for number, (content, width, height, size, time) in enumerate(photos):
        file = folder / f"{number:02d}.jpg"
        file.write_bytes(bytes([content]) * size)
        os.utime(file, ns=(time, time))
        digest = content.to_bytes(16, "big")
        state = FileState(size, time)
        records.append(ImageRecord(file, state, digest, width, height, "JPEG"))
    root = library.catalog.add_root(folder)
    vectors = raw[[content for content, *_ in photos]].astype(np.float16)
    library.catalog.put(root, records, vectors, library.profile.encoder)
    return records


def unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def by_hand(photos: Photos, raw: Floats, threshold: float) -> list[list[int]]:
    """The photos of each group, best first, by comparing all pairs."""
    rows = raw.astype(np.float16).astype(np.float64)
    raw_cosines = unit(rows) @ unit(rows).T
    cosines = unit(rows - 0.5) @ unit(rows - 0.5).T  # the colour profile's alignment
    assume(np.abs(raw_cosines - threshold).min() > 1e-4)
    wider = 1 - 1.6 * (1 - threshold)
    assume(np.abs(cosines - wider).min() > 1e-3)
    alike = (raw_cosines >= threshold) & (cosines >= wider)

    def worth(number: int) -> tuple[int, ...]:
        _, width, height, size, time = photos[number]
        return -width * height, -size, time, number

    left = sorted(range(len(photos)), key=worth)
    groups = []
    while left:
        best, *others = left
        mine = photos[best][0]
        contents = {
            photos[n][0] for n in others if photos[n][0] == mine or alike[mine, photos[n][0]]
        }
        group = [best, *(n for n in others if photos[n][0] in contents)]
        left = [n for n in others if n not in group]
        if len(group) > 1:
            groups.append(group)
    return groups


def numbers(found: Duplicates) -> list[list[int]]:
    return [
        [int(record.path.stem) for record in (group.best, *(copy.record for copy in group.copies))]
        for group in found.groups
    ]


_photo = st.builds(
    lambda content, width, height, time: (content, width, height, 10 + content % 2, time),
    st.integers(0, 11),
    st.sampled_from([100, 200]),
    st.sampled_from([100, 200]),
    st.integers(1, 3),
)


@given(
    photos=st.lists(_photo, min_size=1, max_size=24),
    seed=st.integers(0, 2**32 - 1),
    threshold=st.sampled_from([0.5, 0.8, 0.9, 0.97]),
    at_once=st.integers(1, 5),
)
@hypothesis_settings(max_examples=60)
def test_groups_are_those_of_brute_force(
    photos: Photos, seed: int, threshold: float, at_once: int, new_library: NewLibrary
) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (4, 3))
    raw = np.clip(centres[rng.integers(4, size=12)] + rng.normal(0, 0.1, (12, 3)), 0, 1)
    wanted = by_hand(photos, raw.astype(np.float32), threshold)
    with pytest.MonkeyPatch.context() as patch, new_library() as library:
        patch.setattr(pixquery.engine.duplicates, "_AT_ONCE", at_once)
        patch.setattr(pixquery.engine.duplicates, "_COMPARED_AT_ONCE", at_once)
        put(library, photos, raw.astype(np.float32))
        found = library.duplicates(threshold)
        assert numbers(found) == wanted
        assert found.among == len(photos)
        for group in found.groups:
            for copy in group.copies:
                assert copy.exact == (copy.record.content == group.best.content)
                assert copy.likeness >= threshold - 1e-3


def test_groups_do_not_chain(new_library: NewLibrary) -> None:
    """Each photo is like the next, and the first is unlike the last."""
    angles = np.radians([0, 10, 20, 30])
    raw = np.stack([np.cos(angles), np.sin(angles), np.zeros(4)], 1).astype(np.float32)
    least = float(np.cos(np.radians(12)))

    def groups(*worth: int) -> list[list[int]]:
        library = new_library()
        put(library, [(n, 100, 100, worth[n], 1) for n in range(4)], raw)
        return numbers(library.duplicates(least))

    assert groups(4, 3, 2, 1) == [[0, 1], [2, 3]]
    assert groups(3, 4, 2, 1) == [[1, 0, 2]]
    assert groups(1, 1, 1, 9) == [[3, 2], [0, 1]]


def test_the_best_has_most_pixels_then_bytes_then_age(new_library: NewLibrary) -> None:
    library = new_library()
    photos = [(0, 100, 100, 9, 1), (1, 200, 100, 5, 3), (2, 100, 200, 7, 3), (3, 200, 100, 7, 2)]
    put(library, photos, np.ones((4, 3), np.float32))
    assert numbers(library.duplicates()) == [[3, 2, 1, 0]]


def test_only_photos_of_the_filter_are_compared(new_library: NewLibrary) -> None:
    library = new_library()
    photos = [(0, 200, 100, 1, 1), (0, 100, 200, 1, 1), (0, 100, 200, 1, 2)]
    put(library, photos, np.ones((1, 3), np.float32))
    found = library.duplicates(where=Filter(orientation="portrait"))
    assert numbers(found) == [[1, 2]]
    assert (found.among, found.copies, found.bytes) == (2, 1, 1)
    assert library.duplicates(where=Filter(orientation="square")).groups == ()


def test_progress_ends_at_all(new_library: NewLibrary) -> None:
    library = new_library()
    put(library, [(n, 100, 100, 1, 1) for n in range(5)], np.eye(5, 3, dtype=np.float32))
    told: list[tuple[int, int]] = []
    library.duplicates(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_a_threshold_out_of_range(threshold: float, new_library: NewLibrary) -> None:
    with pytest.raises(BadQuery, match="threshold"):
        new_library().duplicates(threshold)


# -- real pictures ----------------------------------------------------------------------------


def copies(folder: Path, name: str, image: Image.Image) -> None:
    """Near copies of the kinds that people keep."""
    width, height = image.size
    smaller = image.resize((width * 3 // 4, height * 3 // 4), Image.Resampling.LANCZOS)
    smaller.save(folder / f"{name}-smaller.jpg", quality=90)
    image.save(folder / f"{name}-quality.jpg", quality=70)
    image.save(folder / f"{name}-format.webp", quality=85)
    inside = width // 40, height // 40, width - width // 40, height - height // 40
    image.crop(inside).save(folder / f"{name}-cropped.jpg", quality=92)
    ImageEnhance.Brightness(image).enhance(1.1).save(folder / f"{name}-light.jpg", quality=92)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / f"{name}-turned.jpg", quality=92, exif=exif)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Example photos, of which four have copies."""
    folder = tmp_path_factory.mktemp("real") / "photos"
    shutil.copytree(REPOSITORY / "examples" / "images", folder)
    for name in ("p06", "p10", "p16", "p20"):
        with Image.open(folder / f"{name}.jpg") as image:
            copies(folder, name, image.convert("RGB"))
        shutil.copy(folder / f"{name}.jpg", folder / f"{name}-again.jpg")
    with Library.open(folder.parent / "library", create=True) as library:
        index(library, [folder])
        yield library


def test_copies_of_photos_are_found_and_nothing_else(real: Library) -> None:
    found = real.duplicates()
    assert found.threshold == THRESHOLD
    assert len(found.groups) == 4
    for group in found.groups:
        name = group.best.path.stem[:3]
        assert all(copy.record.path.stem[:3] == name for copy in group.copies)
        assert [c.record.path.name for c in group.copies if c.exact] in (
            [f"{name}-again.jpg"], [f"{name}.jpg"], [],  # a turned file may be the largest
        )  # fmt: skip
    assert found.copies >= 4 * 7 - 2


def test_a_threshold_of_1_leaves_equal_files(real: Library) -> None:
    found = real.duplicates(1)
    assert [len(group.copies) for group in found.groups] == [1] * 4
    assert all(copy.exact for group in found.groups for copy in group.copies)


# -- the command ------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of the squares, red in three files and blue in two."""
    red = next(squares.rglob("red.*"))
    square(squares / "large.png", "red", (48, 32))
    for number, source in enumerate((red, next(squares.rglob("blue.*")))):
        copy = shutil.copy(source, squares / f"copy {number}{source.suffix}")
        os.utime(copy, (2e9, 2e9))
    folder = tmp_path / "library"
    assert invoke("index", squares, "--library", folder, "--profile", colours).exit_code == 0
    return folder


def test_words_of_duplicates(
    place: Path, tmp_path: Path, invoke: Invoke, snapshot: Snapshot
) -> None:
    run = invoke("duplicates", "--library", place)
    assert (run.exit_code, run.stderr) == (0, "")
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert all(row.pop(4).isdigit() for row in rows)  # bytes depend on the JPEG encoder
    text = "\n".join("\t".join(row) for row in rows)
    snapshot("duplicates", text.replace(str(tmp_path), "DIR") + "\n")


def test_json_and_paths_of_duplicates(place: Path, squares: Path, invoke: Invoke) -> None:
    found = parsed(invoke("duplicates", "--library", place, "--json"))
    assert (found["among"], found["copies"], found["threshold"]) == (11, 3, 0.9)
    first, second = found["groups"]
    assert first["best"]["path"] == str(squares / "large.png")
    assert [copy["kind"] for copy in first["copies"]] == ["near", "near"]
    (copy,) = second["copies"]
    assert (copy["kind"], copy["likeness"]) == ("exact", 1)
    assert (copy["width"], copy["height"]) == (24, 16)
    gone = [copy["path"] for group in found["groups"] for copy in group["copies"]]
    assert sum(Path(path).stat().st_size for path in gone) == found["bytes"]
    lines = invoke("duplicates", "--library", place, "--paths")
    assert lines.stdout == "".join(path + "\n" for path in gone)
    nul = invoke("duplicates", "--library", place, "--paths", "-0")
    assert nul.stdout == "".join(path + "\0" for path in gone)


def test_duplicates_take_filters(place: Path, squares: Path, invoke: Invoke) -> None:
    asked = ("duplicates", "--library", place, "--json")
    found = parsed(invoke(*asked, "--modified", "..2032"))
    assert (found["among"], found["copies"]) == (9, 1)
    none = invoke(*asked, "--min-width", "9000")
    assert (none.exit_code, parsed(none)["groups"]) == (3, [])
    assert "matches the filters" in none.stderr


def test_without_duplicates_the_exit_code_is_3(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = ("--library", tmp_path / "single")
    assert invoke("index", squares, *library, "--profile", colours).exit_code == 0
    none = invoke("duplicates", *library, "--threshold", "1")
    assert (none.exit_code, none.stdout) == (3, "")
    assert none.stderr.startswith("pixquery: no duplicates among the 8 photos")
    assert none.stderr.count("\n") == 1
    assert invoke("duplicates", *library, "--threshold", "0").exit_code == 2


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a thing of POSIX")
def test_duplicates_on_a_terminal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixquery.commands.duplicates import show_duplicates

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    with Library.open(place) as library, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", shown)
        show_duplicates(library.duplicates())
    text = shown.getvalue()
    assert "48 x 32" in text
    assert "3 of 11 photos are duplicates" in text
    assert "in 2 groups" in text
