"""Any sequence of changes to a folder leads to the library of a fresh build."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.indexer.build import Options, index
from tests.comparing import (
    assert_equals_fresh,
)
from tests.conftest import (
    COLOURS,
    NewLibrary,
    square,
)

_NAMES = ("a.png", "b.jpg", "c.png", "sub/a.png", "sub/d.webp", "sub/deeper/e.png", "z.tif")
_CONTENTS = (*COLOURS, "broken", "empty")
_names = st.sampled_from(_NAMES)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _names, st.sampled_from(_CONTENTS)),
        st.tuples(st.just("move"), _names, _names),
        st.tuples(st.just("copy"), _names, _names),
        st.tuples(st.just("swap"), _names, _names),
        st.tuples(st.just("delete"), _names, st.just("")),
        st.tuples(st.just("touch"), _names, st.just("")),
        st.tuples(st.just("index"), st.just(""), st.just("")),
    ),
    min_size=2,
    max_size=25,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of each colour's square, a PNG whatever the name says."""
    folder = tmp_path_factory.mktemp("originals")
    squares = {colour: square(folder / f"{colour}.png", colour).read_bytes() for colour in COLOURS}
    return {**squares, "broken": squares["red"][:50], "empty": b""}


class _Folder:
    """A folder that is changed step by step, with its own clock, so that times never repeat."""

    def __init__(self, root: Path, originals: dict[str, bytes]) -> None:
        self.root = root
        self._originals = originals
        self._now = 1_700_000_000 * 10**9
        self.write("anchor.png", "white")  # an empty folder would be an error

    def write(self, name: str, content: str) -> None:
        file = self._file(name)
        file.write_bytes(self._originals[content])
        self._stamp(file)

    def move(self, name: str, other: str) -> None:
        if self._file(name).exists():
            self._file(name).replace(self._file(other))

    def copy(self, name: str, other: str) -> None:
        if self._file(name).exists() and name != other:
            shutil.copyfile(self._file(name), self._file(other))
            self._stamp(self._file(other))

    def swap(self, name: str, other: str) -> None:
        if self._file(name).exists() and self._file(other).exists():
            self.move(name, "between")
            self.move(other, name)
            self.move("between", other)

    def delete(self, name: str, _: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def touch(self, name: str, _: str) -> None:
        if self._file(name).exists():
            self._stamp(self._file(name))

    def whole(self) -> set[Path]:
        """The files that are sound photos."""
        bad = (self._originals["broken"], b"")
        return {f for f in self.root.rglob("*.*") if f.is_file() and f.read_bytes() not in bad}

    def _file(self, name: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _stamp(self, file: Path) -> None:
        self._now += 10**9
        os.utime(file, ns=(self._now, self._now))


@given(steps=_steps, batch_size=st.integers(1, 4))
@hypothesis_settings(max_examples=25)
def test_any_sequence_of_changes_equals_a_fresh_build(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    assert_any_sequence(steps, batch_size, originals, new_library)


@pytest.mark.slow
@given(steps=_steps, batch_size=st.integers(1, 4))
@hypothesis_settings(max_examples=1000)
def test_any_sequence_of_changes_equals_a_fresh_build_long(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    assert_any_sequence(steps, batch_size, originals, new_library)


def assert_any_sequence(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    with tempfile.TemporaryDirectory() as folder_name:
        folder = _Folder(Path(folder_name) / "photos", originals)
        library = new_library()
        for what, name, other in [*steps, ("index", "", "")]:
            if what != "index":
                getattr(folder, what)(name, other)
                continue
            in_library = {record.path for record in library.catalog.everything()}
            report = index(library, [folder.root], Options(batch_size=batch_size))
            now = {record.path for record in library.catalog.everything()}
            assert now == folder.whole()
            assert (
                report.images
                == len(now)
                == len(in_library)
                + report.added
                - report.removed
                - len({skip.path for skip in report.skipped} & in_library)
            )
            assert report.images == sum(
                (report.added, report.updated, report.moved, report.unchanged)
            )
        again = index(library, [folder.root])
        assert again.unchanged == len(folder.whole())
        assert (again.added, again.updated, again.moved, again.removed) == (0, 0, 0, 0)
        assert_equals_fresh(library, folder.root, new_library)
