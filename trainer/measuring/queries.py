"""Queries whose one relevant photo is known."""

from dataclasses import dataclass
from pathlib import Path

from pixquery.trainer.measuring.tables import filled, read_table


@dataclass(frozen=True, slots=True)
class TestQuery:
    """A query whose one relevant photo is known."""

    id: str
    text: str
    image: str
    """File name or path suffix of the relevant photo."""

    __test__ = False  # the name begins with "Test", which pytest would collect


def read_queries(file: Path, sep: str | None = None) -> list[TestQuery]:
    """Reads test queries: columns ``query_id``, ``query_text``, ``image``, in any order.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return read_table(
        file,
        ("query_id", "query_text", "image"),
        lambda row, _: TestQuery(filled(row[0]), filled(row[1]), filled(row[2])),
        sep=sep,
    )
