"""`models teach` and `models forget-concept`, and concepts in other commands."""

from pathlib import Path

import pytest

from tests.conftest import Invoke, parsed, sentence, square
from tests.lessons import oranges


@pytest.fixture
def examples(tmp_path: Path) -> list[Path]:
    return oranges(tmp_path / "examples")


def test_a_concept_is_taught_shown_asked_for_and_forgotten(
    place: Path, squares: Path, examples: list[Path], invoke: Invoke
) -> None:
    square(squares / "orange.png", (252, 127, 12))
    at = ("--library", place)
    assert invoke("index", *at).exit_code == 0
    before = invoke("query", "red", "-k", "1", "--paths", *at).stdout
    learned = invoke("models", "teach", "sunset", *examples, *at)
    assert learned.exit_code == 0, learned.output
    first, second, third = learned.stdout.splitlines()
    assert first == "sunset: learned from 4 examples"
    assert second.startswith("3 photos of 9 fit; the best: ")
    assert "/orange.png, " in second
    assert third == "see them with `pixquery query sunset`"
    assert learned.stderr == ""
    (hit,) = parsed(invoke("query", "sunset", "-k", "1", *at, "--json"))["hits"]
    assert Path(hit["path"]).stem == "orange"
    assert invoke("query", "red", "-k", "1", "--paths", *at).stdout == before
    assert "concept    sunset, 4 examples" in invoke("info", *at).stdout
    (concept,) = parsed(invoke("info", *at, "--json"))["concepts"]
    assert (concept["name"], concept["known"]) == ("sunset", True)
    assert concept["examples"] == [str(file) for file in examples]
    again = invoke("models", "teach", "Sunset", *examples[:2], *at)
    assert again.stdout.startswith("Sunset: learned from 2 examples instead of the earlier ones\n")
    assert "sunset" not in invoke("models", "list").stdout
    gone = invoke("models", "forget-concept", "sunset", *at)
    assert gone.stdout == "forgot Sunset and its 2 examples\n"
    assert parsed(invoke("info", *at, "--json"))["concepts"] == []
    assert all(file.exists() for file in examples)


def test_json(place: Path, examples: list[Path], tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    done = invoke(
        "models", "teach", "sunset", *examples[:2], tmp_path / "broken.png", "--library", place,
        "--json",
    )  # fmt: skip
    assert f"skipped {tmp_path / 'broken.png'}: " in done.stderr
    found = parsed(done)
    (skipped,) = found.pop("skipped")
    assert (skipped["path"], bool(skipped["reason"])) == (str(tmp_path / "broken.png"), True)
    best = found.pop("best")
    assert {Path(path).stem for path in best[:2]} == {"red", "yellow"}
    relevance = found.pop("relevance")
    assert relevance["before"] == 0  # the cosine with a word that means nothing
    assert relevance["after"] == pytest.approx(1, abs=0.01)
    assert found.pop("likeness") == pytest.approx(1, abs=0.01)
    assert found == {
        "library": str(place),
        "concept": "sunset",
        "examples": [str(file) for file in examples[:2]],
        "added": 2,
        "replaced": False,
        "fits": 2,
    }
    gone = parsed(invoke("models", "forget-concept", "sunset", "--library", place, "--json"))
    assert gone == {"library": str(place), "concept": "sunset", "concepts": 0}


def test_doubts_are_said_and_nothing_is_refused(
    place: Path, tmp_path: Path, invoke: Invoke
) -> None:
    unlike = [square(tmp_path / "unlike" / f"{name}.png", name) for name in ("red", "cyan")]
    done = invoke("models", "teach", "opposites", *unlike, "--library", place)
    assert done.exit_code == 0
    assert "have little in common (mean likeness -1.00)" in done.stderr
    reds = [square(tmp_path / "reds" / f"{n}.png", (250, n, n)) for n in (1, 9)]
    done = invoke("models", "teach", "red", *reds, "--library", place)
    assert done.exit_code == 0
    assert "the profile knows red without examples" in done.stderr
    assert "`pixquery models forget-concept red`" in done.stderr


def test_errors(place: Path, examples: list[Path], tmp_path: Path, invoke: Invoke) -> None:
    at = ("--library", place)
    few = invoke("models", "teach", "sunset", examples[0], tmp_path / "none.jpg", *at)
    assert few.exit_code == 1
    assert "`pixquery models teach sunset PHOTO...`" in sentence(few.stderr)
    assert "none.jpg: " in few.stderr
    unnamed = invoke("models", "teach", "?", *examples, *at)
    assert unnamed.exit_code == 1
    assert "no letter" in sentence(unnamed.stderr)
    assert invoke("models", "teach", "sunset", *at).exit_code == 2
    unknown = invoke("models", "forget-concept", "sunset", *at)
    assert unknown.exit_code == 3
    assert "`pixquery info" in sentence(unknown.stderr)
    nowhere = invoke("models", "teach", "sunset", *examples, "--library", tmp_path / "nowhere")
    assert nowhere.exit_code == 1
    assert not (tmp_path / "nowhere").exists()
    assert invoke("policy", "on", *at).exit_code == 0
    refused = invoke("models", "teach", "children", *examples, *at)
    assert refused.exit_code == 4
    assert parsed(invoke("info", *at, "--json"))["concepts"] == []


def test_pairs_and_evaluations_know_what_was_taught(
    place: Path, squares: Path, examples: list[Path], tmp_path: Path, invoke: Invoke
) -> None:
    at = ("--library", place)
    square(squares / "orange.png", (252, 127, 12))
    assert invoke("index", *at).exit_code == 0
    (tmp_path / "pairs.csv").write_text(f"image,text\n{squares / 'orange.png'},sunset\n")
    (tmp_path / "queries.csv").write_text("query_id,query_text,image\n1,sunset,orange.png\n")

    def values() -> tuple[float, float]:
        pairs = invoke("score", tmp_path / "pairs.csv", *at).stdout.splitlines()
        measured = parsed(invoke("evaluate", tmp_path / "queries.csv", *at, "--json"))
        return float(pairs[1].split(",")[2]), measured["first_stage"]["recall@1"]

    assert values()[0] == pytest.approx(0, abs=1e-3)
    assert invoke("models", "teach", "sunset", *examples, *at).exit_code == 0
    similarity, recall = values()
    assert similarity == pytest.approx(1, abs=0.01)
    assert recall == 1
