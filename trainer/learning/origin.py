"""Names a trained profile, and notes in its manifest what it was made from."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixquery.db.errors import BadData
from pixquery.engine.legible import legible
from pixquery.engine.profile import MANIFEST, SHIPPED
from pixquery.trainer.profile_folder import amend_manifest

_LONGEST = 100


def name_for(out: Path, asked: str) -> str:
    """The name of a new profile.

    Args:
        out: Its folder, whose name it gets if none is asked for.
        asked: Empty, or the name that the user wants.

    Raises:
        BadData: No profile can have the name, or one that comes with pixquery has it.
    """
    if not asked:
        return legible(out.absolute().resolve().name)[:_LONGEST].strip() or "trained"
    if not re.fullmatch(r"\w[\w .+-]*", asked) or legible(asked) != asked or len(asked) > _LONGEST:
        raise BadData(
            f"a profile's name consists of letters, digits, blanks, points and dashes, at most "
            f"{_LONGEST}, unlike {asked!r}"
        )
    if (SHIPPED / asked / MANIFEST).is_file():
        raise BadData(f"{asked} comes with pixquery: choose another name with --name")
    return asked


def sign(folder: Path, name: str, trained: Mapping[str, Any]) -> None:
    """Writes name and origin into the manifest of a profile that has been made.

    Args:
        folder: The profile's.
        name: Of the profile.
        trained: ``from`` (the name of the profile that training began with), ``pairs`` (how many
            were learned from), ``judges`` (who rated them) and, of a regressor that was asked for,
            ``asked`` (what it is, and what it loses); of a library's judgements also ``source`` and
            ``base`` (the profile that training began with, as a library notes it).
    """
    amend_manifest(folder, name=name, trained=dict(trained))
