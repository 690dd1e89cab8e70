"""Ratings of experts, of a crowd and of the user's own raters."""

from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.ratings import (
    CrowdRating,
    ExpertRating,
    Rating,
    parse_scale,
    read_crowd_ratings,
    read_expert_ratings,
    read_ratings,
)
from pixquery.trainer.measuring.queries import read_queries
from tests.conftest import square


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


def test_ratings(file: Path) -> None:
    file.write_text('a.jpg\tb.jpg#3\t1\t2\t4\nb.jpg\t"b.jpg#0\t4\t4\t4\n')
    first, second = read_expert_ratings(file)
    assert first == ExpertRating("a.jpg", "b.jpg#3", (1, 2, 4))
    assert first.source == "b.jpg"
    assert second.caption == '"b.jpg#0'  # quotes mean nothing here
    assert second.grades == (4, 4, 4)


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


def test_yes_and_no_are_ratings(tmp_path: Path) -> None:
    square(tmp_path / "a.png", "red")
    file = tmp_path / "ratings.csv"
    file.write_text("image,text,rating\na.png,red,Yes\na.png,blue,no\na.png,x,0.5\n")
    for scale in (None, (0.0, 1.0)):
        assert [rating.rating for rating in read_ratings(file, scale)] == [1, 0, 0.5]
    with pytest.raises(BadData, match="line 2: the rating 'Yes' is no number"):
        read_ratings(file, (1, 5))
    file.write_text("image,text,rating\na.png,red,yes\na.png,blue,4\n")
    with pytest.raises(BadData, match=r"words such as 'yes' beside numbers such as 4 \(line 3\)"):
        read_ratings(file, None)


def test_all_bad_ratings_are_reported_at_once(tmp_path: Path) -> None:
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
