"""The table over the given sets, on photos of colours whose figures anybody can work out."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import everyday
from benchmarks.given import concepts, examples, finding, robustness, sheet, things, typed, union
from benchmarks.given.encoded import Encoded
from benchmarks.given.table import lines
from benchmarks.setting import EXAMPLES, ROOT, photos_in
from pixquery.engine.profile import load_profile
from pixquery.engine.standing import FITS
from pixquery.indexer.decode import decode
from pixquery.trainer.measuring.queries import read_queries
from tests.conftest import write_profile
from tests.photos import quarters

SHOWN = ("red", "green", "blue", "yellow")


def table(file: Path, *rows: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return file


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four names with two photos each: one of the pure colour, and one of a lighter one."""
    folder = tmp_path_factory.mktemp("given") / "things200"
    (folder / "images").mkdir(parents=True)
    pure = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
    for name, rgb in pure.items():
        lighter = tuple(max(value, 60) for value in rgb)
        Image.new("RGB", (64, 48), rgb).save(folder / "images" / f"{name}.png")
        Image.new("RGB", (64, 48), lighter).save(folder / "images" / f"{name}-light.png")
    table(
        folder / "queries.csv",
        "query_id,query_text,image",
        *(f"{name},{name},{name}.png" for name in SHOWN),
    )
    table(
        folder / "judgements.csv",
        "query_id,image,relevance",
        *(f"{name},{name}{end}.png,1" for name in SHOWN for end in ("", "-light")),
    )
    return folder.parent


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    folder = tmp_path_factory.mktemp("everyday")
    profile = write_profile(folder / "profile", "everyday", relevance="steep")
    return Encoded(load_profile(str(profile)), folder / "cache")


def test_names_of_colours_find_their_photos(encoded: Encoded, given: Path) -> None:
    figures = things.things(encoded, given / "things200")
    for stage in ("prefilter", "reranked", "by relevance, all photos"):
        assert figures["mAP"][stage]["value"] == 1
    assert (figures["queries"], figures["photos"]) == (4, 8)
    # Similarity to the own colours is above 0.9, which the colours' regressor puts above 0.9.
    assert figures["at 0.5"]["found"]["value"] == 1
    assert figures["at 0.5"]["right"]["value"] == pytest.approx(
        8 / figures["at 0.5"]["shown"], abs=1e-4
    )


def test_recall_of_captions(encoded: Encoded, given: Path) -> None:
    queries = read_queries(given / "things200" / "queries.csv")
    figures = finding.captions(encoded, given / "things200" / "images", queries)
    assert figures["prefilter"]["recall@1"]["value"] == 1
    assert figures["reranked"]["recall@1"] == {"value": 1.0, "ci95": [1.0, 1.0], "n": 4}


