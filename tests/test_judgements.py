"""Graded judgements, as CSV and as TREC qrels."""

from pathlib import Path

import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.measuring.judgements import Judgement, read_judgements


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


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
