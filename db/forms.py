"""What the values of a row may be, as SQL: a column of SQLite takes whatever it is given.

pixquery writes nothing else. A library that somebody else made may hold anything, with checksums
that match.
"""

MOST_IDS = 2**40
"""An id is smaller. Ids count up from 1, so that no library comes near it."""

_TAKEN = "????-??-?? ??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]"
_PATH = (  # absolute on any system: a library may be looked at from another one
    "typeof({0}) = 'blob' AND instr({0}, x'00') = 0 "
    "AND (substr({0}, 1, 1) IN (x'2f', x'5c') OR substr({0}, 2, 1) = x'3a') "
    "AND instr({0} || '/', '/../') = 0 AND instr({0} || '\\', '\\..\\') = 0"
)
IS_PATH = _PATH.format("path")
"""SQL that is true of the rows whose ``path`` can be a file's or a folder's."""

_CONTENT = "typeof({0}) = 'blob' AND length({0}) BETWEEN 1 AND 64"
_ID = f"+{{0}} > 0 AND +{{0}} < {MOST_IDS}"  # the sign keeps SQLite from searching by it
_NATURAL = "typeof({0}) = 'integer' AND {0} >= 0"
_INTEGER = "typeof({0}) = 'integer'"
_TEXT = "typeof({0}) = 'text'"
_VECTOR = "typeof({0}) = 'blob' AND length({0}) > 0 AND length({0}) % 2 = 0"


def _texts(*columns: str) -> dict[str, str]:
    return dict.fromkeys(columns, _TEXT)


_NAMES = _texts("concept", "encoder")
_OF_PHOTO = {"image_id": _ID, "revision": _NATURAL}

_FORMS = {
    "settings": {"name": _TEXT, "value": _TEXT},
    "roots": {"id": _ID, "path": _PATH},
    "images": {
        "id": _ID,
        "path": _PATH,
        "size": _NATURAL,
        "mtime_ns": _INTEGER,
        "content": _CONTENT,
        "width": _NATURAL,
        "height": _NATURAL,
        "format": _TEXT,
        "taken": f"({{0}} IS NULL OR {_TEXT} AND {{0}} GLOB '{_TAKEN}' "
        "AND substr({0}, 1, 4) > '0000' "
        "AND strftime('%Y-%m-%d %H:%M:%S', {0}, '+0 days') IS substr({0}, 1, 19))",
        "camera": _TEXT,
        "latitude": "({0} IS NULL OR typeof({0}) IN ('real', 'integer') AND abs({0}) <= 90)",
        "longitude": "({0} IS NULL OR typeof({0}) IN ('real', 'integer') AND abs({0}) <= 180)",
    },
    "vectors": {"image_id": _ID, "encoder": _TEXT, "revision": _NATURAL, "raw": _VECTOR},
    "skipped": {"path": _PATH, "size": _NATURAL, "mtime_ns": _INTEGER, "reason": _TEXT},
    "concept_examples": {
        **_NAMES,
        "content": _CONTENT,
        "taught": f"{_TEXT} AND datetime({{0}}) IS NOT NULL",
        "path": _PATH,
        "raw": _VECTOR,
    },
    "concept_names": {**_NAMES, "raw": f"{_VECTOR} AND length({{0}}) % 4 = 0"},
    "generations": {"size": _NATURAL, "revision": _NATURAL},
    "losses": {"root": "typeof({0}) = 'blob'", "photos": _NATURAL, "guessed": "{0} IN (0, 1)"},
    "annotations": {
        **_OF_PHOTO,
        **_texts("sidecars", "title", "caption", "keywords", "people", "location", "label"),
        "rating": "({0} IS NULL OR {0} IN (-1, 0, 1, 2, 3, 4, 5))",
    },
    "readings": {**_OF_PHOTO, **_texts("reader", "lines")},
    "localities": {**_OF_PHOTO, **_texts("gazetteer", "city", "region", "country", "code")},
}
_FORMS["coming"] = _FORMS["vectors"]


def formed(table: str) -> str:
    """SQL that is true of the rows whose values are of the kind that pixquery writes."""
    return " AND ".join(form.format(f"{table}.{column}") for column, form in _FORMS[table].items())
