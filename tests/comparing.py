"""What a library contains and answers, for comparison with another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixquery import Library, Query
from pixquery.indexer.build import index
from pixquery.indexer.report import IndexReport
from tests.conftest import (
    COLOURS,
    NewLibrary,
)

Contents = set[tuple[str, bytes, bytes]]


def contents(library: Library, root: Path) -> Contents:
    """A library's photos: path, content and vector of each."""
    records = list(library.catalog.everything())
    vectors = library.catalog.vectors_of([record.id for record in records], library.profile.encoder)
    return {
        (os.path.relpath(record.path, root), record.content, vectors[record.id].tobytes())
        for record in records
    }


def answers(library: Library) -> list[list[tuple[float, str]]]:
    """All hits for every colour; equally similar ones are sorted by name."""
    return [
        sorted(
            (-round(hit.similarity, 3), str(hit.path))
            for hit in library.search(Query(colour, k=10_000)).hits
            if hit.similarity is not None
        )
        for colour in COLOURS
    ]


def assert_equals_fresh(library: Library, root: Path, new_library: NewLibrary) -> None:
    fresh = new_library()
    index(fresh, [root])
    assert contents(library, root) == contents(fresh, root)
    assert answers(library) == answers(fresh)
    assert library.index.ids().tolist() == [r.id for r in library.catalog.everything()]


def stems(library: Library, colour: str, k: int = 1) -> list[str]:
    return [hit.path.stem for hit in library.search(colour, k=k).hits]


def counts(report: IndexReport) -> dict[str, int]:
    names = ("added", "updated", "moved", "unchanged", "removed")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


@contextmanager
def without_privileges() -> Iterator[None]:
    """Drops the rights of root, who may open any file."""
    if os.name != "posix":
        pytest.skip("file permissions exist on POSIX only")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
