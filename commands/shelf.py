"""The profiles that are installed, beside the models that need only a name to be added."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixquery.commands.printing import origin, print_json, say, shown, size_of, tell
from pixquery.db.errors import ProfileError

if TYPE_CHECKING:
    from pixquery.engine.profile import Profile
    from pixquery.trainer.adopting.known import Known

_COLUMNS = ("profile", "installed", "size", "photos/s", "recall@1", "languages", "licence")
_DESCRIPTION = "description"
_BETWEEN = "  "
_RIGHT = {"size", "photos/s"}
_FOR_DESCRIPTIONS = 150
"""Columns of a terminal from which there is room for them."""
_NAMES = {"en": "English", "mul": "109 languages"}
"""Of languages, by their codes; ``mul`` is said of models that learned as many as SigLIP 2."""
_RECALL = (
    "recall@1: how often the photo of a caption comes first, in %, as published (of COCO's 5,000 "
    "photos, or Flickr30k's 1,000)"
)
_LONGEST_WORD = 20
"""Characters of a word that is never cut in a table; longer ones are if there is no more room."""


def show_shelf(*, as_json: bool) -> None:
    """Prints every profile, and every model that could be added by its name alone."""
    rows = _rows()
    if as_json:
        print_json(rows)
        return
    cells = [_cells(row) for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if width is None or _fits(cells, width):
        _print_table(cells, width)
    else:
        _print_blocks(cells, width)
    for note in _notes(rows):
        tell(note)


def show_removal(name: str, library: Path, *, as_json: bool) -> None:
    """Removes an added profile, and says so."""
    from pixquery.engine.removal import remove

    removed = remove(name, library)
    if as_json:
        print_json({"profile": removed.name, "folder": str(removed.folder), "bytes": removed.bytes})
    else:
        tell(f"removed {removed.name}: {size_of(removed.bytes)} in {shown(removed.folder)}")


# -- what there is ------------------------------------------------------------------------------


def _rows() -> list[dict[str, Any]]:
    """Profiles and models as JSON: installed ones first, then the others, the best first."""
    from pixquery.engine.profile import load_profile, names
    from pixquery.engine.speeds import noted_speeds
    from pixquery.trainer.adopting.known import KNOWN

    speeds = noted_speeds()
    rows: list[dict[str, Any]] = []
    installed = names()
    for name in installed:
        try:
            profile = load_profile(name)
            rows.append(_installed(name, profile, speeds.get(profile.encoder, {})))
        except ProfileError as error:
            say(f"pixquery: {error}")
    return rows + [_not_installed(name) for name in KNOWN if name not in installed]


def _installed(name: str, profile: Profile, speeds: Mapping[str, float]) -> dict[str, Any]:
    from pixquery.engine.profile import DEFAULT
    from pixquery.trainer.adopting.known import KNOWN, RECOMMENDED

    manifest = profile.manifest
    aligned = "alignment" in manifest
    known = KNOWN.get(name)
    if known is not None and not _is_made_of(manifest, known):
        known = None
    languages = profile.languages or (known.languages if known else ())
    return {
        "name": name,
        "description": manifest["description"],
        "licence": manifest["licence"],
        "dimension": profile.alignment.dimension if aligned else None,
        "bytes": sum(file["bytes"] for file in manifest["files"].values()),
        "default": name == DEFAULT,
        "qualities": list(profile.qualities),
        "folder": str(profile.folder),
        "aligned": aligned,
        "relevance": profile.predicts_relevance,
        "trained": manifest.get("trained"),
        "installed": True,
        "recommended": known is not None and name == RECOMMENDED,
        "languages": list(languages),
        "download_bytes": known.download if known else None,
        "recall": _recall_json(known),
        "images_per_second": max(speeds.values(), default=None),
        "checked": manifest.get("checked"),
    }


def _not_installed(name: str) -> dict[str, Any]:
    from pixquery.trainer.adopting.known import KNOWN, RECOMMENDED

    known = KNOWN[name]
    unknown = ("dimension", "bytes", "qualities", "folder", "aligned", "relevance", "trained",
               "images_per_second", "checked")  # fmt: skip
    return {
        "name": name,
        "description": known.what,
        "licence": known.licence,
        "default": False,
        "installed": False,
        "recommended": name == RECOMMENDED,
        "languages": list(known.languages),
        "download_bytes": known.download,
        "recall": _recall_json(known),
        **dict.fromkeys(unknown),
    }


def _recall_json(known: Known | None) -> dict[str, float | None] | None:
    if known is None or known.coco is known.flickr30k is None:
        return None
    return {"coco": known.coco, "flickr30k": known.flickr30k}


def _is_made_of(manifest: Mapping[str, Any], known: Known) -> bool:
    """Whether a profile of a known name is that model, and not another one of the user's."""
    sources = manifest.get("sources", [])
    if not isinstance(sources, list):
        return False
    values = {
        str(each) for source in sources if isinstance(source, dict) for each in source.values()
    }
    return bool(values & {known.repo, known.origin})


