"""Batch evaluation on squares, where every rank can be worked out, and on a thousand photos."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pixquery import Library
from pixquery.db.errors import BadData, UnreadableImage
from pixquery.db.records import Scales
from pixquery.engine.features import Vectors
from pixquery.engine.profile import Profile
from pixquery.indexer.build import index
from pixquery.indexer.decode import decode
from pixquery.trainer.measuring.evaluate import (
    evaluate,
    evaluate_graded,
    write_measures,
    write_ranks,
)
from pixquery.trainer.measuring.judgements import Judgement
from pixquery.trainer.measuring.metrics import RETRIEVAL, Ranks
from pixquery.trainer.measuring.pairs import Pair
from pixquery.trainer.measuring.queries import TestQuery, read_queries
from pixquery.trainer.measuring.score import score
from tests.conftest import COLOURS, Invoke, NewLibrary, centred, parsed, square, write_profile
from tests.lessons import resealed


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    made = new_library()
    index(made, [squares])
    return made


def image_of(squares: Path, colour: str) -> str:
    return next(squares.rglob(f"{colour}.*")).name


def test_perfect_queries(library: Library, squares: Path) -> None:
    queries = [TestQuery(c, c, image_of(squares, c)) for c in COLOURS]
    result, (first, reranked) = evaluate(library, queries, 200)
    assert first.tolist() == reranked.tolist() == [1] * 8
    perfect = {
        "recall@1": 1.0, "recall@5": 1.0, "recall@10": 1.0, "mrr": 1.0, "ndcg@10": 1.0,
        "median_rank": 1.0,
    }  # fmt: skip
    assert result.first_stage == result.reranked == perfect
    assert (result.queries, result.images, result.profile) == (8, 8, "colours")
    assert not result.unmatched
    assert result.ci95["reranked"]["recall@1"] == pytest.approx((1, 1))
    assert 0 < result.p50 <= result.p95


def test_ranks_by_hand(library: Library, squares: Path) -> None:
    queries = [
        TestQuery("1", "red", image_of(squares, "red")),  # rank 1
        TestQuery("2", "red", image_of(squares, "cyan")),  # the opposite: rank 8
        TestQuery("3", "red", "nowhere.jpg"),  # not in the library: counts as not found
        TestQuery("4", "green", image_of(squares, "green")),  # rank 1
    ]
    result, (first, _) = evaluate(library, queries, 200)
    assert first.tolist() == [1, 8, math.inf, 1]
    assert result.unmatched == ("nowhere.jpg",)
    assert result.first_stage == pytest.approx(
        {
            "recall@1": 0.5,
            "recall@5": 0.5,
            "recall@10": 0.75,
            "mrr": (1 + 1 / 8 + 0 + 1) / 4,
            "ndcg@10": (1 + 1 / math.log2(9) + 0 + 1) / 4,
            "median_rank": (1 + 8) / 2,
        }
    )


def test_beyond_the_candidates_is_not_found(library: Library, squares: Path) -> None:
    _, (first, _) = evaluate(library, [TestQuery("1", "red", image_of(squares, "cyan"))], 5)
    assert first.tolist() == [math.inf]


def test_photos_are_named_by_the_end_of_their_path(library: Library, squares: Path) -> None:
    square(squares / "x" / "same.png", (255, 0, 10))
    square(squares / "y" / "same.png", (0, 255, 10))
    index(library, [squares])
    _, (first, _) = evaluate(
        library, [TestQuery("1", "red", "x/same.png"), TestQuery("2", "green", "y/same.png")], 200
    )
    assert first.max() <= 2
    with pytest.raises(BadData, match=r"same\.png names 2 different photos"):
        evaluate(library, [TestQuery("1", "red", "same.png")], 200)


def test_part_of_a_name_names_nothing(library: Library, squares: Path) -> None:
    whole = image_of(squares, "red")
    result, _ = evaluate(library, [TestQuery("1", "red", whole[1:])], 200)
    assert result.unmatched == (whole[1:],)


def test_copies_of_a_photo_are_one_photo(library: Library, squares: Path) -> None:
    name = image_of(squares, "red")
    (squares / "copy").mkdir()
    shutil.copy(next(squares.rglob(name)), squares / "copy" / name)
    index(library, [squares])
    _, (first, reranked) = evaluate(library, [TestQuery("1", "red", name)], 200)
    assert first.tolist() == reranked.tolist() == [1]


def test_an_empty_library_finds_nothing(new_library: NewLibrary) -> None:
    result, _ = evaluate(new_library(), [TestQuery("1", "red", "a.jpg")], 200)
    assert result.first_stage["recall@10"] == 0
    assert result.first_stage["median_rank"] == 1  # one more than the library has


def test_progress_ends_at_the_total(library: Library) -> None:
    told: list[tuple[int, int]] = []
    evaluate(
        library,
        [TestQuery(str(n), "red", "a.jpg") for n in range(120)],
        10,
        lambda done, total: told.append((done, total)),
    )
    assert told == [(50, 120), (100, 120), (120, 120)]


def test_ranks_are_written(tmp_path: Path) -> None:
    queries = [TestQuery("1", 'say "x", y', "a.jpg"), TestQuery("2", "z", "b.jpg")]
    write_ranks(tmp_path / "r.csv", queries, (np.array([3, math.inf]), np.array([1.0, 20.0])))
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["query_id", "query_text", "image", "prefilter_rank", "reranked_rank"],
            ["1", 'say "x", y', "a.jpg", "3", "1"],
            ["2", "z", "b.jpg", "", "20"],
        ]


def asked(*ids: str) -> list[TestQuery]:
    """Queries for red squares; their one relevant photo does not matter."""
    return [TestQuery(id_, "red", "nowhere.jpg") for id_ in ids]


def judged(squares: Path, query: str, **relevance: float) -> list[Judgement]:
    return [Judgement(query, image_of(squares, c), value) for c, value in relevance.items()]


def test_graded_measures_of_squares(library: Library, squares: Path) -> None:
    """Red's order is red, then three with one other channel, three with two, and cyan last."""
    judgements = judged(squares, "1", cyan=2, red=1, white=0)
    _, _, graded = evaluate_graded(library, asked("1"), judgements, 200)
    ideal = 2 + 1 / math.log2(3)
    wanted = {
        "nDCG@5": 1 / ideal,
        "nDCG@10": (1 + 2 / math.log2(9)) / ideal,
        "AP": (1 + 2 / 8) / 2,
        "RR": 1,
        "P@1": 1,
        "P@5": 1 / 5,
        "P@10": 2 / 10,
        "R@5": 1 / 2,
        "R@10": 1,
    }
    assert graded.means(0) == pytest.approx(wanted)
    assert graded.means(1) == pytest.approx(wanted)
    assert graded.unjudged.tolist() == [[5], [5]]  # eight squares less three
    assert (graded.judgements, graded.left_out, graded.unknown, graded.unmatched) == (3, (), (), ())


