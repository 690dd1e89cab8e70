"""The catalogue compared with a dictionary, and its behaviour when files fail."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pixquery.db.catalog import Catalog
from pixquery.db.changes import Move
from pixquery.db.errors import LibraryDamaged, StorageFailed
from pixquery.db.records import FileState, Generation, ImageRecord, Place, Skipped

ENCODER = "this"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "c.sqlite")
    yield made
    made.close()


def photo(path: str | Path, content: bytes = b"x" * 16, size: int = 1) -> ImageRecord:
    return ImageRecord(
        path=Path(path),
        state=FileState(size, 2**62),
        content=content,
        width=30,
        height=20,
        format="PNG",
        taken=datetime(2020, 2, 29, 12, 30, 1),
        camera="Maker Model",
        place=Place(-33.9, 18.4),
    )


def raw(*rows: float) -> np.ndarray:
    return np.array([[row, -row, 0.5] for row in rows], np.float16)


# -- any sequence of changes ------------------------------------------------------------------

_ROOT = Path("/r")
_paths = st.sampled_from(
    [_ROOT / name for name in ("a", "a/b", "a b", "a0", "z", "\udcff", "a/c\n")]
)


class Machine(RuleBasedStateMachine):
    """After any changes, photos, skipped files and vectors equal those of a dictionary."""

    @initialize()
    def begin(self) -> None:
        self.catalog = Catalog(Path(":memory:"))
        # A database in memory lasts as long as its connection, which the catalogue keeps.
        self.root = self.catalog.add_root(_ROOT)
        self.photos: dict[Path, tuple[int, bytes, float]] = {}
        self.skipped: dict[Path, str] = {}
        self.used_ids: set[int] = set()

    def teardown(self) -> None:
        self.catalog.close()

    @rule(paths=st.lists(_paths, unique=True, min_size=1, max_size=4), value=st.integers(0, 99))
    def put(self, paths: list[Path], value: int) -> None:
        revision = self.catalog.revision
        content = bytes([value]) * 16
        values = [float(value + place) for place in range(len(paths))]
        vectors = raw(*values) if values else np.empty((0, 3), np.float16)
        ids = self.catalog.put(
            self.root, [photo(path, content) for path in paths], vectors, ENCODER
        )
        assert self.catalog.revision > revision
        for path, image_id, vector in zip(paths, ids, values, strict=True):
            if path in self.photos:
                assert self.photos[path][0] == image_id
            else:
                assert image_id not in self.used_ids  # an id never comes to mean another photo
            self.used_ids.add(image_id)
            self.photos[path] = (image_id, content, vector)
            self.skipped.pop(path, None)

    @rule(path=_paths, reason=st.sampled_from(["broken", "empty"]))
    def skip(self, path: Path, reason: str) -> None:
        self.catalog.skip(self.root, [(Skipped(path, reason), FileState(3, 4))])
        self.photos.pop(path, None)
        self.skipped[path] = reason

    @precondition(lambda self: self.photos)
    @rule(data=st.data(), onto=_paths)
    def move(self, data: st.DataObject, onto: Path) -> None:
        source = data.draw(st.sampled_from(sorted(self.photos)))
        if onto in self.photos:
            return
        self.catalog.move([Move(self.photos[source][0], self.root, onto, FileState(8, 9))])
        self.photos[onto] = self.photos.pop(source)
        self.skipped.pop(onto, None)

    @precondition(lambda self: self.photos)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        paths = data.draw(st.lists(st.sampled_from(sorted(self.photos)), unique=True))
        self.catalog.remove([self.photos.pop(path)[0] for path in paths])

    @rule(path=_paths)
    def forget_skipped(self, path: Path) -> None:
        self.catalog.forget_skipped([path])
        self.skipped.pop(path, None)

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.catalog) == len(self.photos)
        known = {Path(p): file for p, file in self.catalog.known(_ROOT, ENCODER).items()}
        assert {p: k.id for p, k in known.items() if k.id} == {
            path: entry[0] for path, entry in self.photos.items()
        }
        assert {p: k.reason for p, k in known.items() if not k.id} == self.skipped
        assert {r.path: r.content for r in self.catalog.everything()} == {
            path: entry[1] for path, entry in self.photos.items()
        }
        vectors = {
            image_id: float(vector[0])
            for ids, vectors in self.catalog.raw_vectors(ENCODER)
            for image_id, vector in zip(ids.tolist(), vectors, strict=True)
        }
        assert vectors == {entry[0]: entry[2] for entry in self.photos.values()}
        assert self.catalog.vector_ids(ENCODER).tolist() == list(vectors) == sorted(vectors)
        assert self.catalog.contents(ENCODER) == {entry[1] for entry in self.photos.values()}
        assert self.catalog.unsound({ENCODER: 3}) == []
        assert self.catalog.problems() == []


TestMachine = Machine.TestCase
TestMachine.settings = hypothesis_settings(max_examples=25, stateful_step_count=15)


# -- one thing at a time ----------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    (image_id,) = catalog.put(root, [photo("/r/a.png")], raw(1), ENCODER)
    (record,) = catalog.records([image_id, 999]).values()
    assert record == ImageRecord(
        Path("/r/a.png"), FileState(1, 2**62), b"x" * 16, 30, 20, "PNG",
        datetime(2020, 2, 29, 12, 30, 1), "Maker Model", Place(-33.9, 18.4), image_id,
    )  # fmt: skip


def test_file_names_that_are_not_text(catalog: Catalog) -> None:
    root = catalog.add_root(Path(os.fsdecode(b"/r\xff")))
    path = Path(os.fsdecode(b"/r\xff/\xfe\n.png"))
    catalog.put(root, [photo(path)], raw(1), ENCODER)
    assert next(catalog.everything()).path == path
    assert list(catalog.known(Path(os.fsdecode(b"/r\xff")), ENCODER)) == [str(path)]


def test_known_keeps_to_the_root(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/"))
    inside = {"/r", "/r/a", "/r/\x00", "/r/\udcff\udcff"}
    outside = {"/r0", "/r.", "/r!", "/ra", "/q", "/s", "/"}
    paths = [Path(path) for path in sorted(inside | outside)]
    catalog.put(root, [photo(path) for path in paths], raw(*range(len(paths))), ENCODER)
    assert set(catalog.known(Path("/r"), ENCODER)) == {str(path) for path in inside}
    assert set(catalog.known(Path("/"), ENCODER)) == set(map(str, paths))


def test_known_reports_damage(tmp_path: Path) -> None:
    file = tmp_path / "damaged.sqlite"
    catalog = Catalog(file)
    root = catalog.add_root(_ROOT)
    catalog.put(
        root, [photo(_ROOT / f"{n:05}.png") for n in range(3000)], raw(*[1] * 3000), ENCODER
    )
    catalog.close()
    whole = file.read_bytes()
    page = 4096
    refused = 0
    for start in range(page, len(whole), 5 * page):
        file.write_bytes(whole[:start] + b"\xff" * page + whole[start + page :])
        try:
            with closing(Catalog(file)) as damaged:
                damaged.known(_ROOT, ENCODER)
        except LibraryDamaged:  # a part of the schema may be in the page
            refused += 1
    assert refused > 10  # and there was no other error


def test_thousands_of_ids_at_once(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    records = [photo(f"/r/{number}") for number in range(2_500)]
    ids = catalog.put(root, records, np.zeros((2_500, 3), np.float16), ENCODER)
    assert len(set(ids)) == 2_500
    assert set(catalog.records(ids)) == set(ids)
    assert set(catalog.vectors_of(ids, ENCODER)) == set(ids)
    assert [record.id for record in catalog.everything()] == sorted(ids)
    parts = []
    after = 0
    while some := catalog.raw_vectors(ENCODER, after=after, limit=700):
        ((found, _),) = some
        parts += found.tolist()
        after = parts[-1]
    assert parts == sorted(ids)
    catalog.remove(ids[:2_000])
    assert len(catalog) == 500


def test_a_failed_batch_leaves_nothing_behind(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    revision = catalog.revision
    with pytest.raises(ValueError, match="argument"):  # two photos and one vector
        catalog.put(root, [photo("/r/a"), photo("/r/b")], raw(1), ENCODER)
    assert len(catalog) == 0
    assert catalog.revision == revision


def test_only_what_was_written_since_a_revision(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    catalog.put(root, [photo("/r/a"), photo("/r/b")], raw(1, 2), ENCODER)
    since = catalog.revision
    (changed,) = catalog.put(root, [photo("/r/b")], raw(3), ENCODER)
    ((ids, vectors),) = catalog.raw_vectors(ENCODER, since=since)
    assert ids.tolist() == [changed]
    assert vectors[:, 0].tolist() == [3]


def test_vectors_of_another_encoder_mean_nothing(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    (image_id,) = catalog.put(root, [photo("/r/a")], raw(1), "that")
    assert catalog.vector_ids(ENCODER).tolist() == []
    assert catalog.contents(ENCODER) == set()
    assert catalog.vectors_of([image_id], ENCODER) == {}
    assert catalog.unsound({ENCODER: 3}) == [image_id]
    assert catalog.known(Path("/r"), ENCODER)["/r/a"].state == FileState(-1, -1)


def test_vectors_of_several_encoders_come_in_pages_by_encoder(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    lengths = {"narrow": 3, "wide": 5, "strange": 4}
    encoder_of: dict[int, str] = {}
    for number in range(60):
        encoder = ("narrow", "wide", "strange", "narrow")[number % 4]
        vector = np.full((1, lengths[encoder]), number, np.float16)
        (image_id,) = catalog.put(root, [photo(f"/r/{number:02}")], vector, encoder)
        encoder_of[image_id] = encoder
    found: dict[int, int] = {}
    after = 0
    while page := catalog.raw_vectors("wide", "narrow", after=after, limit=7):
        assert sum(len(ids) for ids, _ in page) <= 7
        for ids, vectors in page:
            assert (np.diff(ids) > 0).all()
            found |= dict.fromkeys(ids.tolist(), vectors.shape[1])
        after = max(int(ids[-1]) for ids, _ in page)
    wanted = {i: lengths[name] for i, name in encoder_of.items() if name != "strange"}
    assert found == wanted
    assert catalog.vector_ids("narrow", "wide").tolist() == sorted(wanted)
    some = catalog.vectors_of(list(encoder_of), "narrow", "wide")
    assert {image_id: len(vector) for image_id, vector in some.items()} == wanted
    assert catalog.encoders() == {"narrow": 30, "wide": 15, "strange": 15}
    others = [image_id for image_id in encoder_of if image_id not in wanted]
    assert catalog.unsound({"narrow": 3, "wide": 5}) == others
    assert catalog.unsound({"narrow": 3, "wide": 5, "strange": 3}) == others
    assert catalog.unsound(lengths) == []
    unlike = FileState(-1, -1)
    known = catalog.known(Path("/r"), "narrow", "wide").values()
    assert sorted(file.id for file in known if file.state == unlike) == others


def test_unsound_names_vectors_of_another_length(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    good, bad = catalog.put(root, [photo("/r/a"), photo("/r/b")], raw(1, 2), ENCODER)
    with closing(sqlite3.connect(catalog.file)) as other, other:
        other.execute("UPDATE vectors SET raw = x'0000' WHERE image_id = ?", (bad,))
    other.close()
    assert catalog.unsound({ENCODER: 3}) == [bad]
    with pytest.raises(LibraryDamaged, match="different lengths"):
        catalog.raw_vectors(ENCODER)
    catalog.forget_vectors([bad])
    assert [ids.tolist() for ids, _ in catalog.raw_vectors(ENCODER)] == [[good]]


def test_settings_and_generation(catalog: Catalog) -> None:
    assert catalog.setting("none", "default") == "default"
    catalog.keep("name", "one")
    catalog.keep("name", "two")
    assert catalog.setting("name") == "two"
    assert catalog.generation() is None
    for number in (1, 2):
        made = Generation(f"vectors-{number:08d}-1.faiss", 5, "sha", number, "space")
        catalog.publish(made)
        assert catalog.generation() == made


def test_roots(catalog: Catalog) -> None:
    inner = catalog.add_root(Path("/r/a"))
    catalog.put(inner, [photo("/r/a/x")], raw(1), ENCODER)
    assert catalog.add_root(Path("/r/a")) == inner
    assert catalog.add_root(Path("/r/a/b/c")) == inner
    beside = catalog.add_root(Path("/r/ab"))
    assert beside != inner
    outer = catalog.add_root(Path("/r"))
    assert [(root.path, root.images) for root in catalog.roots()] == [(Path("/r"), 1)]
    assert catalog.add_root(Path("/r/ab")) == outer


def test_threads_share_a_catalogue(catalog: Catalog) -> None:
    """Each reads one state, with as many photos as vectors, while more are written."""
    root = catalog.add_root(Path("/r"))
    paths = [f"/r/{number}" for number in range(60)]

    def write() -> None:
        for path in paths:
            catalog.put(root, [photo(path)], raw(1), ENCODER)

    def read(_: int) -> list[int]:
        counts: list[int] = []
        while not counts or counts[-1] < len(paths):
            records = list(catalog.records(range(1, len(paths) + 1)).values())
            assert len({record.path for record in records}) == len(records)
            assert len(catalog.vector_ids(ENCODER)) >= len(records)
            counts.append(len(records))
        return counts

    with ThreadPoolExecutor(5) as pool:
        writing = pool.submit(write)
        for counts in pool.map(read, range(4)):
            assert counts == sorted(counts)
        writing.result()


def test_a_failed_change_leaves_the_catalogue_usable(catalog: Catalog) -> None:
    root = catalog.add_root(Path("/r"))
    with pytest.raises(OverflowError):  # no number of bytes is that large
        catalog.put(root, [photo("/r/a", size=2**64)], raw(1), ENCODER)
    (image_id,) = catalog.put(root, [photo("/r/a")], raw(1), ENCODER)
    assert set(catalog.records([image_id])) == {image_id}


def test_a_new_catalogue_was_never_updated(catalog: Catalog) -> None:
    before = catalog.updated
    catalog.put(catalog.add_root(Path("/r")), [photo("/r/a")], raw(1), ENCODER)
    after = catalog.updated
    assert before is None
    assert after is not None
    assert after.utcoffset() is not None


# -- files that fail --------------------------------------------------------------------------


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    file.write_bytes(b"These are not the bytes you are looking for. " * 200)
    with pytest.raises(LibraryDamaged, match=r"c\.sqlite"):
        Catalog(file)


def test_a_catalogue_without_its_tables_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    Catalog(file).close()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("DROP TABLE images")
    other.close()
    with pytest.raises(LibraryDamaged, match="verify --repair"):
        Catalog(file)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="nowhere"):
        Catalog(tmp_path / "nowhere" / "c.sqlite")


def test_overwritten_pages_are_found(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    catalog = Catalog(file)
    root = catalog.add_root(Path("/r"))
    records = [photo(f"/r/{number}") for number in range(500)]
    catalog.put(root, records, np.zeros((500, 3), np.float16), ENCODER)
    catalog.close()
    content = bytearray(file.read_bytes())
    content[5 * 4096 : 12 * 4096] = os.urandom(7 * 4096)
    file.write_bytes(content)
    try:
        again = Catalog(file)
        try:
            assert again.problems()
        finally:
            again.close()
    except LibraryDamaged:
        pass  # noticed even earlier


def test_a_skipped_file_with_an_altered_row_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    catalog = Catalog(file)
    root = catalog.add_root(Path("/r"))
    files = [(Skipped(Path(f"/r/{name}"), "broken"), FileState(1, 2)) for name in "ab"]
    catalog.skip(root, files)
    catalog.close()
    with closing(sqlite3.connect(file)) as raw_file, raw_file:
        raw_file.execute("UPDATE skipped SET reason = 'braken' WHERE path = CAST('/r/a' AS BLOB)")
    raw_file.close()
    catalog = Catalog(file)
    assert list(catalog.known(Path("/r"), ENCODER)) == ["/r/b"]
    assert catalog.problems() == ["1 rows of skipped differ from their checksums"]
    catalog.skip(root, files[:1])
    assert catalog.problems() == []
    catalog.close()
