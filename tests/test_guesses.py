"""Mistyped commands, and descriptions of several words without quotation marks."""

import pytest

from pixquery.commands.entry import main
from pixquery.commands.guesses import _OTHER_WORDS, meant
from tests.conftest import Invoke, parsed

COMMANDS = main.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("qurey", "query"), ("serach", "query"), ("find", "query"), ("search", "query"),
        ("Query", "query"), ("indx", "index"), ("add", "index"), ("sreve", "serve"),
        ("gallery", "serve"), ("remove", "forget"), ("dupes", "duplicates"),
        ("duplicate", "duplicates"), ("evalute", "evaluate"), ("model", "models"),
        ("staus", "info"), ("veryfy", "verify"),
    ],
)  # fmt: skip
def test_the_command_that_was_meant(typed: str, command: str) -> None:
    assert meant(typed, COMMANDS) == command


@pytest.mark.parametrize("typed", ["", "a", "balloon", "写真", "x" * 5000, "--", "\x1b[2J"])
def test_other_words_mean_no_command(typed: str) -> None:
    assert meant(typed, COMMANDS) is None


def test_only_commands_are_suggested() -> None:
    assert set(_OTHER_WORDS) <= set(COMMANDS)
    assert not {word for words in _OTHER_WORDS.values() for word in words} & set(COMMANDS)
    assert meant("serach", ["index"]) is None


@pytest.mark.parametrize(
    "words",
    [
        ("a red square",),
        ("a", "red", "square"),
        ("a", "red", "square", "-k", "3"),
        ("-k", "3", "a", "red", "square"),
        ("a", "red", "-k", "3", "square"),
        ("-k", "3", "--", "a", "red", "square"),
    ],
)
def test_several_words_are_one_description(
    words: tuple[str, ...], place: object, invoke: Invoke
) -> None:
    run = invoke("query", "--json", "--library", str(place), *words)
    assert run.exit_code == 0, run.stderr
    answer = parsed(run)
    assert answer["query"] == "a red square"
    assert len(answer["hits"]) == (3 if "-k" in words else 8)


def test_a_description_may_begin_with_a_dash(place: object, invoke: Invoke) -> None:
    run = invoke("query", "--json", "--library", str(place), "--", "-red", "-k")
    assert run.exit_code == 0, run.stderr
    assert parsed(run)["query"] == "-red -k"


def test_no_word_at_all_is_refused(place: object, invoke: Invoke) -> None:
    for words in ((), ("",), ("  ",)):
        run = invoke("query", "--library", str(place), *words)
        assert run.exit_code == 2
        assert "the query is empty" in run.stderr
