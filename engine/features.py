"""What a regressor sees of a (text, photo) pair: one function for query and training."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixquery.db.records import Floats, Ids

ALIGNED, CONCATENATED, PRODUCT, RELATIVE = "aligned", "concatenated", "product", "relative"
OF_ONE_SPACE = (ALIGNED, CONCATENATED, PRODUCT)
"""What training compares: a regressor that sees it is for the space that it was fitted in."""
FEATURES = (*OF_ONE_SPACE, RELATIVE)
"""What :func:`columns` can compute of a pair."""

NAMES = (
    "similarity",
    "photo_crowding",
    "text_peak",
    "text_mean",
    "text_spread",
    "lead",
)
"""The columns of :func:`pair_features`."""

RELATIVE_NAMES = ("closeness",)
"""The columns of :func:`relative_features`."""

KIN = 32
"""How many of the text landmarks nearest to a text are its kin."""
CROWD = 3
"""How many of a text's kin, the nearest to a photo, *photo_crowding* is averaged over."""
PEAK = 10
"""How many of the photo landmarks nearest to a text *text_peak* is averaged over."""
RIVALS = 3
"""How many of the photo and thing landmarks nearest to a text *lead* compares a photo with."""
BEHIND = 0.06
"""How far behind them a photo may be that shows what the text names, in cosines."""
NAMED = 0.65, 0.85
"""Cosines with the nearest name: up to the first, a text is no name; from the second, it is one."""
BEST = 3
"""How many of the text landmarks nearest to a photo its span is measured to."""
OWN_AVERAGE = 0.5
"""How much of the average that *closeness* starts from is the photo's own."""
OWN_SPAN = 1 / 3
"""How much of the span that *closeness* is measured in is the photo's own."""
_LEAST_SPAN = 1e-6
"""The least span: if all text landmarks are one point, it would be 0."""


@dataclass(frozen=True)
class Landmarks:
    """Points of the aligned space, chosen in training, that show what is usual."""

    texts: Floats
    """float32[m, a]: centres of the training captions and of the names of things."""
    photos: Floats
    """float32[p, a]: centres of the training photos."""
    things: Floats
    """float32[c, a]: pseudo-photos of the classes that the image encoder's classifier knows; none
    if it has no classifier."""
    names: Floats
    """float32[t, a]: names of things, and of groups of things; none without things."""

    @cached_property
    def usual(self) -> tuple[float, float]:
        """The mean average and the mean span of the photo landmarks: see `relative_features`."""
        average, span = _average_and_span(self.photos, self)
        return float(average.mean()), float(span.mean())


class Vectors:
    """The vectors of texts, or of photos: aligned, and as their encoder gave them."""

    def __init__(self, aligned: Floats, raw: Callable[[], Floats] | None = None) -> None:
        """Reads no raw vectors yet: most regressors need none.

        Args:
            aligned: float32[n, a], unit rows.
            raw: Returns float32[n, d]; without it, only aligned vectors can be looked at.
        """
        self.aligned = aligned
        self._read = raw

    @cached_property
    def raw(self) -> Floats:
        """float32[n, d], read once.

        Raises:
            ValueError: There is no way to read them.
        """
        if self._read is None:
            raise ValueError("only the aligned vectors are at hand")
        return self._read()

    def rows(self, places: Ids | list[int]) -> "Vectors":
        """Those of some of them."""
        return Vectors(self.aligned[places], lambda: self.raw[places])


def columns(features: str, texts: Vectors, photos: Vectors, landmarks: Landmarks) -> Floats:
    """What a regressor sees of n pairs.

    Args:
        features: *aligned*: :func:`pair_features`. *concatenated*: the raw vectors, the photo's
            first. *product*: the products of the aligned vectors' numbers, the text's own, and
            :func:`pair_features`. *relative*: :func:`relative_features`.
        texts: Of n texts, or of one text and many photos.
        photos: Of n photos.
        landmarks: The profile's.

    Returns:
        float32[n, f]
    """
    if features == CONCATENATED:
        return np.hstack([photos.raw, _of_each(texts.raw, len(photos.raw))])
    near, far = texts.aligned, photos.aligned
    if features == RELATIVE:
        return relative_features(near, far, landmarks)
    described = pair_features(near, far, landmarks)
    if features == ALIGNED:
        return described
    scale = np.float32(np.sqrt(near.shape[1]))
    return np.hstack([scale * near * far, _of_each(scale * near, len(far)), described])


def _of_each(texts: Floats, count: int) -> Floats:
    """float32[count, e]: a single text is that of every photo."""
    return np.broadcast_to(texts, (count, texts.shape[1]))


