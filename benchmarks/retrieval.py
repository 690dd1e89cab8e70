"""How often is the right photo found, and what does the encoders' precision cost?

Two sets of photos are indexed and searched: Flickr8k's development split by its captions,
and photos of objects by their names. Then the same with the image encoder's two models, and both
beside PyTorch at full precision.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.setting import (
    FLICKR8K,
    OBJECTS,
    machine,
    photos_in,
    print_json,
    say,
    shown,
    versions,
)
from pixquery import Library
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import unit
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder, has_bfloat16
from pixquery.engine.profile import DEFAULT, Profile, load_profile
from pixquery.engine.tokenizer import Reading
from pixquery.indexer.build import index
from pixquery.indexer.decode import decode
from pixquery.trainer.measuring.evaluate import Evaluation, evaluate
from pixquery.trainer.measuring.queries import TestQuery, read_queries

BATCH = 64
CANDIDATES = 200
RECALLS = (1, 5, 10)


def main() -> None:
    """Measures every available set of photos, and prints the figures."""
    arguments = _arguments()
    sets = {
        "flickr8k development split": (
            arguments.flickr8k / "images" / "dev",
            arguments.flickr8k / "test_queries.csv",
        ),
        "objects": (arguments.objects / "images", arguments.objects / "queries.csv"),
    }
    available = {name: data for name, data in sets.items() if all(path.exists() for path in data)}
    if not available:
        raise SystemExit("neither data set is there: name its folder with --flickr8k or --objects")
    document: dict[str, Any] = {
        "question": "recall on known photos, and the cost of the encoders' precision",
        "machine": machine(),
        "versions": versions("openvino", "torch", "numpy", "faiss-cpu"),
        "profile": arguments.profile,
        "sets": {},
        "left_out": sorted(set(sets) - set(available)),
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        os.environ["PIXQUERY_CACHE"] = str(Path(name) / "cache")
        profile = load_profile(arguments.profile)
        for title, (folder, queries) in available.items():
            photos = photos_in(folder)[: arguments.photos]
            names = {photo.name for photo in photos}
            known = [query for query in read_queries(queries) if query.image in names]
            say(f"{title}: {len(photos)} photos, {len(known)} queries")
            place = Path(name) / title.replace(" ", "-")
            document["sets"][title] = {
                "photos_from": shown(folder),
                **_searched(place, photos, known, arguments.profile),
                "precision": _precisions(profile, photos, known),
            }
        if not arguments.skip_torch:
            folder, queries = next(iter(available.values()))
            texts = [query.text for query in read_queries(queries)[: arguments.against_torch]]
            photos = photos_in(folder)[: arguments.against_torch]
            document["against_pytorch_fp32"] = _against_torch(profile, photos, texts)
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flickr8k", type=Path, default=FLICKR8K, metavar="DIR")
    parser.add_argument("--objects", type=Path, default=OBJECTS, metavar="DIR")
    parser.add_argument("--profile", default=DEFAULT, metavar="NAME|DIR", help="models to measure")
    parser.add_argument(
        "--photos", type=int, metavar="N", help="only the first N photos of each, for a quick try"
    )
    parser.add_argument("--skip-torch", action="store_true", help="do not compare with PyTorch")
    parser.add_argument(
        "--against-torch",
        type=int,
        default=200,
        metavar="N",
        help="photos and texts compared with PyTorch (200)",
    )
    return parser.parse_args()


# -- the whole search -------------------------------------------------------------------------


def _searched(
    place: Path, photos: Sequence[Path], queries: Sequence[TestQuery], profile: str
) -> dict[str, Any]:
    folder = place / "photos"
    folder.mkdir(parents=True)
    for photo in photos:
        shutil.copyfile(photo, folder / photo.name)
    with Library.open(place / "library", create=True, profile=profile) as library:
        report = index(library, [folder])
        result, _ = evaluate(library, queries, CANDIDATES)
    return {
        "photos": report.images,
        "skipped": len(report.skipped),
        "queries": result.queries,
        "candidates": CANDIDATES,
        "prefilter": _stage(result, "first_stage"),
        "reranked": _stage(result, "reranked"),
        "unmatched": len(result.unmatched),
    }


def _stage(result: Evaluation, name: str) -> dict[str, Any]:
    means = result.first_stage if name == "first_stage" else result.reranked
    bounds = result.ci95[name]
    return {
        measure: {
            "mean": round(value, 4),
            **({"ci95": [round(b, 4) for b in bounds[measure]]} if measure in bounds else {}),
        }
        for measure, value in means.items()
    }


# -- precision --------------------------------------------------------------------------------


def _precisions(
    profile: Profile, photos: Sequence[Path], queries: Sequence[TestQuery]
) -> dict[str, Any]:
    """Recall by similarity with each of the image encoder's models, and how they differ."""
    raw = _encoded(profile, photos)
    texts = profile.alignment.texts(profile.texts.encode([query.text for query in queries]))
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    right = np.array([row_of[query.image] for query in queries])
    recalls: dict[str, Any] = {
        "float_computes_in": "bfloat16" if has_bfloat16() else "float32",
        "recall_by_similarity": {
            name: _recall(profile.alignment.images(vectors), texts, right)
            for name, vectors in raw.items()
        },
    }
    if {"float", "int8"} <= set(raw):
        recalls["int8_against_float"] = {
            "raw": _cosines(raw["int8"], raw["float"]),
            "aligned": _cosines(
                profile.alignment.images(raw["int8"]), profile.alignment.images(raw["float"])
            ),
        }
    return recalls


