"""Readers of the data files: what is good comes out, and all that is bad is told at once."""

import csv
import io
from pathlib import Path

import pytest
from conftest import square
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db.errors import BadData
from db.records import Pair, TestQuery
from trainer.datasets import (
    Caption,
    ExpertRating,
    read_captions,
    read_expert_ratings,
    read_pairs,
    read_queries,
)
from trainer.ratings import grades_of, targets_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


_cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=20
).filter(str.strip)


@given(
    rows=st.lists(st.tuples(_cells, _cells, _cells), min_size=1, max_size=6),
    sep=st.sampled_from(",|\t;"),
)
@hypothesis_settings(max_examples=80)
def test_whatever_a_csv_writer_writes_is_read(
    rows: list[tuple[str, str, str]], sep: str, file: Path
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sep, lineterminator="\n")
    writer.writerows([("query_id", "query_text", "image"), *rows])
    file.write_bytes(out.getvalue().encode())
    assert read_queries(file) == [TestQuery(*map(str.strip, row)) for row in rows]


@pytest.mark.parametrize("sep", [",", "|", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_found_by_name(sep: str, encoding: str, end: str, file: Path) -> None:
    lines = [
        sep.join(["image", "extra", "query_text", "query_id"]),
        sep.join(["a.jpg", "", "ein Mädchen", "7"]),
        "",
        sep.join(["b.jpg", "x", '"two', "8"]).replace('"two', '"two lines" '),
    ]
    file.write_bytes((end.join(lines) + end).encode(encoding))
    assert read_queries(file) == [
        TestQuery("7", "ein Mädchen", "a.jpg"),
        TestQuery("8", "two lines", "b.jpg"),
    ]


def test_a_separator_can_be_told(file: Path) -> None:
    file.write_text("query_id:query_text:image\n1:a, b | c:d.jpg\n")
    assert read_queries(file, ":") == [TestQuery("1", "a, b | c", "d.jpg")]
    with pytest.raises(BadData, match="first line"):
        read_queries(file)
    with pytest.raises(BadData, match="one character"):
        read_queries(file, "::")


def test_every_bad_line_is_told_with_its_number(file: Path) -> None:
    file.write_text(
        "query_id,query_text,image\n1,fine,a.jpg\n2,,b.jpg\n3,short\n4,ok,c.jpg\n5,a,b,c\n"
    )
    with pytest.raises(BadData) as told:
        read_queries(file)
    for words in ("3 bad lines", "line 3: a column is empty", "line 4: 3 columns are needed, not 2",
                  "line 6: 3 columns are needed, not 4", str(file)):  # fmt: skip
        assert words in str(told.value)


def test_many_bad_lines_are_counted(file: Path) -> None:
    file.write_text("query_id,query_text,image\n" + "x\n" * 25)
    with pytest.raises(BadData, match=r"25 bad lines.*and 15 more"):
        read_queries(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"query_id,query_text,image\n", "nothing else"),
        (b"id,text,image\n1,2,3\n", "first line must name"),
        (b"query_id,query_text,image\n1,\xff\xfe,a.jpg\n", "UTF-8"),
    ],
)
def test_files_of_another_kind(content: bytes, words: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(BadData, match=words):
        read_queries(file)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for reader in (read_queries, read_pairs, read_captions, read_expert_ratings):
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path / "none.csv")
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path)


def test_a_quote_that_never_ends_is_told(file: Path) -> None:
    lines = "".join(f"{number},a dog runs on the beach,{number}.jpg\n" for number in range(9_000))
    file.write_text(f'query_id,query_text,image\n0,"a dog,0.jpg\n{lines}')
    with pytest.raises(BadData):
        read_queries(file)


def test_rare_characters_that_look_like_line_ends_are_text(file: Path) -> None:
    text = "one\u2028two\x0bthree\x85four"
    file.write_text(f"query_id,query_text,image\n1,{text},a.jpg\n", "utf-8")
    assert read_queries(file) == [TestQuery("1", text, "a.jpg")]


# -- pairs ------------------------------------------------------------------------------------


def test_photos_are_found_from_here_and_from_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    square(here / "a.png", "red")
    square(there / "a.png", "red")
    square(there / "b.png", "red")
    (there / "pairs.csv").write_text(f"text,image\nx,a.png\ny,b.png\nz,{there / 'a.png'}\n")
    monkeypatch.chdir(here)
    found = read_pairs(there / "pairs.csv")
    assert [pair.text for pair in found] == ["x", "y", "z"]
    assert [pair.image.resolve() for pair in found] == [
        here / "a.png", there / "b.png", there / "a.png",
    ]  # fmt: skip
    assert isinstance(found[0], Pair)


def test_missing_photos_are_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("image,text\nnone.jpg,x\n.,y\n")
    with pytest.raises(BadData, match=r"2 bad lines.*line 2: there is no photo none\.jpg"):
        read_pairs(tmp_path / "pairs.csv")


# -- captions and ratings ---------------------------------------------------------------------


def test_captions(file: Path) -> None:
    file.write_text("image,query_id,query_text\na.jpg,a.jpg#0, A dog . \n")
    assert read_captions(file) == [Caption("a.jpg#0", "a.jpg", "A dog .")]


def test_ratings(file: Path) -> None:
    file.write_text('a.jpg\tb.jpg#3\t1\t2\t4\nb.jpg\t"b.jpg#0\t4\t4\t4\n')
    first, second = read_expert_ratings(file)
    assert first == ExpertRating("a.jpg", "b.jpg#3", (1, 2, 4))
    assert first.source == "b.jpg"
    assert second.caption == '"b.jpg#0'  # quotes mean nothing here
    assert grades_of([first, second]).tolist() == [[1, 2, 4], [4, 4, 4]]
    assert targets_of([first, second]) == pytest.approx([4 / 9, 1])
    assert targets_of([ExpertRating("a", "b", (1, 1, 1))]) == pytest.approx([0])


@pytest.mark.parametrize(
    "line", ["a\tb\t1\t2", "a\tb\t1\t2\t3\t4", "a\tb\t0\t1\t1", "a\tb\t1\t1\t5", "a\tb\tx\t1\t1",
             "\tb\t1\t1\t1", "a b 1 1 1"],
)  # fmt: skip
def test_bad_ratings(line: str, file: Path) -> None:
    file.write_text(f"a\tb\t1\t1\t1\n{line}\n")
    with pytest.raises(BadData, match="1 bad lines: line 2"):
        read_expert_ratings(file)


# -- the real files ---------------------------------------------------------------------------


def test_the_real_files(flickr: Path) -> None:
    assert len(read_queries(flickr / "test_queries.csv")) == 5_000
    assert len(read_captions(flickr / "captions_dev.csv")) == 5_000
    train = read_captions(flickr / "captions_train.csv")
    assert len(train) == 29_995
    assert len({caption.image for caption in train}) == 5_999
    assert all(caption.id.startswith(caption.image + "#") for caption in train)
    ratings = read_expert_ratings(flickr / "ExpertAnnotations.tsv")
    assert len(ratings) == 3_714
    assert all(tuple(sorted(rating.grades)) == rating.grades for rating in ratings)
    captions = {caption.id for caption in read_captions(flickr / "captions_rated.csv")}
    assert {rating.caption for rating in ratings} <= captions
