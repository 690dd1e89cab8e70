"""Which pairs are asked about, and what the judgements are good for."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery import Library
from pixquery.db.errors import BadQuery, QueryRefused
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation
from pixquery.engine.judging import (
    MIDDLE,
    SURE,
    UNCERTAIN,
    WORTHWHILE,
    pairs_for,
    proposed,
    readiness,
    text_to_judge,
)
from pixquery.engine.ratings_file import Judgement, Judgements, RatingsFile
from pixquery.indexer.build import index
from tests.conftest import Invoke, NewLibrary, centred, parsed, sentence, square


def said(image: str, text: str, rating: str = "yes") -> Judgement:
    return Judgement(image, text, rating, "Ada", "2026-01-02T03:04:05Z")


@pytest.fixture
def shades(new_library: NewLibrary, tmp_path: Path) -> Library:
    """Photos from red to green in 60 steps, whose relevance for "red" falls from 1 to 0."""
    for step in range(60):
        share = step / 59
        colour = (round(255 * (1 - share)), round(255 * share), 0)
        square(tmp_path / "shades" / f"{step:02}.png", colour)
    library = new_library()
    index(library, [tmp_path / "shades"])
    return library


def test_uncertain_pairs_some_sure_ones_and_some_between(shades: Library) -> None:
    pairs = list(islice(pairs_for(shades, "red", []), 18))
    kinds = [pair.kind for pair in pairs]
    assert kinds == 3 * [SURE, UNCERTAIN, UNCERTAIN, MIDDLE, UNCERTAIN, UNCERTAIN]
    relevances: dict[str, list[float]] = {}
    for pair in pairs:
        assert pair.relevance is not None
        relevances.setdefault(pair.kind, []).append(pair.relevance)
    assert min(relevances[SURE]) > 0.8

    def doubt(relevance: float) -> float:
        return min(abs(relevance - border) for border in (0.2, 0.45))

    everything = sorted(doubt(pair.relevance or 0) for pair in pairs_for(shades, "red", []))
    assert all(doubt(relevance) <= everything[24] for relevance in relevances[UNCERTAIN])
    assert np.ptp(relevances[MIDDLE]) > 0.2


def test_relevance_is_that_of_the_photo(shades: Library) -> None:
    for pair in islice(pairs_for(shades, "red", []), 10):
        step = int(pair.photo.path.stem)
        colour = (round(255 * (1 - step / 59)), round(255 * step / 59), 0)
        truth = max(0.0, float(centred(colour) @ centred("red")))
        assert pair.relevance == pytest.approx(truth, abs=0.02)


def test_every_pair_is_asked_about_once_and_none_again(shades: Library) -> None:
    judged = [said(str(record.path), "red") for record in islice(shades, 25)]
    others = [said(str(record.path), "green") for record in islice(shades, 40)]
    asked = [str(pair.photo.path) for pair in pairs_for(shades, "red", [*judged, *others])]
    assert len(asked) == len(set(asked)) == 35
    assert not set(asked) & {judgement.image for judgement in judged}
    again = [str(pair.photo.path) for pair in pairs_for(shades, "red", [*judged, *others])]
    assert asked == again


def test_photos_vary(new_library: NewLibrary, tmp_path: Path) -> None:
    """Forty photos of one colour do not hide the six others that are as uncertain."""
    for number in range(40):
        square(tmp_path / "photos" / f"same-{number}.png", (250, 0, number // 20))
    others = ("yellow", "magenta", "white", "black", "green", "blue")
    for colour in others:
        square(tmp_path / "photos" / f"{colour}.png", colour)
    library = new_library()
    index(library, [tmp_path / "photos"])
    asked = [pair.photo.path.stem for pair in islice(pairs_for(library, "red", []), 12)]
    assert len(set(asked) & set(others)) >= 4


def test_without_a_regressor_the_upper_similarities_are_uncertain(
    shades: Library, unrated: Path, tmp_path: Path
) -> None:
    with Library.open(tmp_path / "other", create=True, profile=str(unrated)) as library:
        index(library, [shades.catalog.roots()[0].path])
        pairs = list(pairs_for(library, "red", []))
        assert len(pairs) == 60
        assert {pair.relevance for pair in pairs} == {None}
        first = next(pair for pair in pairs if pair.kind == SURE)
        assert int(first.photo.path.stem) < 10


def test_texts_that_were_judged_before_come_first(library: Library) -> None:
    ids = {record.path.stem: record.id for record in library}
    notes = {ids["red"]: Noted(Annotation(keywords=("magenta", "2019")))}
    with library.writing():
        library.catalog.annotate(notes)
    given = [said("/gone.jpg", "blue"), said("/gone.jpg", "cyan"), said("/lost.jpg", "blue")]
    texts = list(dict.fromkeys(pair.text for pair in proposed(library, given)))
    assert texts[:2] == ["cyan", "blue"]
    assert "magenta" in texts
    assert "2019" not in texts  # that is no description
    counts = [pair.text for pair in proposed(library, given)]
    assert {text: counts.count(text) for text in texts} == dict.fromkeys(texts, 8)
    assert counts[:6] == ["cyan"] * 6
    assert counts[6:12] == ["blue"] * 6


def test_the_text_is_what_is_searched(library: Library) -> None:
    assert text_to_judge(library, " My photos of  a dog on grass in 2019") == "dog on grass"
    assert text_to_judge(library, "a dog runs") == "a dog runs"
    with pytest.raises(BadQuery, match="only says when or where"):
        text_to_judge(library, "summer 2019")
    with pytest.raises(BadQuery, match="needs a text"):
        text_to_judge(library, "  ")
    library.switch_policy(on=True)
    with pytest.raises(QueryRefused):
        text_to_judge(library, "a child")


def test_what_training_lacks() -> None:
    def of(*rows: tuple[str, str, str]) -> str:
        return readiness(Judgements(tuple(said(*row) for row in rows))).lacking

    assert of() == "there are no judgements yet"
    assert of(("/a", "x", "yes")) == "they are of 1 photo: judge 3 or more"
    photos = [(f"/{number}", "x", "yes") for number in range(3)]
    assert of(*photos).startswith("they are for 1 text,")
    texts = [(f"/{number}", f"{number}", "yes") for number in range(3)]
    assert of(*texts) == "all of them are 'yes': judge photos that fit more and less"
    some = [said(f"/{number}", f"{number}", "yes") for number in range(WORTHWHILE - 1)]
    assert not readiness(Judgements(tuple(some))).worthwhile
    enough = readiness(Judgements((*some, said("/n", "n", "no"))))
    assert (enough.lacking, enough.worthwhile, enough.judgements) == ("", True, WORTHWHILE)


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def answer(place: Path) -> Any:
    """Runs `judge` with lines of input."""
    from click.testing import CliRunner

    from pixquery.commands.entry import main

    def run(lines: str, *words: str) -> Any:
        command = ["judge", *words, "--library", str(place), "--worker", "Ada"]
        return CliRunner().invoke(main, command, input=lines, prog_name="pixquery")

    return run


def test_a_session_in_lines(answer: Any, place: Path) -> None:
    done = answer("y\nNo\nundo\nwhat\n\npartly\nskip\nopen sesame\nq\n", "red")
    assert done.exit_code == 0, done.output
    counting = RatingsFile(place).read().counting
    assert [(one.rating, one.text, one.worker) for one in counting] == [
        ("yes", "red", "Ada"), ("partly", "red", "Ada"),
    ]  # fmt: skip
    assert Path(counting[0].image).stem == "red"
    assert done.stderr.count("is no answer") == 3
    assert "took back: no for 'red'" in done.stderr
    assert "2 judgements of 2 photos for 1 text in" in done.stdout
    asked = {line.split()[-1] for line in answer("", "red", "-n", "9").stdout.splitlines()[:-2]}
    assert not asked & {one.image for one in counting}


def test_an_answer_is_kept_before_the_next_question(place: Path) -> None:
    """Whoever closes the terminal in the middle has lost nothing."""
    import subprocess
    import sys

    from tests.conftest import REPOSITORY

    command = [sys.executable, str(REPOSITORY / "cli.py"), "judge", "red", "--library", str(place)]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None
    assert running.stdout is not None
    assert running.stdout.readline().startswith("1. red?")
    running.stdin.write("yes\n")
    running.stdin.flush()
    assert running.stdout.readline().startswith("2. red?")
    running.kill()
    running.communicate()
    assert len(RatingsFile(place).read().counting) == 1


def test_all_photos_judged(answer: Any) -> None:
    assert answer("y\n" * 8, "red").exit_code == 0
    done = answer("", "red")
    assert (done.exit_code, "no photo left to judge" in done.stderr) == (0, True)


def test_json_export_and_undo(answer: Any, place: Path, tmp_path: Path) -> None:
    found = parsed(answer("y\nn\np\n", "red", "-n", "3", "--json"))
    assert [one["rating"] for one in found["given"]] == ["yes", "no", "partly"]
    assert (found["judgements"], found["photos"], found["texts"]) == (3, 3, 1)
    assert (found["worthwhile"], found["unreadable"]) == (False, 0)
    assert answer("", "--undo").exit_code == 0
    target = tmp_path / "mine.csv"
    assert answer("", "--export", str(target)).exit_code == 0
    assert target.read_text().splitlines()[0] == "image,text,rating,worker,time"
    assert len(target.read_text().splitlines()) == 3
    for _ in range(2):
        assert answer("", "--undo").exit_code == 0
    done = answer("", "--undo")
    assert (done.exit_code, "no judgement of Ada to take back" in sentence(done.stderr)) == (
        3,
        True,
    )
    assert len((place / "ratings.csv").read_text().splitlines()) == 7


def test_one_thing_at_a_time(answer: Any) -> None:
    done = answer("", "red", "--undo")
    assert (done.exit_code, "at a time" in done.stderr) == (2, True)
    assert answer("", "red", "--pictures").exit_code == 2


def test_repair_and_rebuild_leave_the_judgements(
    answer: Any, place: Path, squares: Path, invoke: Invoke
) -> None:
    answer("y\nn\n", "red")
    kept = (place / "ratings.csv").read_bytes()
    for words in (("verify", "--repair"), ("index", "--rebuild"), ("index", squares)):
        assert invoke(*words, "--library", place).exit_code == 0
        assert (place / "ratings.csv").read_bytes() == kept


# -- keys ---------------------------------------------------------------------------------------


def test_keys_on_a_terminal(place: Path) -> None:
    """Keys that are pressed before the first photo is shown count, too."""
    pytest.importorskip("pty")
    from tests.terminals import Terminal

    with Terminal("judge", "red", "--no-pictures", "--library", place) as terminal:
        terminal.press("y\x1b[Bnu")
        terminal.wait_for("took back: no")
        terminal.press("px")
        terminal.wait_for("press one of y, p, n, s, u, o, q")
        terminal.press("s\x1b")
        code, sent = terminal.end()
    assert code == 0, sent
    assert "\x1b" not in sent
    assert [one.rating for one in RatingsFile(place).read().counting] == ["yes", "partly"]


def test_pictures_on_a_terminal(place: Path) -> None:
    pytest.importorskip("textual_image")
    from tests.terminals import Terminal

    with Terminal("judge", "red", "--library", place) as terminal:
        terminal.wait_for("1. red?")
        terminal.wait_for("\x1b[38;2;25")  # red half blocks
        terminal.press("yq")
        code, _ = terminal.end()
    assert code == 0
    assert [one.rating for one in RatingsFile(place).read().counting] == ["yes"]