def test_the_stages_are_distinct(squares: Path, tmp_path: Path) -> None:
    """A regressor that prefers the least similar photos."""
    folder = write_profile(tmp_path / "contrary", "contrary", relevance="steep")
    tensors = load_file(folder / "relevance.safetensors")
    save_file({**tensors, "weights": -tensors["weights"]}, folder / "relevance.safetensors")
    resealed(folder)
    judgements = judged(squares, "1", cyan=1) + judged(squares, "2", red=1)
    with Library.open(tmp_path / "library", create=True, profile=str(folder)) as library:
        index(library, [squares])
        _, _, graded = evaluate_graded(library, asked("1", "2"), judgements, 200)
    assert graded.values["RR"].tolist() == [[1 / 8, 1], [1, 1 / 8]]
    assert graded.means(0) == graded.means(1)
    assert graded.ci95()["gain"]["RR"] == pytest.approx((-7 / 8, 7 / 8))


def test_only_queries_with_a_relevant_photo_count(library: Library, squares: Path) -> None:
    judgements = [
        *judged(squares, "1", red=3),
        *judged(squares, "2", red=0, blue=0),
        *judged(squares, "elsewhere", red=1),
    ]
    result, ranks, graded = evaluate_graded(library, asked("1", "2", "3"), judgements, 200)
    assert [query.id for query in graded.queries] == ["1"]
    assert (graded.left_out, graded.unknown) == (("2", "3"), ("elsewhere",))
    assert graded.judgements == 1
    assert (result.queries, len(ranks[0])) == (3, 3)  # the other measures count all


def test_an_unanswered_query_counts_zero(library: Library, squares: Path) -> None:
    judgements = [*judged(squares, "1", red=1), Judgement("2", "lost.jpg", 1.0)]
    _, _, graded = evaluate_graded(library, asked("1", "2"), judgements, 200)
    assert graded.values["nDCG@10"].tolist() == [[1, 0], [1, 0]]
    assert graded.means(1)["nDCG@10"] == 0.5
    assert graded.unmatched == ("lost.jpg",)


