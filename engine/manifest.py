"""The manifest of a profile: read as what anybody may have written, and checked entry by entry.

``docs/profiles.md`` describes the entries.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixquery.engine.features import FEATURES
from pixquery.engine.legible import legible
from pixquery.engine.photos import read_file
from pixquery.engine.predictors import KINDS, Trees

MANIFEST = "manifest.json"
SCHEMA = 2
"""Of what is written today. Manifests of the first have no entry for it."""
CHECKSUM = "checksum"
"""The entry with the SHA-256 of all others, as :func:`checksum` computes it."""

MOST_BYTES = 4 * 2**20
_LONGEST_TEXT = 10_000
LARGEST_SIZE = 1024
"""Of the square that photos are squashed to, in pixels."""
LONGEST_VECTOR = 16384
MOST_TOKENS = 8192
MOST_PAIRS = 10**9
LARGEST_FILE = 2**31
"""In bytes; no ONNX file can be larger."""
IR = ".xml"
"""What the names of networks in OpenVINO's own format end with; all others are ONNX."""
SQUASH, CROP = "squash", "crop"
"""How a photo becomes a square: all of it, made narrower; or its middle."""
_MOST_SIZES = 4
_MOST_ROWS = 1024
_MOST_PIECES = 10**7
_INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_SHOWN = 60
"""Characters of a wrong value that an error shows."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME_OF_ENCODER = re.compile(r"[0-9A-Za-z_.+-]{1,128}")


def weights_of(model: str) -> str:
    """The name of the file with the weights of a network in OpenVINO's own format."""
    return f"{model.removesuffix(IR)}.bin"


def read_text(file: Path) -> str:
    """A manifest's text.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or no UTF-8.
    """
    return read_file(file, MOST_BYTES).decode("utf-8")


def parsed(text: str, *, vouched: bool = False) -> dict[str, Any]:
    """A manifest whose entries all have the type and range that they should have.

    Args:
        text: JSON.
        vouched: It must have a checksum; others may have been written before there was one.

    Raises:
        ValueError: It is no such manifest; the message names the entry.
    """
    try:
        manifest = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(manifest, dict):
        raise ValueError("it is no JSON object")
    if (vouched or CHECKSUM in manifest) and manifest.get(CHECKSUM) != checksum(manifest):
        raise ValueError(
            f"its entry {CHECKSUM} does not match the others: they were altered after it was "
            "written"
        )
    _check_texts(manifest)
    if manifest.get("schema", 1) not in range(1, SCHEMA + 1):
        raise ValueError(
            f"its schema is {legible(repr(manifest['schema']))[:_SHOWN]}, and this pixquery knows "
            f"those up to {SCHEMA}: install a newer one"
        )
    for name in ("name", "description", "licence"):
        _text(manifest, name)
    if not manifest["name"]:
        raise ValueError("name is empty")
    files = _table(manifest, "files")
    for name in files:
        _check_file(files, name)
    _check_image(_table(manifest, "image"))
    _check_words(_table(manifest, "text"))
    if "alignment" in manifest:
        _file_name(manifest, "alignment")
    if manifest.get("relevance") is not None:
        _file_name(manifest, "relevance")
        _check_regressor(_table(manifest, "regressor", {}))
    if "taste" in manifest:
        _file_name(manifest, "taste")
    if "trained" in manifest:
        _check_trained(_table(manifest, "trained"))
    if "checked" in manifest:
        _check_checks(_table(manifest, "checked"))
    joint = _table(manifest, "joint", {})
    for name in joint:
        _number(joint, name, "joint.")
    return manifest


def checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's entries but for the checksum, in hexadecimal."""
    entries = {name: entry for name, entry in manifest.items() if name != CHECKSUM}
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_trained(trained: Mapping[str, Any]) -> None:
    for entry in ("from", "judges", *(["asked"] if "asked" in trained else [])):
        _text(trained, entry, "trained.")
    _whole(trained, "pairs", MOST_PAIRS, "trained.", least=0)


def _check_checks(checked: Mapping[str, Any]) -> None:
    for entry in ("conversion", "reference", "examples"):
        if checked.get(entry) is not None:
            table = _table(checked, entry, within="checked.")
            for name in table:
                _number(table, name, f"checked.{entry}.")


def _check_image(image: Mapping[str, Any]) -> None:
    models = _table(image, "models", within="image.")
    if "float" not in models:
        raise ValueError("image.models has no entry float")
    for precision in models:
        _file_name(models, precision, "image.models.")
    _whole(image, "size", LARGEST_SIZE, "image.")
    _whole(image, "dimension", LONGEST_VECTOR, "image.")
    _encoder(image, "source_sha256", "image.")
    for quality, sizes in _table(image, "sizes", {}, "image.").items():
        if not isinstance(sizes, list) or not 1 <= len(sizes) <= _MOST_SIZES:
            raise _wrong(f"image.sizes.{quality}", sizes, f"a list of 1 to {_MOST_SIZES} sizes")
        for place in range(len(sizes)):
            _whole(dict(enumerate(sizes)), place, LARGEST_SIZE, f"image.sizes.{quality}.")
    earlier = _table(image, "earlier", {}, "image.")
    for source in earlier:
        if not _NAME_OF_ENCODER.fullmatch(source):
            raise _wrong("image.earlier", source, "digests of encoders")
        _whole(earlier, source, LONGEST_VECTOR, "image.earlier.")
    for entry, known in (("interpolation", _INTERPOLATIONS), ("fit", (SQUASH, CROP))):
        if entry in image and image[entry] not in known:
            raise _wrong(f"image.{entry}", image[entry], " or ".join(known))
    classes = _table(image, "classes", {}, "image.")
    if classes:
        _file_name(classes, "file", "image.classes.")
        names = classes.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _wrong("image.classes.names", names, "a list of texts")