def test_vectors_are_kept_until_a_photo_changes(
    encoded: Encoded, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "one.png"
    photo.write_bytes((given / "things200" / "images" / "red.png").read_bytes())
    first = encoded.photos([photo])
    assert "encoding 1 photos" in capsys.readouterr().err
    assert np.array_equal(encoded.photos([photo]), first)
    assert capsys.readouterr().err == ""
    photo.write_bytes((given / "things200" / "images" / "blue-light.png").read_bytes())
    assert encoded.photos([photo])[0] @ first[0] < 0.5


def test_a_library_of_kept_vectors_answers_as_usual(encoded: Encoded, given: Path) -> None:
    photos = photos_in(given / "things200" / "images")
    with union.library_of(encoded, [photos]) as library:
        best, fitting = typed.asked(library, "blue")
        assert [hit.path.name for hit in best[:2]] == ["blue.png", "blue-light.png"]
        relevances = encoded.relevances(encoded.texts(["blue"]), encoded.photos(photos))[0]
        assert fitting == (relevances >= FITS).sum()


def test_the_page_stays_out_of_the_repository(
    encoded: Encoded, given: Path, tmp_path: Path
) -> None:
    with union.library_of(encoded, [photos_in(given / "things200" / "images")]) as library:
        with pytest.raises(SystemExit, match="in the repository"):
            sheet.write(library, ROOT / "sheet")
        assert "data:image/jpeg" in sheet.write(library, tmp_path / "sheet", ["red"]).read_text()


def test_missing_data_is_said(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = write_profile(tmp_path / "profile", "everyday", relevance="steep")
    words = ["everyday", "--profile", str(profile), "--data", str(given), "--cache", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*words, "--only", "things", "coco", "nonsense", "--json"])
    everyday.main()
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["things"]["mAP"]["prefilter"]["value"] == 1
    assert "coco-mini is missing" in figures["coco"]
    assert figures["nonsense"]["fitting"]["n"] == len(typed.NONSENSE)
    printed = "\n".join(lines(figures))
    assert "things / mAP / prefilter" in printed
    monkeypatch.setattr("sys.argv", [*words, "--only", "thing"])
    with pytest.raises(SystemExit, match="no part 'thing'"):
        everyday.main()


# -- what was written by hand ---------------------------------------------------------------------


def test_every_example_is_described_and_judged() -> None:
    rows = examples.rows_of(examples.HERE / "examples.csv")
    assert [row["image"] for row in rows] == [photo.name for photo in photos_in(EXAMPLES)]
    assert len({row["description"] for row in rows}) == len(rows)
    known = set(examples.names())
    for row in rows:
        for column in ("shows", "unclear"):
            assert {name for name in row[column].split(";") if name} <= known


def test_a_group_covers_the_classes_below_it(tmp_path: Path) -> None:
    ids = {
        id_
        for row in examples.rows_of(examples.HERE / "groups.csv")
        for column in ("shows", "unclear")
        for id_ in row[column].split()
    }
    table(
        tmp_path / "classes.csv",
        "class,wordnet_id,names",
        "0,n02110958,pug",
        "1,n02114548,white wolf",
        "2,n03063599,coffee mug",
    )
    groups = [f"{id_},some," for id_ in ids - {"n02084071", "n02083346"}]
    table(
        tmp_path / "nodes.csv",
        "wordnet_id,names,classes",
        "n02084071,dog,0",
        "n02083346,canine,0 1",
        *groups,
    )
    dog = examples.groups(tmp_path)[0]
    photos = [Path("n02110958.jpg"), Path("n02114548.jpg"), Path("n03063599.jpg")]
    photos += [EXAMPLES / "p07.jpg", EXAMPLES / "p06.jpg"]
    assert examples.truth(dog, photos) == [True, None, False, True, False]


def test_concepts_are_found_by_their_stems(tmp_path: Path) -> None:
    captions = table(
        tmp_path / "captions.csv",
        "image,query_id,query_text",
        "a.jpg,a.jpg#0,Two dogs on a couch .",
        "a.jpg,a.jpg#1,dogs and ice-cream",
        "b.jpg,b.jpg#0,A dog eats ice",
    )
    table(tmp_path / "classes.csv", "class,wordnet_id,names", "0,n1,ice lolly; lolly", "1,n2,bills")
    table(tmp_path / "nodes.csv", "wordnet_id,names,classes", "n3,dog; domestic dog,0")
    wanted = ["dog", "sofa|couch", "ice cream", "lolly", "receipt"]
    assert concepts.known(wanted, captions, tmp_path) == {
        "dog": (2, 1),
        "sofa|couch": (1, 0),
        "ice cream": (1, 0),
        "lolly": (0, 1),
        "receipt": (0, 0),
    }


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("zebra", "zebras"),
        ("cock", "cocks"),
        ("fox", "foxes"),
        ("butterfly", "butterflies"),
        ("monkey", "monkeys"),
        ("goldfish", "goldfish"),
        ("sewing scissors", "sewing scissors"),
        ("carving knife", "carving knives"),
    ],
)
def test_plurals(name: str, several: str) -> None:
    assert finding.plural(name) == several


def test_hundred_queries() -> None:
    with (examples.HERE / "typed.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["query"] for row in rows}) == 100
    assert all(row["concepts"] for row in rows)


# -- changed pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_shows_the_same_picture(orientation: int) -> None:
    picture = quarters()
    content = robustness.oriented(picture, orientation)
    pixels = decode(content, 96).pixels.astype(int)
    assert np.abs(pixels - np.asarray(picture.resize((96, 96))).astype(int)).mean() < 4


def test_a_shift_moves_every_pixel_by_one() -> None:
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    moved = np.asarray(robustness.upright(robustness.shifted(picture)))
    before = np.asarray(picture)
    assert np.array_equal(moved[1:, 1:], before[:-1, :-1])
    assert np.array_equal(moved[0, 1:], before[0, :-1])
