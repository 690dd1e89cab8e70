"""How large and how fast is each profile, and what does it find?

Each profile is measured in its own process: bytes of its files, memory of both encoders, photos
encoded per second, milliseconds per text and, if it has an alignment and the data is available,
recall on Flickr8k's development split, by similarity alone and re-ranked.

`--random` makes profiles of networks of the size of known ones with random weights. They are as
large and as fast as the published ones, and only what they find is meaningless; this needs no
network connection. With one, add the real ones first: `pixquery models add siglip2-b16`.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    apart,
    first_of,
    machine,
    peak_memory,
    photos_in,
    print_json,
    say,
    versions,
)
from pixquery import Library
from pixquery.db.records import Pixels
from pixquery.engine.profile import load_profile, names
from pixquery.indexer.build import index
from pixquery.indexer.decode import decode
from pixquery.trainer.measuring.evaluate import evaluate
from pixquery.trainer.measuring.queries import read_queries

COUNT = 96
"""How many photos and texts are timed."""
ROUNDS = 3
CANDIDATES = 200
FIGURES = ("megabytes", "memory_megabytes", "images_per_second", "milliseconds_a_query")
"""Figures of each profile; recall and speed are better when higher, the others when lower."""


def main() -> None:
    """Measures each profile, and prints the figures."""
    arguments = _arguments()
    document: dict[str, Any] = {
        "question": "size, memory, speed and recall of each profile",
        "machine": machine(),
        "versions": versions("openvino", "torch", "transformers", "tokenizers"),
        "photos": COUNT,
        "profiles": {},
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        os.environ["PIXQUERY_CACHE"] = str(Path(name) / "cache")
        wanted = arguments.profiles or names()
        chosen = {profile: (profile, True) for profile in wanted}
        if arguments.random:
            made = _random_profiles(Path(name))
            chosen |= {f"{kind} (random weights)": (str(place), False) for kind, place in made}
        for title, (profile, learned) in chosen.items():
            say(f"{title}: size and speed")
            document["profiles"][title] = apart(_measured, profile, arguments.photos)
            if learned and not arguments.sizes and "alignment" in load_profile(profile).manifest:
                say(f"{title}: recall")
                place = Path(name) / f"library-{len(document['profiles'])}"
                document["profiles"][title]["recall"] = apart(_recalls, profile, place)
    document["not_dominated"] = not_dominated(document["profiles"])
    if arguments.table:
        print(table(document["profiles"], document["not_dominated"]))
    else:
        print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "profiles", nargs="*", metavar="NAME|DIR", help="default: all known by name"
    )
    parser.add_argument(
        "--random", action="store_true", help="add the known ones, with random weights"
    )
    parser.add_argument(
        "--sizes", action="store_true", help="size and speed alone, for models of random weights"
    )
    parser.add_argument("--table", action="store_true", help="print a table for the docs")
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        default=first_of(FLICKR8K / "images" / "dev", EXAMPLES),
    )
    return parser.parse_args()


# -- measures ---------------------------------------------------------------------------------


def _measured(name: str, folder: Path) -> dict[str, Any]:
    profile = load_profile(name)
    files = photos_in(folder)
    files = (files * -(-COUNT // len(files)))[:COUNT]
    pixels = np.stack(
        [
            decode(
                file.read_bytes(),
                profile.size,
                interpolation=profile.interpolation,
                fit=profile.fit,
            ).pixels
            for file in files
        ]
    )
    texts = [f"{number} people and a dog near the water" for number in range(COUNT)]
    profile.images.encode(pixels[:8])
    profile.texts.encode(texts[:8])
    seconds, milliseconds = [], []
    for _ in range(ROUNDS):
        begin = perf_counter()
        profile.images.encode(pixels)
        seconds.append(perf_counter() - begin)
        for text in texts[: COUNT // ROUNDS]:
            begin = perf_counter()
            profile.texts.encode([text])
            milliseconds.append(1e3 * (perf_counter() - begin))
    sizes = [file["bytes"] for file in profile.manifest["files"].values()]
    return {
        "megabytes": round(sum(sizes) / 1e6, 1),
        "memory_megabytes": peak_memory(),
        "images_per_second": round(COUNT / median(seconds), 1),
        "milliseconds_a_query": round(median(milliseconds), 2),
        "precisions": sorted(profile.manifest["image"]["models"]),
        "dimensions": [profile.dimension, int(profile.manifest["text"]["dimension"])],
    }


def _recalls(name: str, place: Path) -> dict[str, Any]:
    """Recall on the development split; empty if that is not available."""
    photos, queries = FLICKR8K / "images" / "dev", FLICKR8K / "test_queries.csv"
    if not (photos.is_dir() and queries.is_file()):
        return {}
    with Library.open(place, create=True, profile=name) as library:
        index(library, [photos])
        result, _ = evaluate(library, read_queries(queries), CANDIDATES)
    return {
        stage: {measure: round(getattr(result, stage)[measure], 4) for measure in measures}
        for stage in ("first_stage", "reranked")
        for measures in [("recall@1", "recall@5", "recall@10")]
    }


def not_dominated(figures_of: dict[str, Any]) -> list[str]:
    """The profiles that no other equals in every figure and exceeds in one.

    Profiles are compared by recall@10 re-ranked, images per second, milliseconds per query and
    bytes; those without recall are left out.
    """
    points = {
        name: (
            facts["recall"]["reranked"]["recall@10"],
            facts["images_per_second"],
            -facts["milliseconds_a_query"],
            -facts["megabytes"],
        )
        for name, facts in figures_of.items()
        if facts.get("recall")
    }
    return [
        name
        for name, mine in points.items()
        if not any(
            all(a >= b for a, b in zip(other, mine, strict=True)) and other != mine
            for other in points.values()
        )
    ]


def table(figures_of: dict[str, Any], best: list[str]) -> str:
    """The figures as a table in Markdown."""
    lines = [
        "| profile | files, MB | memory, MB | images/s | ms a query "
        "| dev recall@1 / 5 / 10, re-ranked | not dominated |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, facts in figures_of.items():
        recall = (facts.get("recall") or {}).get("reranked")
        recalls = " / ".join(f"{value:.3f}" for value in recall.values()) if recall else "-"
        figures = " | ".join(f"{facts[figure]:,.1f}" for figure in FIGURES)
        mark = "yes" if name in best else "no" if recall else "-"
        lines.append(f"| {name} | {figures} | {recalls} | {mark} |")
    return "\n".join(lines)


# -- networks of the known sizes --------------------------------------------------------------


def _random_profiles(place: Path) -> list[tuple[str, Path]]:
    """Profiles of networks of the size of known ones."""
    made = []
    for kind in ("resnet18-distilbert", "clip-b32", "siglip-b16", "siglip2-b16"):
        say(f"{kind}: making it with random weights")
        out = place / "profiles" / kind
        apart(_added, kind, place / kind, out)
        shutil.rmtree(place / kind)
        made.append((kind, out))
    return made


def _added(kind: str, place: Path, out: Path) -> dict[str, Any]:
    from benchmarks.full_size import write
    from pixquery.trainer.adopting.additions import Material, Wanted, add

    files = photos_in(first_of(FLICKR8K / "images" / "dev", EXAMPLES))[:120]

    def photos(size: int, interpolation: str, fit: str) -> Pixels:
        return np.stack(
            [
                decode(f.read_bytes(), size, interpolation=interpolation, fit=fit).pixels
                for f in files
            ]
        )

    if kind == "resnet18-distilbert":
        _save_resnet18(place / "image")
        _save_distilbert(place / "text")
        wanted = Wanted(str(place / "image"), str(place / "text"))
    else:
        save: dict[str, Callable[[Path], object]] = {
            "clip-b32": _save_clip,
            "siglip-b16": _save_siglip,
            "siglip2-b16": write,
        }
        save[kind](place / "joint")
        wanted = Wanted(joint=str(place / "joint"))
    return add(f"{kind}-random", out, wanted, Material(photos, force=True))


def _save_resnet18(folder: Path) -> None:
    from tests import checkpoints

    folder.mkdir(parents=True)
    checkpoints.resnet(folder, width=64)
    checkpoints.write_preparation(folder, size={"shortest_edge": 224})


def _save_distilbert(folder: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    from tests import checkpoints

    folder.mkdir(parents=True)
    DistilBertModel(DistilBertConfig()).save_pretrained(folder)
    checkpoints.write_words(folder)


def _save_clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    from tests import checkpoints

    folder.mkdir(parents=True)
    checkpoints.clip(folder)  # for its tokenizer and the ids of the end mark
    small = json.loads((folder / "config.json").read_text())["text_config"]
    ids = {name: small[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    CLIPModel(CLIPConfig(text_config=ids)).save_pretrained(folder)
    checkpoints.write_preparation(folder, size={"shortest_edge": 224}, crop_size=224)


def _save_siglip(folder: Path) -> None:
    from transformers import SiglipConfig, SiglipModel

    from tests import checkpoints

    folder.mkdir(parents=True)
    checkpoints.siglip(folder)
    ids = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    SiglipModel(SiglipConfig(text_config=ids)).save_pretrained(folder)
    checkpoints.write_preparation(folder, size={"height": 224, "width": 224})
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    checkpoints.write_json(folder / "tokenizer_config.json", {**settings, "model_max_length": 64})


if __name__ == "__main__":
    main()
