"""Finds a model by what the user typed: on the disk, or at the Hugging Face hub.

Nothing goes over the network unless the user names an id of the hub.
"""

import re
from pathlib import Path

from pixquery.engine.home import expanded
from pixquery.trainer.adopting.disk import of_disk
from pixquery.trainer.adopting.sources import (
    ANYTHING,
    ENDINGS,
    Agree,
    Progress,
    Source,
    Wish,
    no_model,
)
from pixquery.trainer.adopting.weights import readable

_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def find(
    named: str,
    wish: Wish = ANYTHING,
    *,
    progress: Progress = lambda file, done, total: None,
    agree: Agree = lambda named, licence, size: None,
) -> Source:
    """Finds the files of a model; downloads those of the hub unless its cache has them.

    A path that exists on the disk wins over an id of the hub that looks the same. Without a
    network, the hub's cache answers alone.

    Args:
        named: A folder, a file of weights, or an id of the hub such as ``microsoft/resnet-18``.
        wish: What is wanted of the model.
        progress: Called while each file is downloaded.
        agree: Called before anything is downloaded; raises to prevent it.

    Raises:
        SourceUnusable: What was named is no model, or its files are damaged.
        DownloadFailed: The hub cannot be reached, or refuses the files.
    """
    path = expanded(named) if named.startswith("~/") else Path(named)
    with readable(path):
        if named.startswith((".", "/", "~")) or named.endswith(ENDINGS) or path.exists():
            return of_disk(named, path, wish)
    if not _ID.fullmatch(named):
        raise no_model(named)
    from pixquery.trainer.adopting import hub  # a model on the disk needs none of its libraries

    return hub.fetch(named, wish, progress, agree)
