"""Sources of encoders: the files of other people's models, and their licence.

Every file has a checksum, and no code of a model is ever downloaded or run.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels

Progress = Callable[[str, int, int], object]
"""Called during a download with the file's name, bytes done, and bytes in all (0 if unknown)."""
Photos = Callable[[int, str, str], Pixels]
"""Side of a square in pixels, Pillow's name of an interpolation, and ``squash`` or ``crop`` ->
photos as such squares: uint8[n, side, side, 3]; a few hundred are best."""
Agree = Callable[[str, str, int], object]
"""Called before a download with the repository, its licence, and the bytes to download."""
CONFIG = "config.json"
INDEX = ".index.json"
WEIGHTS = ("model.safetensors", "model.safetensors" + INDEX, "pytorch_model.bin")
"""In order of preference: safetensors cannot contain code; one file is simpler than many."""
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
ABOUT = re.compile(
    r"README\.md|config\.json|preprocessor_config\.json|processor_config\.json|tokenizer\.json"
    r"|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|vocab\.txt"
    r"|merges\.txt|spiece\.model|sentencepiece\.bpe\.model|tokenizer\.model|modules\.json"
    r"|sentence_bert_config\.json|config_sentence_transformers\.json|\d+_Pooling/config\.json"
)
"""Files that say how to use the weights, and under which licence."""
COMMAND = "`pixquery models add NAME --image FOLDER` (or --text, or --joint)"
UNKNOWN = "unknown"
ENDINGS = (".safetensors", ".bin", ".pth", ".pt")
_LICENCE = re.compile(r"""^license(_name)?:\s*(?:-\s*|\[\s*)?["']?([^"'\s,\]]+)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one model on the disk, as their origin published them."""

    named: str
    """What the user typed."""
    folder: Path
    """The folder of config.json, tokenizer.json and the like; for a lone file, its folder."""
    weights: Path
    """The file that `read_state` reads; of a ready pair of networks, the image network."""
    revision: str
    """The hub's commit hash; empty for local files."""
    licence: str
    """As the model's card or the hub names it; ``unknown`` if neither does."""
    checksums: Mapping[str, str]
    """Path from the folder -> SHA-256 in hex, for every file used."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a model."""

    joint: bool = False
    """Its ready pair of ONNX networks, if it has one."""
    revision: str = ""
    """Branch, tag or commit; the main branch when empty."""
    known: tuple[str, ...] = ()
    """Files whose checksums are known: networks among them come before all others."""


ANYTHING = Wish()


def no_model(named: str) -> SourceUnusable:
    """The error for a name that is no path on the disk and cannot be an id of the hub."""
    return SourceUnusable(
        f"{named!r} is neither a folder, nor a file, nor an id of the Hugging Face hub such as "
        f"microsoft/resnet-18: give one of them to {COMMAND}"
    )


def licence_of(folder: Path) -> str:
    """The licence that a model's card names; empty if it names none."""
    if not (folder / "README.md").is_file():
        return ""
    card = (folder / "README.md").read_text("utf-8", errors="replace").lstrip("\ufeff")
    head = card.split("\n---", 1)[0] if card.startswith("---") else ""
    entries: dict[str, str] = dict(_LICENCE.findall(head.lower()))
    licence = entries.get("", "")
    return entries.get("_name", licence) if licence == "other" else licence