def test_an_empty_library_has_measures_too(new_library: NewLibrary) -> None:
    _, _, graded = evaluate_graded(new_library(), asked("1"), [Judgement("1", "a.jpg", 1)], 200)
    assert set(graded.means(0).values()) == set(graded.means(1).values()) == {0}
    assert graded.unjudged.tolist() == [[0], [0]]


def test_photos_missing_from_the_library_count_in_the_ideal(
    library: Library, squares: Path
) -> None:
    judgements = [*judged(squares, "1", red=1), Judgement("1", "lost.jpg", 1.0)]
    _, _, graded = evaluate_graded(library, asked("1"), judgements, 200)
    assert graded.means(0)["nDCG@10"] == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert graded.means(0)["R@10"] == 0.5


def test_a_copy_gains_nothing_more(library: Library, squares: Path) -> None:
    name = image_of(squares, "red")
    (squares / "copy").mkdir()
    shutil.copy(next(squares.rglob(name)), squares / "copy" / name)
    index(library, [squares])
    _, _, graded = evaluate_graded(library, asked("1"), judged(squares, "1", red=1), 200)
    assert graded.means(0)["nDCG@10"] == graded.means(0)["AP"] == 1
    assert graded.means(0)["P@5"] == 1 / 5
    assert graded.unjudged[0].tolist() == [7]  # the copy was judged, under the same name


def test_a_query_may_have_several_photos(library: Library, squares: Path) -> None:
    queries = [TestQuery("1", "red", image_of(squares, c)) for c in ("red", "cyan")]
    result, _, graded = evaluate_graded(library, queries, judged(squares, "1", red=1), 200)
    assert (result.queries, len(graded.queries)) == (2, 1)
    queries[1] = TestQuery("1", "green", "a.jpg")
    with pytest.raises(BadData, match="query id 1 has two texts, 'red' and 'green'"):
        evaluate_graded(library, queries, judged(squares, "1", red=1), 200)


def test_judgements_that_fit_no_query(library: Library, squares: Path) -> None:
    with pytest.raises(BadData, match=r"none of the 1 judged query ids \(for example q9\)"):
        evaluate_graded(library, asked("1"), judged(squares, "q9", red=1), 200)
    with pytest.raises(BadData, match="no photo is judged relevant"):
        evaluate_graded(library, asked("1"), judged(squares, "1", red=0), 200)


def test_a_photo_judged_under_two_names(library: Library, squares: Path) -> None:
    name = image_of(squares, "red")
    folder = next(squares.rglob(name)).parent.name
    judgements = [Judgement("1", name, 1.0), Judgement("1", f"{folder}/{name}", 2.0)]
    with pytest.raises(BadData, match="are the same photo, judged twice for the query 1"):
        evaluate_graded(library, asked("1"), judgements, 200)


def test_measures_are_written(library: Library, squares: Path, tmp_path: Path) -> None:
    judgements = judged(squares, "1", red=1) + judged(squares, "2", cyan=1)
    queries = [TestQuery("2", "red", "a.jpg"), TestQuery("1", 'red, "really"', "a.jpg")]
    _, _, graded = evaluate_graded(library, queries, judgements, 200)
    write_measures(tmp_path / "m.csv", graded)
    with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["query_id"], row["query_text"]) for row in rows] == [
        ("2", "red"),
        ("1", 'red, "really"'),
    ]
    assert [float(row["prefilter_RR"]) for row in rows] == [1 / 8, 1]
    assert [float(row["reranked_nDCG@10"]) for row in rows] == pytest.approx(
        [1 / math.log2(9), 1], abs=1e-6
    )
    assert [row["prefilter_unjudged@10"] for row in rows] == ["7", "7"]
    stages = [name.partition("_") for name in rows[0] if name.endswith("nDCG@5")]
    assert [stage for stage, _, _ in stages] == ["prefilter", "reranked"]


