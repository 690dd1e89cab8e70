"""Folders of judgements: which layout they have, and what is read from them, against hand-worked
rows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pixquery.commands.loading import view_loader
from pixquery.db.errors import BadData
from pixquery.trainer.learning.datasets import CAPTIONED, RATED, described, layout_of, read_dataset
from tests.conftest import Invoke, sentence, square
from tests.folders import flickr_folder

LOAD = view_loader("bicubic")

TEXTS = """image,query_id,query_text
a.png,a.png#2,A red square .
b.png,a.png#2,A red square .
a.png,b.png#0,"Green , all of it ."
c.png,gone.png#1,Nothing like it .
"""
EXPERTS = """a.png\ta.png#2\t4\t4\t4
b.png\ta.png#2\t1\t1\t2
a.png\tb.png#0\t3\t3\t4
c.png\tgone.png#1\t1\t2\t2
"""
CROWD = """a.png\ta.png#2\t1\t3\t0
b.png\tb.png#0\t0.667\t2\t1
"""
QUERIES = """|query_id|query_text|image
0|t.png#0|blue|t.png
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "judged"
    for name, colour in (("a", "red"), ("b", "green"), ("c", "white")):
        square(made / "train_images" / f"{name}.png", colour)
    square(made / "test_images" / "t.png", "blue")
    (made / "train_dataset.csv").write_text(TEXTS, "utf-8")
    (made / "ExpertAnnotations.tsv").write_text(EXPERTS, "utf-8")
    (made / "CrowdAnnotations.tsv").write_text(CROWD, "utf-8")
    (made / "test_queries.csv").write_text(QUERIES, "utf-8")
    return made


def append(file: Path, *lines: str) -> None:
    file.write_text(file.read_text("utf-8") + "".join(f"{line}\n" for line in lines), "utf-8")


def test_rows_texts_and_photos_are_joined_by_their_ids(folder: Path) -> None:
    dataset = read_dataset(folder, LOAD)
    pairs = dataset.pairs
    assert dataset.layout is RATED
    assert dataset.dropped == {}
    assert list(zip(pairs.images, pairs.texts, pairs.sources, strict=True)) == [
        ("a.png", "A red square .", "a.png"),
        ("b.png", "A red square .", "a.png"),
        ("a.png", "Green , all of it .", "b.png"),
        ("c.png", "Nothing like it .", "gone.png"),
        ("b.png", "Green , all of it .", "b.png"),
    ]
    assert pairs.own.tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(
        pairs.grades.mean(1), [1, 1 / 9, 7 / 9, 2 / 9, np.nan], equal_nan=True
    )
    np.testing.assert_allclose(
        pairs.share, [1, np.nan, np.nan, np.nan, 2 / 3], atol=1e-3, equal_nan=True
    )
    assert [(query.text, query.image) for query in dataset.queries] == [("blue", "t.png")]
    # Own captions of photos that are there, and what was judged 10 / 3 of 4.
    assert [(each.image, each.text, round(each.weight, 3)) for each in dataset.captions] == [
        ("a.png", "A red square .", 1.0),
        ("b.png", "Green , all of it .", 1.0),
        ("a.png", "Green , all of it .", 0.778),
    ]


@pytest.mark.parametrize("place", ["images", "."])
def test_photos_may_lie_elsewhere(folder: Path, place: str) -> None:
    for photo in sorted((folder / "train_images").iterdir()):
        (folder / place).mkdir(exist_ok=True)
        photo.rename(folder / place / photo.name)
    dataset = read_dataset(folder, LOAD)
    assert dataset.dropped == {}
    assert len(dataset.pairs.images) == 5


def test_names_may_begin_with_their_folder(folder: Path) -> None:
    for name in ("train_dataset.csv", "ExpertAnnotations.tsv", "CrowdAnnotations.tsv"):
        lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
        named = [line if line.startswith("image") else f"train_images/{line}" for line in lines]
        (folder / name).write_text("".join(named), "utf-8")
    assert read_dataset(folder, LOAD).dropped == {}


def test_what_the_folder_lacks_is_left_out_and_counted(folder: Path) -> None:
    append(
        folder / "train_dataset.csv",
        "a.png,,A text without an id .",
        "a.png,c.png#0,",
        "a.png,x.png#4,One text .",
        "b.png,x.png#4,Another text .",
    )
    append(
        folder / "ExpertAnnotations.tsv",
        "a.png\tunheard.png#0\t1\t1\t1",
        "gone.png\ta.png#2\t1\t1\t1",
        "a.png\tx.png#4\t1\t1\t1",
        "broken.png\ta.png#2\t1\t1\t1",
    )
    append(folder / "CrowdAnnotations.tsv", "gone.png\ta.png#2\t0\t0\t3")
    append(folder / "test_queries.csv", "1|u.png#0|grey|u.png")
    (folder / "train_images" / "broken.png").write_bytes(b"no photo")
    dataset = read_dataset(folder, LOAD)
    assert dataset.dropped == {
        "texts": {"no id": 1, "no text": 1, "several texts of one id": 1},
        "expert": {"no text": 2, "no photo": 1, "unreadable photo": 1},
        "crowd": {"no photo": 1},
        "queries": {"no photo": 1},
    }
    assert len(dataset.pairs.images) == 5
    assert len(dataset.queries) == 1


