"""Whether a catalogue consists of exactly the tables and indexes that pixquery makes.

SQLite does what a file's schema says: a trigger may empty a table whenever another one is written,
a view may pose as a table, a column may be computed anew each time. None of that is pixquery's, so
a file that has it was damaged or made by somebody who means harm, and nothing is read from it.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

KNOWN = frozenset(
    {
        "53801f208fbf217835da314075ceea712856d9f6a7ecdc0d6146829f71e5835e",  # version 5
        "6b13cb5e1112336d858fea9f5f8c5b0e8c6c667149ea5389f2630c3c6e8cadec",  # 6, once 5
        "df02e1c9ce53aea477a46fec02f6fcecc48655f9cfce9edeb0617c9e342c8db7",  # version 6
        "528b3c8cfb497d088bc0e8f1d5b35a5d91e3dd837761b2af5f30ce68f79e2e52",  # 7, once 5
        "e3ea7820026d9876fdf2640af932624f0ffeac27aed5e4052319278213635c05",  # 7, once 6
        "b1d6621290accfc433d2283c92c9bbb83f15d786300ae64361fb328c965f60ea",  # version 7
    }
)
"""SHA-256 of most schemas, as SQLite stores them: a shorter way to the same answer."""
NORMAL = {
    5: "af3d889366f3e22e5ddc7f5ba4c0636aff41c7f21d4d4dbd018094c8bb2166bc",
    7: "49c406c7400d0652d598beafcbfc9fb9f5d00b403bd3f0b4f98ab48388646066",
    6: "eecdc9e1a19bea217d024c6b693bc75b52e421a4ae2598741a6c5f63b5c8a5aa",
}
"""SHA-256 of the schema of a version in :func:`normal` form. Migrated tables have their columns in
another order than new ones."""

_Object = tuple[str, str, str, str | None]
"""Type, name, table, SQL."""

_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
_STATISTICS = {
    "sqlite_stat1": "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
    "sqlite_stat4": "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
"""What SQLite's ANALYZE adds, which changes no answer."""
_WORDS = re.compile(r"\w+|[^\w\s]")
_FOREIGN = frozenset({"AS", "CHECK", "COLLATE", "GENERATED", "VIRTUAL"})


def objection(connection: sqlite3.Connection, version: int) -> str:
    """What a schema has that pixquery's of this version has not; empty if they are equal.

    Args:
        connection: To the catalogue.
        version: From 5; of older ones, only what SQLite would run is objected to.
    """
    objects: list[_Object] = connection.execute(_OBJECTS).fetchall()
    if _digest(objects) in KNOWN:
        return ""
    for kind, name, _, sql in objects:
        if kind not in ("table", "index") or (sql and not is_plain(sql)):
            return f"its {kind} {name!r} is not one of pixquery's"
    if version in NORMAL and _digest(normal(objects)) != NORMAL[version]:
        return "its tables are not those of pixquery"
    return ""


def is_plain(sql: str) -> bool:
    """Whether the SQL of a table or an index computes nothing."""
    words = _WORDS.findall(sql.upper())
    return words[:1] == ["CREATE"] and _FOREIGN.isdisjoint(words)


def normal(objects: Iterable[_Object]) -> Iterator[_Object]:
    """The objects without what makes no difference: space, and the order of columns."""
    for kind, name, table, sql in objects:
        if _STATISTICS.get(name) != sql or sql is None:
            yield kind, name, table, None if sql is None else _parts(sql)


def _parts(sql: str) -> str:
    """A statement's parts in order of the alphabet, and the words of each as well."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in _WORDS.findall(sql):
        depth += (word == "(") - (word == ")")
        if (word == "," and depth == 1) or (word == "(" and depth == 1):
            parts.append([])
        else:
            parts[-1].append(word)
    head, *columns = (" ".join(part if place == 0 else sorted(part))
                      for place, part in enumerate(parts))  # fmt: skip
    return "; ".join([head, *sorted(columns)])


def _digest(objects: Iterable[Sequence[str | None]]) -> str:
    text = "\n".join("\t".join(part or "" for part in each) for each in objects)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
