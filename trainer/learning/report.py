"""Writes the study as one HTML file for people, and as JSON for programs.

The page is self-contained and runs no script; photos are embedded as data. Its text is in
``report.html`` beside this file, its style in ``report.css``. Everything that comes from the data
(names, captions, words) is escaped. The same study and photos give the same bytes.
"""

import base64
import json
import math
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.trainer.learning.results import Study
from pixquery.trainer.learning.sections import SECTIONS, headline


def write_report(out: Path, study: Study, photos: Mapping[str, bytes] | None = None) -> None:
    """Writes ``report.json`` and ``report.html``.

    Args:
        out: The folder to write to; it is created if it is missing.
        study: The results, as `train --json` prints them. Parts that are missing or null are left
            out of the page, or a sentence says that they are missing.
        photos: A photo's name -> a small JPEG of it; the page names the others only.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    plain = _plain(study)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    pictures = {_visible(name): _data_of(jpeg) for name, jpeg in (photos or {}).items()}
    page = {**_page(_visible(plain)), "pictures": pictures}
    html = templates.get_template("report.html").render(page)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(plain, indent=2) + "\n", "utf-8")
    (out / "report.html").write_text(html, "utf-8")


def _page(study: Study) -> dict[str, Any]:
    return {
        **{key: study.get(key) for key in ("profile", "chosen", "deployed", "why", "seed")},
        "kept": study.get("kept"),
        "origin": study.get("from"),
        "headline": list(headline(study)),
        "sections": [(name, title, it) for name, title, build in SECTIONS if (it := build(study))],
    }


def _data_of(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _plain(value: Any) -> Any:
    """The value in JSON's types: no NumPy, no paths, and null for what is not a finite number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _visible(value: Any) -> Any:
    """The value with texts fit for a page: stray bytes and control characters are escaped."""
    if isinstance(value, dict):
        return {_visible(key): _visible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_visible(inner) for inner in value]
    if not isinstance(value, str):
        return value
    valid = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c.encode("unicode_escape").decode() if _odd(c) else c for c in valid)


def _odd(character: str) -> bool:
    """Whether a character is a control, no character at all, or changes the direction of text."""
    kind = unicodedata.category(character)
    turning = unicodedata.bidirectional(character) in _TURNING
    return kind == "Cc" or turning or ord(character) & 0xFFFE == 0xFFFE


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