# -- words --------------------------------------------------------------------------------------


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """A row's values as people read them, by the headings of their columns."""
    licence, _, reserve = row["licence"].partition("; ")
    speed = row["images_per_second"]
    return {
        "profile": row["name"],
        "size": size_of(row["bytes"] if row["installed"] else row["download_bytes"]),
        "languages": _languages(row["languages"]),
        "licence": f"{licence}*" if reserve else licence,
        "recall@1": _recall(row["recall"]),
        "photos/s": "-" if speed is None else f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}",
        "installed": _state(row),
        _DESCRIPTION: row["description"],
    }


def _languages(codes: Sequence[str]) -> str:
    if len(codes) > 1:
        return f"{len(codes)} languages"
    return _NAMES.get(codes[0], codes[0]) if codes else "?"


def _recall(recall: Mapping[str, float | None] | None) -> str:
    for test, label in (("coco", "COCO"), ("flickr30k", "Flickr30k")):
        value = recall[test] if recall else None
        if value is not None:
            return f"{label} {100 * value:.1f}"
    return "-"


def _state(row: Mapping[str, Any]) -> str:
    words = ["yes" if row["installed"] else "no"]
    words += [word for word in ("default", "recommended") if row[word]]
    return ", ".join(words)


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the table has no room for, of each profile that it is true of."""
    notes: list[str] = []
    reserves: dict[str, list[str]] = {}
    for row in rows:
        name = row["name"]
        _, _, reserve = row["licence"].partition("; ")
        if reserve:
            reserves.setdefault(reserve, []).append(name)
        if row["trained"]:
            notes.append(f"{name}: {origin(row['trained'])}")
        if row["installed"] and not row["aligned"]:
            notes.append(f"{name}: train it before use: pixquery train DATA --profile {name}")
        elif row["installed"] and not row["relevance"]:
            notes.append(f"{name}: predicts no relevance: orders by similarity alone")
        checked = row["checked"]
        if isinstance(checked, dict) and "reference" in checked and checked["reference"] is None:
            notes.append(f"{name}: not compared with its makers' code")
    notes += [f"* {reserve} ({', '.join(names)})" for reserve, names in reserves.items()]
    if any(row["recall"] for row in rows):
        notes.append(_RECALL)
    if any(not row["installed"] for row in rows):
        notes.append("add one: pixquery models add NAME")
    return ["", *notes] if notes else []


# -- shapes -------------------------------------------------------------------------------------


def _print_table(cells: Sequence[Mapping[str, str]], width: int | None) -> None:
    """A line for each row and a blank between columns; cells are wrapped to fit in ``width``."""
    names = [*_COLUMNS, _DESCRIPTION]
    if width is not None and width < _FOR_DESCRIPTIONS:
        names.remove(_DESCRIPTION)
    lines = [{name: name for name in names}, *cells]
    full = {name: max(len(line[name]) for line in lines) for name in names}
    widths = full if width is None else _shared_out(full, _least_widths(lines, names), width)
    for line in lines:
        wrapped = [_wrapped(line[name], widths[name]) for name in names]
        for parts in zip_longest(*wrapped, fillvalue=""):
            aligned = [
                part.rjust(widths[name]) if name in _RIGHT else part.ljust(widths[name])
                for name, part in zip(names, parts, strict=True)
            ]
            tell(_BETWEEN.join(aligned).rstrip())


def _fits(cells: Sequence[Mapping[str, str]], width: int) -> bool:
    """Whether a table has room without cutting a word."""
    lines = [{name: name for name in _COLUMNS}, *cells]
    return _taken(_least_widths(lines, _COLUMNS)) <= width


def _least_widths(lines: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, int]:
    """What each column needs if its cells are wrapped, but figures and their units are not."""
    words = {
        name: [
            word
            for line in lines
            for word in ([line[name]] if name == "size" else line[name].split())
        ]
        for name in names
    }
    return {name: min(_LONGEST_WORD, max(map(len, words[name]))) for name in names}


def _taken(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(_BETWEEN) * (len(widths) - 1)


def _shared_out(full: Mapping[str, int], least: Mapping[str, int], width: int) -> dict[str, int]:
    """The widths of the columns: what is left goes to the first that want more."""
    widths = dict(least)
    for name in full:
        widths[name] += max(0, min(full[name] - widths[name], width - _taken(widths)))
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _print_blocks(cells: Sequence[Mapping[str, str]], width: int) -> None:
    """A few lines each, for terminals too narrow for a table."""
    for each in cells:
        figures = [f"{name} {each[name]}" for name in ("recall@1", "photos/s") if each[name] != "-"]
        tell(each["profile"])
        for line in (
            f"{each['size']}, installed: {each['installed']}",
            f"{each['languages']}, {each['licence']}",
            ", ".join(figures),
        ):
            for part in textwrap.wrap(line, max(width - 2, _LONGEST_WORD)):
                tell(f"  {part}")