def _encoded(profile: Profile, photos: Sequence[Path]) -> dict[str, Floats]:
    encoders = {
        name: OpenVinoImageEncoder(
            profile.folder / file, size=profile.size, dimension=profile.dimension
        )
        for name, file in profile.manifest["image"]["models"].items()
    }
    parts: dict[str, list[Floats]] = {name: [] for name in encoders}
    for start in range(0, len(photos), BATCH):
        pixels = _pixels(photos[start : start + BATCH], profile)
        for name, encoder in encoders.items():
            parts[name].append(encoder.encode(pixels))
    return {name: np.concatenate(ours) for name, ours in parts.items()}


def _pixels(photos: Sequence[Path], profile: Profile) -> Pixels:
    return np.stack(
        [
            decode(photo.read_bytes(), profile.size, interpolation=profile.interpolation).pixels
            for photo in photos
        ]
    )


def _recall(photos: Floats, texts: Floats, right: NDArray[np.int64]) -> dict[str, float]:
    similarities = texts @ photos.T
    own = similarities[np.arange(len(right)), right]
    ranks = (similarities > own[:, None]).sum(1) + 1
    return {f"recall@{k}": round(float((ranks <= k).mean()), 4) for k in RECALLS}


def _cosines(ours: Floats, others: Floats) -> dict[str, float]:
    dots = np.einsum("nd,nd->n", unit(ours), unit(others))
    return {"cosine_min": round(float(dots.min()), 5), "cosine_mean": round(float(dots.mean()), 5)}


def _against_torch(
    profile: Profile, photos: Sequence[Path], texts: Sequence[str]
) -> dict[str, Any]:
    """Cosines of the runtime's vectors to those of the networks they were exported from.

    A text encoder that was fine-tuned since has no such network: the one that it started from is
    exported again and compared.
    """
    import torch
    from tokenizers import Tokenizer

    from pixquery.trainer.image_model import EXPORTS, ImageModel
    from pixquery.trainer.text_model import TEXT_SOURCE, TextModel, export_text

    text_source = profile.manifest["text"]["source_sha256"]
    if profile.source not in EXPORTS or text_source != TEXT_SOURCE["sha256"]:
        return {"left_out": f"the encoders of {profile.name} are not the exported ones"}
    say(f"PyTorch on {len(photos)} photos and {len(texts)} texts")
    encoded = _encoded(profile, photos)
    tokenizer = Tokenizer.from_file(str(profile.folder / profile.manifest["text"]["tokenizer"]))
    tokenizer.enable_truncation(int(profile.manifest["text"]["max_tokens"]))
    tokenizer.enable_padding()
    image_model, text_model = ImageModel(), TextModel()
    raw: list[Floats] = []
    words: list[Floats] = []
    with torch.inference_mode():
        for start in range(0, len(photos), BATCH):
            pixels = torch.from_numpy(_pixels(photos[start : start + BATCH], profile))
            raw.append(image_model(pixels).numpy())
        for start in range(0, len(texts), BATCH):
            tokens = tokenizer.encode_batch(list(texts[start : start + BATCH]))
            ids = torch.tensor([token.ids for token in tokens])
            mask = torch.tensor([token.attention_mask for token in tokens])
            words.append(text_model(ids, mask).numpy())
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as place:
        exported = Path(place) / "text.onnx"
        export_text(text_model, exported)
        text = profile.manifest["text"]
        runtime = OpenVinoTextEncoder(
            exported,
            profile.folder / text["tokenizer"],
            dimension=int(text["dimension"]),
            reading=Reading.of(text),
        )
        heard = runtime.encode(list(texts))
    wanted = np.concatenate(raw)[:, : profile.dimension]  # earlier exports have fewer columns
    align = profile.alignment.images
    return {
        "photos": len(photos),
        "texts": len(texts),
        "images": {
            name: {
                "raw": _cosines(vectors, wanted),
                "aligned": _cosines(align(vectors), align(wanted)),
            }
            for name, vectors in encoded.items()
        },
        "text": {"raw": _cosines(heard, np.concatenate(words))},
    }


if __name__ == "__main__":
    main()