def _check_words(text: Mapping[str, Any]) -> None:
    for entry in ("model", "tokenizer", *(["pieces"] if "pieces" in text else [])):
        _file_name(text, entry, "text.")
    _whole(text, "dimension", LONGEST_VECTOR, "text.")
    _whole(text, "max_tokens", MOST_TOKENS, "text.")
    if "context" in text:
        _whole(text, "context", MOST_TOKENS, "text.")
    if "pad" in text:
        _whole(text, "pad", _MOST_PIECES, "text.", least=0)
    if "rows" in text:
        _whole(text, "rows", _MOST_ROWS, "text.")
    if "source_sha256" in text:
        _encoder(text, "source_sha256", "text.")
    languages = text.get("languages", [])
    if not isinstance(languages, list) or not all(isinstance(each, str) for each in languages):
        raise _wrong("text.languages", languages, "a list of texts")


def _check_regressor(regressor: Mapping[str, Any]) -> None:
    for name, known in (("kind", KINDS), ("features", FEATURES)):
        if regressor and regressor.get(name) not in known:
            raise _wrong(f"regressor.{name}", regressor.get(name), " or ".join(known))
    if regressor.get("kind") == Trees.kind:
        _file_name(regressor, "trees", "regressor.")


def _check_file(files: Mapping[str, Any], name: str) -> None:
    """Raises unless a name is that of a file in the profile's folder, with size and digest."""
    if not _is_file_name(name):
        raise _wrong("files", name, "names of files in the folder of the profile")
    entry = _table(files, name, within="files.")
    _whole(entry, "bytes", LARGEST_FILE, f"files.{name}.", least=0)
    digest = entry.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _wrong(f"files.{name}.sha256", digest, "64 hexadecimal digits")


def _check_texts(manifest: Mapping[str, Any]) -> None:
    """Raises if a text would disturb a terminal; names of classes are only learned from."""
    pending: list[tuple[str, Any]] = [("", manifest)]
    while pending:
        place, entry = pending.pop()
        if isinstance(entry, str) and (len(entry) > _LONGEST_TEXT or legible(entry) != entry):
            raise _wrong(place, entry, "a line of text")
        if isinstance(entry, dict) and place != "image.classes":
            pending += [("the name of an entry", name) for name in entry]
            pending += [(f"{place}.{name}".lstrip("."), each) for name, each in entry.items()]
        elif isinstance(entry, list):
            pending += [(place, each) for each in entry]


def _text(table: Mapping[str, Any], name: str, within: str = "") -> str:
    if not isinstance(table.get(name), str):
        raise _wrong(within + name, table.get(name), "a text")
    return str(table[name])


def _encoder(table: Mapping[str, Any], name: str, within: str) -> None:
    if not _NAME_OF_ENCODER.fullmatch(_text(table, name, within)):
        raise _wrong(within + name, table[name], "a digest")


def _table(
    table: Mapping[str, Any], name: str, default: Any = None, within: str = ""
) -> Mapping[str, Any]:
    entry = table.get(name, default)
    if not isinstance(entry, dict):
        raise _wrong(within + name, entry, "an object")
    return entry


def _file_name(table: Mapping[str, Any], name: str, within: str = "") -> None:
    if not _is_file_name(_text(table, name, within)):
        raise _wrong(within + name, table[name], "the name of a file in the folder of the profile")


def _is_file_name(name: str) -> bool:
    """Whether a name leads to a file in the same folder, on any system."""
    return name not in ("", ".", "..", MANIFEST) and not re.search(r'[/\\:*?"<>|]', name)


def _whole(
    table: Mapping[Any, Any], name: Any, most: int, within: str = "", *, least: int = 1
) -> None:
    value = table.get(name)
    if type(value) is not int or not least <= value <= most:
        raise _wrong(f"{within}{name}", value, f"a whole number from {least} to {most:,}")


def _number(table: Mapping[str, Any], name: str, within: str = "") -> None:
    value = table.get(name)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(within + name, value, "a number")


def _wrong(name: str, value: Any, wanted: str) -> ValueError:
    if value is None:
        return ValueError(f"{legible(name)[:_SHOWN]} is missing, which should be {wanted}")
    shown = legible(repr(value) if isinstance(value, str | int | float) else type(value).__name__)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}..."
    return ValueError(f"{legible(name)[:_SHOWN]} is {shown}, and should be {wanted}")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"it has two entries {legible(repr(twice))[:_SHOWN]}")
    return table


def _no_number(constant: str) -> Any:
    raise ValueError(f"it contains {constant}, which is no number")