def pair_features(texts: Floats, photos: Floats, landmarks: Landmarks) -> Floats:
    """Describes aligned pairs.

    A photo near many texts is a hub, which comes up for every query; *photo_crowding* measures this
    (CSLS, Conneau et al. 2018, arXiv:1710.04087). It only compares with the text's own kin: a photo
    near many captions of sports is no worse an answer to the name of an animal.

    Cosines of different texts have different scales. A name, such as "dog", is near its photos and
    near those of its kin, wolves, too. So for a name, *lead* compares the photo with the nearest
    known photos and things. For a description, which no known photo need fit, the *text* columns
    say what is usual. A text between the two gets a share of both.

    Args:
        texts: float32[n, a], or float32[1, a] for one text and many photos.
        photos: float32[n, a]
        landmarks: The profile's.

    Returns:
        float32[n, len(NAMES)]
    """
    similarity = np.einsum("na,na->n", np.broadcast_to(texts, photos.shape), photos)
    kin = _nearest(texts @ landmarks.texts.T, KIN)
    if len(texts) == 1:
        crowding = _peak(photos @ landmarks.texts[kin[0]].T, CROWD)
    else:
        crowding = _peak(np.take_along_axis(photos @ landmarks.texts.T, kin, 1), CROWD)
    usual = texts @ landmarks.photos.T
    of_text = np.stack([_peak(usual, PEAK), usual.mean(1), usual.std(1)], 1)
    named = _named_share(texts, landmarks)
    features = np.empty((len(photos), len(NAMES)), np.float32)
    features[:, 0] = similarity
    features[:, 1] = crowding
    features[:, 2:5] = (1 - named)[:, None] * of_text
    features[:, 5] = 0
    if named.any():
        rivals = _peak(np.hstack([usual, texts @ landmarks.things.T]), RIVALS)
        features[:, 5] = named * (similarity - rivals + BEHIND)
    return features


def relative_features(texts: Floats, photos: Floats, landmarks: Landmarks) -> Floats:
    """Describes aligned pairs by what means nearly the same in every space.

    A cosine of 0.3 is much in one space and little in another. So *closeness* compares the text
    with others, the text landmarks: it is 0 if the text is as near to the photo as they are on
    average, and about 1 if it is as near as the few of them that suit the photo best. How much
    nearer these few are than the average is the *span* of a photo.

    Average and span are partly those of this photo, and partly those of usual photos. Of its own
    alone, a photo that few landmarks suit would have a short span, and be close to everything; and
    a photo that every text is near to, a hub, has a right to be somewhat nearer.

    If a constant is added to all cosines, or all are multiplied by one, closeness stays the same.

    Args:
        texts: float32[n, a], or float32[1, a] for one text and many photos.
        photos: float32[n, a]
        landmarks: The profile's.

    Returns:
        float32[n, len(RELATIVE_NAMES)]
    """
    similarity = np.einsum("na,na->n", np.broadcast_to(texts, photos.shape), photos)
    average, span = _average_and_span(photos, landmarks)
    usual_average, usual_span = landmarks.usual
    average = OWN_AVERAGE * average + (1 - OWN_AVERAGE) * usual_average
    span = OWN_SPAN * span + (1 - OWN_SPAN) * usual_span
    closeness = (similarity - average) / np.maximum(span, _LEAST_SPAN)
    return np.asarray(closeness[:, None], np.float32)


def _average_and_span(photos: Floats, landmarks: Landmarks) -> tuple[Floats, Floats]:
    """Of photos float32[n, a]: see `relative_features`; float32[n] each, in cosines."""
    cosines = photos @ landmarks.texts.T
    average = cosines.mean(1)
    return average, _peak(cosines, BEST) - average


def _named_share(texts: Floats, landmarks: Landmarks) -> Floats:
    """How far texts float32[n, a] are names of things: float32[n] in [0, 1]."""
    if not len(landmarks.names):
        return np.zeros(len(texts), np.float32)
    least, most = NAMED
    nearest = (texts @ landmarks.names.T).max(1)
    return np.asarray(np.clip((nearest - least) / (most - least), 0, 1), np.float32)


def _nearest(cosines: Floats, count: int) -> Ids:
    """Columns int64[n, count] of the ``count`` largest values in each row."""
    count = min(count, cosines.shape[1])
    return np.argpartition(cosines, -count, axis=1)[:, -count:]


def _peak(cosines: Floats, count: int) -> Floats:
    """Mean float32[n] of the ``count`` largest values in each row."""
    count = min(count, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(1), np.float32)