def test_a_query_of_a_photo_that_is_learned_from_is_left_out(folder: Path) -> None:
    photo = folder / "images" / "t.png"
    photo.parent.mkdir()
    (folder / "test_images" / "t.png").rename(photo)
    append(folder / "test_queries.csv", "1|a.png#0|red|images/t.png")
    assert read_dataset(folder, LOAD).dropped == {}  # nobody rated it
    append(folder / "ExpertAnnotations.tsv", "t.png\ta.png#2\t1\t1\t1")
    dataset = read_dataset(folder, LOAD)
    assert dataset.dropped == {"queries": {"rated photo": 2}}
    assert dataset.queries == []


def test_a_crowd_that_is_left_out_leaves_the_experts(folder: Path) -> None:
    (folder / "CrowdAnnotations.tsv").write_text("a.png\tunheard.png#0\t1\t3\t0\n", "utf-8")
    dataset = read_dataset(folder, LOAD)
    assert dataset.dropped == {"crowd": {"no text": 1}}
    assert not dataset.pairs.crowd.any()
    (folder / "CrowdAnnotations.tsv").unlink()
    assert read_dataset(folder, LOAD).dropped == {}


def test_without_an_expert_row_there_is_nothing_to_learn(folder: Path) -> None:
    shutil.rmtree(folder / "train_images")
    with pytest.raises(BadData, match=r"can be used: 4 have no photo \(the first is of a\.png and"):
        read_dataset(folder, LOAD)


def test_texts_without_any_id(folder: Path) -> None:
    (folder / "train_dataset.csv").write_text("image,query_id,query_text\na.png,,red\n", "utf-8")
    with pytest.raises(BadData, match=r"none of the 1 lines of .* has a text with an id"):
        read_dataset(folder, LOAD)
    (folder / "train_dataset.csv").write_text("image,query_text\na.png,red\n", "utf-8")
    with pytest.raises(BadData, match="must name the columns query_id, query_text, image"):
        read_dataset(folder, LOAD)


def test_the_richer_layout_wins(folder: Path, data: Path, tmp_path: Path) -> None:
    assert layout_of(folder) is RATED
    assert described(folder).endswith(
        "judged is a folder with train_dataset.csv, ExpertAnnotations.tsv, CrowdAnnotations.tsv, "
        "train_images, test_queries.csv and test_images"
    )
    both = shutil.copytree(data, tmp_path / "both")
    shutil.copy(folder / "train_dataset.csv", both)
    assert layout_of(both) is CAPTIONED
    assert described(both).endswith("images/dev; train_dataset.csv is not needed")
    dataset = read_dataset(both, LOAD)
    assert len(dataset.captions) == 12
    assert dataset.asked == (both / "images" / "dev",)


@pytest.mark.parametrize(
    ("left", "lacks"),
    [
        ((), "train_dataset.csv and ExpertAnnotations.tsv:"),
        (("ExpertAnnotations.tsv",), "train_dataset.csv:"),
        (("train_dataset.csv",), "ExpertAnnotations.tsv:"),
        (("captions_train.csv",), "captions_rated.csv and ExpertAnnotations.tsv:"),
        (("captions_train.csv", "ExpertAnnotations.tsv"), "captions_rated.csv:"),
    ],
)
def test_a_folder_of_neither_layout(
    left: tuple[str, ...], lacks: str, tmp_path: Path, invoke: Invoke
) -> None:
    """Both layouts are named, and what the nearer one lacks."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("anything\n")
    run = invoke("train", folder, "--out", tmp_path / "out")
    assert run.exit_code == 1
    told = sentence(run.stderr)
    assert "captions_train.csv, captions_rated.csv and ExpertAnnotations.tsv with images" in told
    assert "or train_dataset.csv and ExpertAnnotations.tsv with train_images" in told
    assert f"lacks {lacks}" in told
    assert sorted(tmp_path.iterdir()) == [folder]


@pytest.mark.slow
def test_the_real_files(flickr: Path, tmp_path: Path) -> None:
    dataset = read_dataset(flickr_folder(tmp_path / "real", flickr), LOAD)
    assert dataset.dropped == {"crowd": {"no text": 1097}}
    assert dataset.pairs.expert.sum() == 3714
    assert dataset.pairs.crowd.sum() == 30062 - 1097
    assert len(dataset.queries) == 5000
    own = [caption for caption in dataset.captions if caption.weight == 1]
    assert len({caption.image for caption in own}) >= 769
    assert all(0.76 < caption.weight <= 1 for caption in dataset.captions)
