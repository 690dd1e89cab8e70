"""Readers of the data files: what is good comes out, and all that is bad is told at once."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import BadData
from pixquery.trainer.learning.datasets import (
    Caption,
    CrowdRating,
    ExpertRating,
    Judgement,
    Rating,
    parse_scale,
    read_captions,
    read_crowd_ratings,
    read_expert_ratings,
    read_judgements,
    read_pairs,
    read_queries,
    read_rated_pairs,
    read_ratings,
)
from pixquery.trainer.learning.ratings import grades_of, targets_of
from pixquery.trainer.measuring.records import Pair, TestQuery
from tests.conftest import square


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
    for reader in (
        read_queries, read_pairs, read_captions, read_expert_ratings, read_crowd_ratings,
        read_rated_pairs, read_judgements, lambda file: read_ratings(file, (1, 5)),
    ):  # fmt: skip
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path / "none.csv")
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path)


def test_a_quote_that_never_ends_is_told(file: Path) -> None:
    lines = "".join(f"{number},a dog runs on the beach,{number}.jpg\n" for number in range(9_000))
    file.write_text(f'query_id,query_text,image\n0,"a dog,0.jpg\n{lines}')
    with pytest.raises(BadData):
        read_queries(file)


def test_an_open_quote_swallows_no_lines(file: Path) -> None:
    file.write_text('query_id,image,query_text\n1,a.jpg,fine\n2,b.jpg,"a dog\n3,c.jpg,a cat\n')
    with pytest.raises(BadData, match=r"line 3: a quote is opened and never closed"):
        read_queries(file)
    file.write_text('query_id,image,query_text\n2,b.jpg,"a dog\nor two"\n3,c.jpg,a cat\n4,d.jpg\n')
    with pytest.raises(BadData, match="1 bad lines: line 5: 3 columns"):  # where it begins
        read_queries(file)


def test_a_column_named_twice_is_told(file: Path) -> None:
    file.write_text("query_id,query_text,image,image\n1,a,b,c\n")
    with pytest.raises(BadData, match="the column image more than once"):
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


def test_a_text_in_place_of_a_path_is_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"image,text\n{'a dog ' * 100},x\n")
    with pytest.raises(BadData, match="line 2: there is no photo a dog"):
        read_pairs(tmp_path / "pairs.csv")


def test_missing_photos_are_told(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("image,text\nnone.jpg,x\n.,y\n")
    with pytest.raises(BadData, match=r"2 bad lines.*line 2: there is no photo none\.jpg"):
        read_pairs(tmp_path / "pairs.csv")


# -- captions and ratings ---------------------------------------------------------------------


def test_captions(file: Path) -> None:
    file.write_text("image,query_id,query_text\na.jpg,a.jpg#0, A dog . \n")
    assert read_captions(file) == [Caption("a.jpg#0", "a.jpg", "A dog .")]
    file.write_text(
        "image,query_id,query_text\na.jpg,a.jpg#0,x\nb.jpg,a.jpg#1,x\na.jpg,a.jpg#0,y\n"
    )
    with pytest.raises(BadData, match="1 bad lines: line 4: it repeats line 2"):
        read_captions(file)


def test_rated_pairs(file: Path) -> None:
    file.write_text("image,query_id,query_text\nb.jpg,a.jpg#0,A dog .\nc.jpg,a.jpg#0,A dog .\n")
    assert read_rated_pairs(file) == [
        Caption("a.jpg#0", "b.jpg", "A dog ."), Caption("a.jpg#0", "c.jpg", "A dog ."),
    ]  # fmt: skip
    file.write_text(
        "image,query_id,query_text\nb.jpg,a.jpg#0,x\nc.jpg,a.jpg#0,y\nb.jpg,a.jpg#0,x\n"
    )
    with pytest.raises(BadData) as told:
        read_rated_pairs(file)
    assert "line 3: a.jpg#0 has another text than before" in str(told.value)
    assert "line 4: it repeats line 2" in str(told.value)


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
             "\tb\t1\t1\t1", "a b 1 1 1", "c\tb\t1\t2.0\t3", "c\tb\t1_0\t1\t1", "a\tb\t2\t2\t2"],
)  # fmt: skip
def test_bad_ratings(line: str, file: Path) -> None:
    file.write_text(f"a\tb\t1\t1\t1\n{line}\n")
    with pytest.raises(BadData, match="1 bad lines: line 2"):
        read_expert_ratings(file)


def test_pairs_that_were_judged_twice(file: Path) -> None:
    file.write_text("a\tb\t1\t1\t1\nb\ta\t1\t1\t1\n\na\tb\t1\t1\t1\n")
    with pytest.raises(BadData, match="1 bad lines: line 4: it repeats line 1"):
        read_expert_ratings(file)
    file.write_text("a\tb\t0\t0\t3\na\tb\t1\t3\t0\n")
    with pytest.raises(BadData, match="1 bad lines: line 2: it repeats line 1"):
        read_crowd_ratings(file)


def test_an_empty_file_of_ratings(file: Path) -> None:
    file.write_text("\n\n")
    for reader in (read_expert_ratings, read_crowd_ratings):
        with pytest.raises(BadData, match="is empty: a line for each rated pair"):
            reader(file)


def test_crowd_ratings(file: Path) -> None:
    file.write_text(
        "a.jpg\tb.jpg#3\t0.333333333333333\t1\t2\nb.jpg\tb.jpg#0\t1\t4\t0\nc\tb\t0.67\t2\t1\n"
    )
    first, second, third = read_crowd_ratings(file)
    assert first == CrowdRating("a.jpg", "b.jpg#3", 1 / 3, 1, 2)
    assert first.source == "b.jpg"
    assert second == CrowdRating("b.jpg", "b.jpg#0", 1, 4, 0)
    assert third.share == 2 / 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a\tb\t0\t0\t0", "nobody voted"),
        ("a\tb\t0.5\t1\t2", "1 yes and 2 no are a share of 0.333, not 0.5"),
        ("a\tb\t1\t2\t1", "2 yes and 1 no are a share of 0.667, not 1"),
        ("a\tb\t0.3\t1\t2", "1 yes and 2 no are a share of 0.333, not 0.3"),
        ("a\tb\t-0.5\t-1\t3", "'-1' is no whole number"),
        ("a\tb\t0.5\t1.5\t1.5", "'1.5' is no whole number"),
        ("a\tb\tnan\t1\t1", "the share 'nan' is no number"),
        ("a\tb\t\t1\t1", "a column is empty"),
        ("a\tb\t0.5\t1", "5 columns are needed, not 4"),
        ("a\t \t0.5\t1\t1", "a column is empty"),
    ],
)
def test_bad_crowd_ratings(line: str, words: str, file: Path) -> None:
    file.write_text(f"x\ty\t1\t1\t0\n{line}\n")
    with pytest.raises(BadData) as told:
        read_crowd_ratings(file)
    assert f"1 bad lines: line 2: {words}" in str(told.value)


# -- a user's ratings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scale"),
    [("1..5", (1, 5)), ("0..1", (0, 1)), (" -1.5 .. +2 ", (-1.5, 2)), ("0.25..0.5", (0.25, 0.5))],
)
def test_scales(text: str, scale: tuple[float, float]) -> None:
    assert parse_scale(text) == scale


@pytest.mark.parametrize(
    "text", ["", "5", "1-5", "1...5", "5..1", "3..3", "a..b", "1..", "nan..1", "0..inf", "1..2..3",
             f"0..{'9' * 400}", "1,5..2"],
)  # fmt: skip
def test_what_is_no_scale(text: str) -> None:
    with pytest.raises(BadData, match=r"like 1\.\.5 or 0\.\.1"):
        parse_scale(text)


@pytest.mark.parametrize("sep", [",", "|", "\t", ";"])
def test_ratings_of_a_user(sep: str, tmp_path: Path) -> None:
    square(tmp_path / "photos" / "a.png", "red")
    square(tmp_path / "b.png", "red")
    file = tmp_path / "ratings.csv"
    lines = [
        ("rating", "text", "image"),
        (" 3", "red ", "photos/a.png"),
        ("4.5", "blue", "./b.png"),
        ("1", "x", str(tmp_path / "b.png")),
    ]
    file.write_text("\n".join(sep.join(line) for line in lines))
    assert read_ratings(file, (1, 5)) == [
        Rating("photos/a.png", "red", 3, "", 2),
        Rating("b.png", "blue", 4.5, "", 3),
        Rating(str(tmp_path / "b.png"), "x", 1, "", 4),
    ]


def test_ratings_of_several_workers(tmp_path: Path) -> None:
    square(tmp_path / "a.png", "red")
    file = tmp_path / "ratings.csv"
    file.write_text("worker,image,text,rating\nann,a.png,red,3\nbob,a.png,red,4\n")
    assert [(r.worker, r.rating) for r in read_ratings(file, (1, 5))] == [("ann", 3), ("bob", 4)]
    with file.open("a") as more:
        more.write("ann,./a.png,red,4\n ,a.png,y,1\n")
    with pytest.raises(
        BadData, match="2 bad lines: line 4: it repeats line 2; line 5: a column is"
    ):
        read_ratings(file, (1, 5))


def test_every_bad_rating_is_told_at_once(tmp_path: Path) -> None:
    square(tmp_path / "a.png", "red")
    file = tmp_path / "ratings.csv"
    cells = ["a.png,fine,1", "a.png,x,6", "a.png,x,0.99", "a.png,x,nan", "a.png,x,-inf", "a.png,,2",
             "none.png,x,2", 'a.png,x,"3,5"', "a.png,x,", "a.png,fine,5"]  # fmt: skip
    file.write_text("image,text,rating\n" + "\n".join(cells) + "\n")
    with pytest.raises(BadData) as told:
        read_ratings(file, (1, 5))
    for words in (
        f"{file} has 9 bad lines", "line 3: the rating 6 is outside the scale 1..5",
        "line 4: the rating 0.99 is", "line 5: the rating 'nan' is no number",
        "line 6: the rating '-inf' is no number", "line 7: a column is empty",
        f"line 8: there is no photo none.png in {tmp_path}",
        "line 9: the rating '3,5' is no number", "line 10: a column is empty",
        "line 11: it repeats line 2",
    ):  # fmt: skip
        assert words in str(told.value)


def test_photos_of_ratings_lie_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square(tmp_path / "here" / "a.png", "red")
    (tmp_path / "ratings.csv").write_text("image,text,rating\na.png,x,1\nb.png,x,1\n")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BadData, match=r"2 bad lines: line 2: there is no photo a\.png.*b\.png"):
        read_ratings(tmp_path / "ratings.csv", (1, 5))


# -- judgements -------------------------------------------------------------------------------


def test_judgements(file: Path) -> None:
    file.write_text("relevance;image;query_id\n2;a b.jpg;1\n0;c.jpg;1\n0.5;a b.jpg;2\n")
    assert read_judgements(file) == [
        Judgement("1", "a b.jpg", 2), Judgement("1", "c.jpg", 0), Judgement("2", "a b.jpg", 0.5),
    ]  # fmt: skip


def test_trec_qrels(file: Path) -> None:
    file.write_text("1 0 a.jpg 2\n1\t0\tb.jpg\t0\n\n2  Q0 a.jpg   -2\n")
    assert read_judgements(file) == [
        Judgement("1", "a.jpg", 2), Judgement("1", "b.jpg", 0), Judgement("2", "a.jpg", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 0 a 1\n1 0 b 1\n2 0 a 1\n1 1 a 0\n", "1 bad lines: line 4: it repeats line 1"),
        ("1 0 a 1\n1 0 b c 1\n", "line 2: 4 columns are needed, not 5: a name with blanks"),
        ("1 0 a 1\n1 0 b x\n2 0 a inf\n", "2 bad lines: line 2: the relevance 'x' is no number"),
        ("query_id,image,relevance\n1,a,1\n1,a,1\n", "line 3: it repeats line 2"),
        ("query_id,image,relevance\n1,a,-1\n", "line 2: the relevance -1 is below 0"),
        ("query_id,image,relevance\n1,a,\n1,b,1,2\n", "2 bad lines: line 2: a column is empty"),
        ("query_id,image\n1,a\n", "query_id, image, relevance, separated by comma, |, tab or ;, or"
         " the file must be TREC qrels"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_bad_judgements(content: str, words: str, file: Path) -> None:
    file.write_text(content)
    with pytest.raises(BadData) as told:
        read_judgements(file)
    assert words in str(told.value)


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
    crowd = read_crowd_ratings(flickr / "CrowdAnnotations.tsv")
    assert len(crowd) == 30_062
    assert {rating.caption for rating in crowd} <= captions
    pairs = read_rated_pairs(flickr / "train_dataset.csv")
    assert [(pair.image, pair.id) for pair in pairs] == [(r.image, r.caption) for r in ratings]
