"""From judgements in a library to a relevance that it searches with, and back."""

import json
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from pixquery import Library
from pixquery.db.errors import BadData
from pixquery.engine.judging import pairs_for
from pixquery.engine.profile import load_profile, profiles_folder
from pixquery.engine.ratings_file import RatingsFile
from pixquery.indexer.build import index
from pixquery.trainer.learning.from_library import base_of, judged_in, place_for
from tests.conftest import Invoke, centred, parsed, sentence
from tests.played import TEXTS, Rule, colour_of, held_out_errors, spread_colours, strict

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def coloured(tmp_path: Path, colours: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    root = spread_colours(tmp_path / "photos", count=80)
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [root])
    return tmp_path / "library"


def judge(folder: Path, rule: Rule, *, each: int) -> list[tuple[int, str]]:
    """Judges photos for six texts as `pixquery judge` asks; the pairs that are left."""
    judged = set()
    with Library.open(folder) as library:
        for text in TEXTS:
            for pair in islice(pairs_for(library, text, []), each):
                verdict = rule(pair.photo.path, text)
                RatingsFile(folder).add(pair.photo.path, text, verdict, "Ada")
                judged.add((pair.photo.id, text))
        everything = [(record.id, text) for record in library for text in TEXTS]
    return [pair for pair in everything if pair not in judged]


def test_sixty_judgements_teach_what_a_person_means(
    coloured: Path, invoke: Invoke, colours: Path
) -> None:
    unseen = judge(coloured, strict, each=10)
    found = parsed(invoke("train", "--library", coloured, "--json"))
    assert (found["pairs"]["expert"], found["kept"]) == (60, False)
    assert found["gain"]["gain_interval"][0] > 0
    made = load_profile("colours-judged")
    assert made.manifest["trained"] == {
        "from": "colours", "pairs": 60, "judges": "you", "source": "judgements",
        "base": str(colours),
    }  # fmt: skip
    with Library.open(coloured) as library:
        before, after = held_out_errors(library, [library.profile, made], unseen, strict)
    assert after < 0.85 * before

    asked = ("query", "red", "-k", "80", "--json", "--library", coloured)
    first = parsed(invoke(*asked))
    done = invoke("models", "use", "colours-judged", "--library", coloured)
    assert done.exit_code == 0, done.output
    assert f"go back with:  pixquery models use {colours}" in done.stdout
    second = parsed(invoke(*asked))
    assert [second["profile"], first["profile"]] == ["colours-judged", "colours"]
    relevances = [[hit["relevance"] for hit in answer["hits"]] for answer in (first, second)]
    assert relevances[0] != relevances[1]
    assert invoke("verify", "--library", coloured).exit_code == 0
    assert parsed(invoke("index", "--library", coloured, "--json"))["unchanged"] == 80
    done = invoke("models", "use", colours, "--library", coloured, "--json")
    assert parsed(done)["before"] == "colours-judged"
    assert parsed(invoke(*asked))["hits"] == first["hits"]


def agreeing(photo: Path, text: str) -> str:
    """Somebody who says yes as often as the relevance predicts."""
    cosine = float(colour_of(photo) @ centred(text))
    return "yes" if Random(photo.stem + text).random() < cosine else "no"


def test_without_a_gain_nothing_changes(coloured: Path, invoke: Invoke) -> None:
    judge(coloured, agreeing, each=8)
    done = invoke("train", "--library", coloured)
    assert done.exit_code == 0, done.output
    assert "chosen: kept as it was; " in done.stdout
    assert "the library goes on with colours, and nothing was written" in done.stdout
    assert not list(profiles_folder().iterdir())
    assert parsed(invoke("train", "--library", coloured, "--json"))["out"] is None


def test_training_again_starts_from_the_profile_before(coloured: Path, invoke: Invoke) -> None:
    judge(coloured, strict, each=10)
    for expected in ("colours-judged", "colours-judged-2"):
        found = parsed(invoke("train", "--library", coloured, "--json"))
        assert found["profile"] == expected
        assert found["from"] == "colours"
        assert invoke("models", "use", expected, "--library", coloured).exit_code == 0
    one, two = (
        (profiles_folder() / name / "taste.safetensors").read_bytes()
        for name in ("colours-judged", "colours-judged-2")
    )
    assert one == two  # no judgement counts twice
    assert base_of(load_profile("colours-judged-2")).name == "colours"
    with Library.open(coloured) as library:
        assert place_for(library.profile).name == "colours-judged-2-judged"


def test_too_few_judgements(coloured: Path, invoke: Invoke) -> None:
    done = invoke("train", "--library", coloured)
    assert done.exit_code == 1
    assert "there are no judgements yet" in sentence(done.stderr)
    with Library.open(coloured) as library:
        photo = next(iter(library)).path
        RatingsFile(coloured).add(photo, "red", "yes")
        with pytest.raises(BadData, match="they are of 1 photo"):
            judged_in(library)


def test_photos_that_are_gone_do_not_stop_it(coloured: Path, invoke: Invoke) -> None:
    judge(coloured, strict, each=10)
    file = RatingsFile(coloured)
    for judgement in islice(file.read().counting, 2):
        Path(judgement.image).unlink(missing_ok=True)
    damaged = next(Path(one.image) for one in file.read().counting if Path(one.image).is_file())
    damaged.write_bytes(b"no photo")
    with file.file.open("a") as opened:
        opened.write("cut o")
    done = invoke("train", "--library", coloured)
    assert done.exit_code == 0, done.output
    assert "judgements of photos that are not there any more" in done.stderr
    assert f"left out judgements of 1 photo that cannot be read, such as {damaged}" in done.stderr
    assert "left out 1 line that cannot be read" in done.stderr


def test_progress_as_lines(coloured: Path, invoke: Invoke) -> None:
    judge(coloured, strict, each=10)
    done = invoke("train", "--library", coloured, "--json", "--progress")
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines[-1]["done"] == lines[-1]["total"]
    assert [line["done"] for line in lines] == sorted(line["done"] for line in lines)


def test_other_data_needs_a_folder(tmp_path: Path, invoke: Invoke) -> None:
    for words in ((tmp_path,), ("--stars",)):
        done = invoke("train", *words)
        assert (done.exit_code, "--out DIR" in done.stderr) == (2, True)