def test_the_command_with_judgements(
    library: Library, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    queries, qrels = tmp_path / "queries.csv", tmp_path / "qrels.txt"
    queries.write_text(
        "query_id,query_text,image\n"
        f"1,red,{image_of(squares, 'red')}\n2,cyan,{image_of(squares, 'cyan')}\n"
    )
    qrels.write_text(
        f"1 0 {image_of(squares, 'red')} 2\n1 0 {image_of(squares, 'cyan')} 1\n"
        f"1 0 lost.jpg 1\n9 0 {image_of(squares, 'red')} 1\n"
    )
    words = ("evaluate", queries, "--judgements", qrels, "--library", library.folder)
    told = invoke(*words, "--json", "--report", tmp_path / "report")
    assert told.exit_code == 0, told.output
    found = parsed(told)
    assert found["reranked"]["recall@1"] == 1  # the same as without judgements
    measures = found["measures"]
    assert measures["first_stage"]["nDCG@10"] == pytest.approx(
        (2 + 1 / math.log2(9)) / (2 + 1 / math.log2(3) + 1 / 2), abs=1e-4
    )
    assert (measures["queries"], measures["left_out"], measures["judgements"]) == (1, 1, 3)
    assert measures["unjudged@10"] == {"first_stage": 6.0, "reranked": 6.0}
    assert {*measures["ci95"]} == {"first_stage", "reranked", "gain"}
    assert measures["ci95"]["gain"]["AP"] == [0, 0]
    assert told.stderr.splitlines() == [
        "judged photos that are not in the library, not found if relevant: 1, for example lost.jpg",
        "judged query ids that are not among the queries: 1, for example 9",
        "queries without a relevant photo, left out of the graded measures: 1, for example 2",
    ]
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text()) == found
    assert len((tmp_path / "report" / "measures.csv").read_text().splitlines()) == 2
    words_of_it = invoke(*words).stdout
    assert "1 queries with 3 graded judgements" in words_of_it
    assert "on average: 6.0 (prefilter), 6.0 (re-ranked)" in words_of_it
    for name in measures["first_stage"]:
        assert f"\n{name} " in words_of_it


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("query_id,image,relevance\n", "has a header and nothing else"),
        ("query_id,image,relevance\n1,a.jpg,good\n", "line 2"),
        ("query_id,image,relevance\nq1,a.jpg,1\n", "none of the 1 judged query ids"),
        ("1 0 a.jpg 0\n", "no photo is judged relevant"),
    ],
)
def test_unusable_judgements_are_one_sentence(
    text: str, told: str, library: Library, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "queries.csv").write_text("query_id,query_text,image\n1,red,a.jpg\n")
    (tmp_path / "judged").write_text(text)
    run = invoke(
        "evaluate", tmp_path / "queries.csv", "--judgements", tmp_path / "judged",
        "--library", library.folder,
    )  # fmt: skip
    assert run.exit_code == 1
    assert told in run.stderr
    assert run.stderr.startswith("pixquery: ")
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""


def load(file: Path) -> Scales:
    return decode(file.read_bytes(), 8).scales


def test_scores_of_pairs_in_their_order(models: Profile, squares: Path) -> None:
    pairs = [
        Pair(squares.parent / next(squares.rglob(f"{photo}.*")), text)
        for photo in ("red", "cyan", "red", "white")
        for text in ("red", "blue", "red")
    ]
    scored = score(pairs, models, load)
    assert [pair for pair, _, _ in scored] == pairs
    for pair, similarity, relevance in scored:
        expected = float(centred(pair.image.stem) @ centred(pair.text))
        assert similarity == pytest.approx(expected, abs=0.02)
        assert relevance == pytest.approx(max(0.0, expected), abs=0.02)


def test_more_photos_than_a_batch(models: Profile, tmp_path: Path) -> None:
    pairs = [
        Pair(square(tmp_path / f"{number}.png", (number * 3, 0, 255 - number)), "red")
        for number in range(70)
    ]
    told: list[tuple[int, int]] = []
    scored = score(pairs, models, load, lambda done, total: told.append((done, total)))
    assert told == [(32, 70), (64, 70), (70, 70)]
    for (pair, similarity, _), number in zip(scored, range(70), strict=True):
        expected = float(centred((number * 3, 0, 255 - number)) @ centred("red"))
        assert pair.image.stem == str(number)
        assert similarity == pytest.approx(expected, abs=0.02)


