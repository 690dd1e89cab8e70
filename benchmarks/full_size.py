"""Writes a model of full size with random weights, to measure what adding it costs.

It is SigLIP 2 B/16 for 256 pixels, as `onnx-community/siglip2-base-patch16-256-ONNX` has it: 12
layers of 768 on both sides, a vocabulary of 256,000 pieces, float32, and a tokenizer.json of about
34 MB. It takes about 1.5 GB, 5 GB of memory and some minutes.
"""

import argparse
import json
import random
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import SiglipConfig, SiglipModel

from benchmarks.setting import print_json, say
from tests import ready_files, ready_onnx, ready_words

PIECES = 256_000
MERGES = 580_604
"""What Gemma's tokenizer.json has."""
SIDE = 256
_LETTERS = "▁abcdefghijklmnopqrstuvwxyz"
_LONGEST = 12
_SHORTER = 40
"""How much more often shorter pieces become parts of others, which decides how many merges fit."""
_SCRIPTS = ((0x21, 0x60), (0x7B, 0x7E), (0xA1, 0x17F), (0x391, 0x3C9), (0x410, 0x44F),
            (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x939), (0xE01, 0xE30), (0x3041, 0x30FE),
            (0x4E00, 0x6FFF), (0xAC00, 0xB3FF))  # fmt: skip
"""First and last letters of what is no part of a longer piece."""


def pieces(count: int, seed: int = 0) -> tuple[list[str], list[tuple[str, str]]]:
    """Pieces, and the pairs that make longer ones of shorter ones, in the order of their use.

    As in Gemma's, each piece has all the pairs of pieces that it consists of.
    """
    draw = random.Random(seed)
    found = list(dict.fromkeys(chain(_LETTERS, *(map(chr, range(a, b + 1)) for a, b in _SCRIPTS))))
    ranked = list(_LETTERS)
    known = set(found)
    for text in ready_words.TEXTS:
        for word in text.lower().split():
            for end in range(2, len(word) + 2):
                start = f"▁{word}"[:end]
                if start not in known and start.isprintable():
                    known.update((start, start[-1]))
                    ranked.append(start)
    found = list(dict.fromkeys((*found, *(word[-1] for word in ranked), *ranked)))
    while len(found) < count:
        first, second = (ranked[int(len(ranked) * draw.random() ** _SHORTER)] for _ in "12")
        longer = first + second
        if "▁" not in second and len(longer) <= _LONGEST and longer not in known:
            known.add(longer)
            ranked.append(longer)
            found.append(longer)
    needed, more = [], []
    for piece in found:
        pairs = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        usable = [pair for pair in pairs if known.issuperset(pair)]
        needed += usable[:1]
        more += usable[1:]
    draw.shuffle(more)
    kept = {*needed, *more[: max(0, MERGES - len(needed))]}
    rank = {piece: place for place, piece in enumerate(found)}
    merges = sorted(kept, key=lambda pair: (rank[pair[0] + pair[1]], rank[pair[0]]))
    return found, merges


def write(folder: Path, *, layers: int = 12, count: int = PIECES) -> dict[str, float]:
    """Writes the repository; gives the seconds that its parts took."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    before = perf_counter()
    tokenizer = ready_words.gemma(*pieces(count - len(ready_words.gemma_marks())))
    tokenizer.save(str(folder / "tokenizer.json"))
    seconds["tokenizer"], before = perf_counter() - before, perf_counter()
    torch.manual_seed(0)
    rows = tokenizer.get_vocab_size()
    config = SiglipConfig(
        text_config={"vocab_size": rows, "num_hidden_layers": layers},
        vision_config={"image_size": SIDE, "num_hidden_layers": layers},
    )
    model: Any = SiglipModel(config)
    ready_files.write_siglip2(folder, config)
    seconds["weights"], before = perf_counter() - before, perf_counter()
    ready_onnx.write_siglip(folder / "onnx", model.eval())
    seconds["onnx"] = perf_counter() - before
    return seconds


def main() -> None:
    """Writes the model and prints the sizes of its files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write it; about 1.5 GB")
    arguments = parser.parse_args()
    say(f"writing a model of full size to {arguments.folder}")
    seconds = write(arguments.folder)
    files = sorted(file for file in arguments.folder.rglob("*") if file.is_file())
    words = json.loads((arguments.folder / "tokenizer.json").read_text("utf-8"))["model"]
    print_json(
        {
            "question": "how large is a model of full size",
            "bytes": {str(f.relative_to(arguments.folder)): f.stat().st_size for f in files},
            "pieces": len(words["vocab"]),
            "merges": len(words["merges"]),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
        }
    )


if __name__ == "__main__":
    main()
