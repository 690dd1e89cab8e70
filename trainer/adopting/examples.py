"""The photos that come with pixquery, with descriptions: a new profile must find most of them.

Of a model that is used wrongly, some searches still go well, so this is a floor and no proof: with
texts that have nothing to do with the photos, recall@3 is about 0.15.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels
from pixquery.engine.alignment import Alignment, unit
from pixquery.trainer.adopting.ready import Encoders
from pixquery.trainer.adopting.sources import Source

Manner = tuple[int, str, str]
"""Side of the square in pixels, interpolation, and how a photo becomes a square."""
Load = Callable[[Path, int, str, str], Pixels]

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "images"
LEAST = 0.7
"""The least share of the examples that are among the first `_FIRST` for their description."""
_FIRST = 3
DESCRIPTIONS = {
    "p01.jpg": "a smiling astronaut in an orange space suit",
    "p02.jpg": "an old navy officer in uniform with glasses",
    "p03.jpg": "a man looking through a camera on a tripod",
    "p05.jpg": "a man sitting under huge electric sparks in a laboratory",
    "p06.jpg": "the face of a ginger cat",
    "p07.jpg": "a pug dog with a purple collar",
    "p08.jpg": "a raccoon lying among green leaves",
    "p10.jpg": "a cup of coffee on a wooden table",
    "p11.jpg": "kiwi fruits cut in half on white",
    "p12.png": "rows of ancient coins",
    "p13.jpg": "an orange dahlia flower",
    "p14.jpg": "a rocket on its launch pad at dusk",
    "p15.jpg": "a red hot air balloon in the sky",
    "p16.jpg": "cars on a wide road under a blue sky",
    "p17.jpg": "a Chinese pagoda on a hill above a lake",
    "p18.jpg": "pointed stone arches of a ruined church",
    "p19.webp": "office towers at night seen from below",
    "p20.jpg": "white observatory domes on a mountain top",
    "p21.jpg": "a rocky mountain peak covered with snow",
    "p22.jpg": "a tall frozen waterfall",
    "p24.jpg": "the Earth seen from space",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A photo and what it shows."""

    name: str
    text: str
    load: Callable[[int, str, str], Pixels]
    """Side, interpolation and fit -> uint8[side, side, 3]."""


def examples(load: Load) -> tuple[Example, ...]:
    """The examples that come with pixquery; none if they are not installed.

    Args:
        load: Reads a photo: its path, side, interpolation and fit -> uint8[side, side, 3].
    """

    def loader(file: Path) -> Callable[[int, str, str], Pixels]:
        return lambda *manner: load(file, *manner)

    return tuple(
        Example(name, text, loader(FOLDER / name))
        for name, text in DESCRIPTIONS.items()
        if (FOLDER / name).is_file()
    )


def pixels_of(some: Sequence[Example], manner: Manner) -> Pixels:
    """uint8[n, side, side, 3]."""
    return np.stack([example.load(*manner) for example in some])


def found_among(
    some: Sequence[Example],
    made: Encoders,
    alignment: Path,
    manner: Manner,
    source: Source,
    *,
    force: bool,
) -> dict[str, float] | None:
    """How many of the examples a profile finds; none if there are no examples.

    Raises:
        SourceUnusable: It finds too few, and may not.
    """
    if not some:
        return None
    maps = Alignment(alignment)
    photos = maps.images(unit(made.image.encode(pixels_of(some, manner))))
    texts = maps.texts(unit(made.text.encode([example.text for example in some])))
    cosines = texts @ photos.T
    ranks = (cosines > np.diag(cosines)[:, None]).sum(1)
    share = float((ranks < _FIRST).mean())
    if share < LEAST and not force:
        raise SourceUnusable(
            f"the profile made from {source.named} finds {(ranks < _FIRST).sum()} of {len(some)} "
            f"example photos among the first {_FIRST} for their description, and {LEAST:.0%} are "
            "needed: choose another model, or keep this one with --force"
        )
    return {"photos": len(some), f"recall@{_FIRST}": round(share, 4)}