def test_an_unusable_photo_stops_scoring(models: Profile, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no photo")
    with pytest.raises(UnreadableImage):
        score([Pair(tmp_path / "a.png", "red")], models, load)


@pytest.fixture(scope="module")
def thousand(flickr: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped profile's library of the validation photos."""
    place = tmp_path_factory.mktemp("thousand") / "library"
    with Library.open(place, create=True) as library:
        report = index(library, [flickr / "images" / "dev"])
    assert (report.added, report.skipped) == (1_000, ())
    return place


def ranks_by_brute_force(library: Library, queries: list[TestQuery]) -> tuple[Ranks, Ranks]:
    """Prefilter and re-ranked rank of every query's photo, without index and library."""
    records = list(library.catalog.everything())
    profile, place = library.profile, {r.path.name: row for row, r in enumerate(records)}
    held = library.catalog.vectors_of([record.id for record in records], profile.encoder)
    raw = np.stack([held[record.id] for record in records]).astype(np.float32)
    photos = profile.alignment.images(raw)
    texts = profile.alignment.texts(profile.texts.encode([query.text for query in queries]))
    first, reranked = np.full((2, len(queries)), np.inf)
    for row, (query, cosines) in enumerate(zip(queries, texts @ photos.T, strict=True)):
        relevant = place[query.image]
        first[row] = 1 + (cosines > cosines[relevant]).sum()
        if first[row] <= 200:
            candidates = np.argsort(-cosines)[:200]
            assert profile.relevance is not None
            judged = profile.relevance.score(
                Vectors(texts[row : row + 1]), Vectors(photos[candidates])
            )
            own = judged[candidates == relevant]
            reranked[row] = 1 + (judged > own).sum()
        else:
            first[row] = np.inf
    return first, reranked


def test_the_shipped_profile_finds_everyday_photos(thousand: Path, flickr: Path) -> None:
    # Every photo once, by its third caption: all five take a minute. A sample of a thousand
    # queries has a standard error of 0.014, for which the thresholds allow.
    queries = read_queries(flickr / "test_queries.csv")[2::5]
    assert len({query.image for query in queries}) == 1_000
    with Library.open(thousand) as library:
        wanted = ranks_by_brute_force(library, queries)
        result, found = evaluate(library, queries[::20], 200)
    for name, least in (("recall@1", 0.28), ("recall@5", 0.59), ("recall@10", 0.71)):
        first, reranked = (RETRIEVAL[name](ranks).mean() for ranks in wanted)
        assert least - 0.02 <= first <= reranked + 0.01
    # Asked one by one, in the usual way, they have the same ranks; rounding may swap
    # neighbours far down.
    for ours, theirs in zip(found, wanted, strict=True):
        assert 1 / ours == pytest.approx(1 / theirs[::20], abs=0.02)
    assert not result.unmatched
    for name, (low, high) in result.ci95["reranked"].items():
        assert low < result.reranked[name] < high


def test_the_shipped_profile_knows_what_does_not_fit(thousand: Path) -> None:
    with Library.open(thousand) as library:
        fitting = library.search("a dog running on grass", k=1).hits[0].relevance
        strange = library.search("a diagram of the periodic table", k=1).hits[0].relevance
    assert fitting is not None and strange is not None
    assert fitting > 0.5 > strange


def test_without_any_relevant_photo_nothing_is_measured(
    place: Path, tmp_path: Path, squares: Path, invoke: Invoke
) -> None:
    queries, judged = tmp_path / "queries.csv", tmp_path / "judged.csv"
    queries.write_text("query_id,query_text,image\n1,red,gone.jpg\n2,blue,lost.jpg\n")
    for words in ((), ("--json",)):
        run = invoke("evaluate", queries, "--library", place, *words)
        assert run.exit_code == 3
        assert "none of the 2 relevant photos is in the library" in run.stderr
        assert f"`pixquery index FOLDER --library {place}`" in run.stderr
        assert "0.000" not in run.stdout
    document = parsed(run)
    assert document["first_stage"] is document["reranked"] is document["ci95"] is None
    assert (document["relevant"], document["queries"]) == (0, 2)

    judged.write_text("query_id,image,relevance\n1,gone.jpg,2\n")
    run = invoke("evaluate", queries, "--judgements", judged, "--json", "--library", place)
    assert run.exit_code == 3
    assert parsed(run)["measures"]["reranked"] is None

    judged.write_text(f"query_id,image,relevance\n1,{image_of(squares, 'red')},2\n")
    run = invoke("evaluate", queries, "--judgements", judged, "--json", "--library", place)
    assert run.exit_code == 0, run.stderr
    assert parsed(run)["measures"]["reranked"]["nDCG@10"] == 1
    assert parsed(run)["reranked"] is None
