"""Refuses files under a known name that are not the known ones."""

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.known import Known
from pixquery.trainer.adopting.sources import Source


def refuse_foreign(name: str, known: Known, source: Source) -> None:
    """Raises unless each file of a source that is known is the one that is known.

    Raises:
        SourceUnusable: One is missing or differs.
    """
    for path, pin in known.pins.items():
        actual = source.checksums.get(path)
        if actual != pin:
            state = "is missing" if actual is None else f"has the sha256 {actual}"
            raise SourceUnusable(
                f"{path} of {source.named} {state}, and {name} is made of the file with the sha256 "
                f"{pin}: download it from {known.repo}, or choose another name for yours"
            )
