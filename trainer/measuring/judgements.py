"""Graded judgements: how relevant a photo is to a query."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixquery.trainer.measuring.tables import (
    SEPARATORS,
    convert_rows,
    filled,
    header_of,
    lines_of,
    number_in,
    read_table,
)

_COLUMNS = ("query_id", "image", "relevance")


@dataclass(frozen=True, slots=True)
class Judgement:
    """How relevant a photo is to a query."""

    query_id: str
    image: str
    relevance: float
    """At least 0; 0 means not relevant."""


def read_judgements(file: Path) -> list[Judgement]:
    """Reads graded judgements: columns ``query_id``, ``image``, ``relevance``, or TREC qrels.

    Qrels are lines of query, iteration, photo and relevance without a header, separated by blanks;
    the iteration is ignored, and TREC's negative grades (junk) count as not relevant.

    Raises:
        BadData: The file is missing, is neither of the two, or has bad lines, such as a
            pair that is judged twice.
    """

    def judgement(row: Sequence[str], _: int) -> Judgement:
        relevance = number_in(row[2], "relevance")
        if relevance < 0:
            raise ValueError(f"the relevance {row[2].strip()} is below 0")
        return Judgement(filled(row[0]), filled(row[1]), relevance)

    def qrel(row: Sequence[str], _: int) -> Judgement:
        if len(row) != 4:
            raise ValueError(f"4 columns are needed, not {len(row)}: a name with blanks needs CSV")
        return Judgement(row[0], row[2], max(0.0, number_in(row[3], "relevance")))

    def key(judgement: Judgement) -> Hashable:
        return judgement.query_id, judgement.image

    lines = lines_of(file)
    first = lines[0] if lines else ""
    named = any(set(_COLUMNS) <= set(header_of(lines, sep)) for sep in SEPARATORS)
    if named or len(first.split()) != 4:
        return read_table(
            file,
            _COLUMNS,
            judgement,
            key=key,
            lines=lines,
            otherwise="or the file must be TREC qrels",
        )
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    return convert_rows(file, rows, qrel, key)
