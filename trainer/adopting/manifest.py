"""What a profile of other people's encoders says about itself."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pixquery.engine.legible import legible
from pixquery.engine.manifest import SCHEMA
from pixquery.trainer.adopting.layouts import Pair
from pixquery.trainer.adopting.preparation import Preparation
from pixquery.trainer.adopting.sources import Source


def about(name: str, sources: Sequence[Source], whats: Sequence[str]) -> dict[str, Any]:
    """The name, sources and licence of a profile.

    Args:
        name: The profile's.
        sources: One or two.
        whats: What each of them is, in words.
    """
    licences = sorted({source.licence for source in sources})
    return {
        "schema": SCHEMA,
        "name": name,
        "description": legible(" and ".join(source.named for source in sources)),
        "licence": legible(" and ".join(licences)),
        "sources": [
            {
                "what": what,
                "from": legible(source.named),
                **({"repo": legible(source.named)} if source.revision else {}),
                "revision": source.revision,
                "file": legible(_weights_name(source)),
                "sha256": source.checksums[_weights_name(source)],
                "files": {legible(name): sum_ for name, sum_ in source.checksums.items()},
                "licence": legible(source.licence),
            }
            for what, source in zip(whats, sources, strict=True)
        ],
    }


def report(out: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """What `add` returns about a profile."""
    image, text = manifest["image"], manifest["text"]
    return {
        "profile": manifest["name"],
        "folder": str(out),
        "image": {
            "from": manifest["sources"][0]["from"],
            "size": image["size"],
            "dimension": image["dimension"],
            "models": sorted(image["models"]),
            "left_out": image.get("left_out", {}),
        },
        "text": {
            "from": manifest["sources"][-1]["from"],
            "dimension": text["dimension"],
            "max_tokens": text["max_tokens"],
        },
        "agreement": manifest.get("agreement", {}),
        "checked": manifest.get("checked"),
        "aligned": "alignment" in manifest,
        "relevance": "relevance" in manifest,
        "left_out": manifest.get("left_out", {}),
        "bytes": sum(file.stat().st_size for file in out.iterdir()),
        "licence": manifest["licence"],
    }


def _weights_name(source: Source) -> str:
    return source.weights.relative_to(source.folder).as_posix()


def weights_sha256(source: Source) -> str:
    """One checksum for all files of weights: an index and its parts, or the one file."""
    index = _weights_name(source).endswith(".index.json")
    sums = [
        checksum
        for file, checksum in sorted(source.checksums.items())
        if file == _weights_name(source) or (index and file.endswith(".safetensors"))
    ]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def encoder_sha256(source: Source, pooling: str, preparation: Preparation) -> str:
    """A checksum of the image encoder: its weights, and how photos are prepared for it."""
    return _digest(weights=weights_sha256(source), pooling=pooling, **asdict(preparation))


def pair_sha256(source: Source, pair: Pair) -> str:
    """The same of the image network of a ready pair."""
    weights = source.checksums[_weights_name(source)]
    return _digest(weights=weights, fit=pair.fit, **asdict(pair.preparation))


def _digest(**content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
