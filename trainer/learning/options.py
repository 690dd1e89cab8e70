"""How to train."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pixquery.trainer.learning.contenders import AUTO
from pixquery.trainer.learning.finetune import TextRecipe
from pixquery.trainer.learning.recipe import Recipe

Progress = Callable[[int, int], object]
Thumbnail = Callable[[Path], bytes]
"""From a photo's file to a small JPEG of it; raises `UnreadableImage`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train a profile."""

    seed: int = 0
    quick: bool = False
    """Save time: do not fine-tune the text encoder, encode photos only once (not mirrored, and at
    this processor's precision), halve the epochs of the alignment, try fewer regressors."""
    tune: int = 0
    """How many settings of the regressors to try in search of better ones."""
    stop_words: str = "pairs"
    """One of ``STOP_WORDS``."""
    scale: tuple[float, float] | None = None
    """Lowest and highest rating in a user's own file; None finds them from the ratings."""
    aggregation: str = "mean"
    """How to turn several ratings of a pair into one."""
    regressor: str = AUTO
    """What to deploy, even where it loses: one of ``predictors.KINDS``; *auto*: what wins."""
    features: str = AUTO
    """What it sees of a pair: one of ``features.OF_ONE_SPACE``; *auto*: what wins."""
    keep_alignment: bool | None = None
    """Whether the profile's alignment stays; None: where it has one and the data has no captions to
    learn another from."""
    name: str = ""
    """The name of the new profile; that of its folder if empty."""
    alignment: Recipe = field(default_factory=Recipe)
    text: TextRecipe = field(default_factory=TextRecipe)
    thumbnail: Thumbnail | None = None
    """Makes the pictures of the report; without it, the report names photos and shows none."""
    progress: Progress = lambda done, total: None
    """Called with the work done and the work in all, in photos encoded."""

    @property
    def asked(self) -> bool:
        """Whether a regressor was asked for, instead of what wins."""
        return self.regressor != AUTO or self.features != AUTO
