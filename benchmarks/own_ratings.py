"""What do a user's own ratings bring, few and many of them, of a usual and of a peculiar taste?

The user is made from captions: of Flickr8k's development photos half are rated and half are held
back. A text is judged by how many of its words the five captions of a photo have, a photo's own
caption by 1, on a scale from 1 to 5. Texts are shown with their own photo, with one of the 20 most
similar, or with any. A peculiar user likes only photos whose captions show that they were taken
outdoors, and gives 1 to all others.

Each of several users rates pairs of the one half, `train` learns from them, and the shipped profile
and the new one judge the same pairs of the other half: neither photo nor text was seen in training.
Gains of RMSE and Kendall's tau_b come with the worst user and a 95 % interval over photos.
"""

import argparse
import csv
import re
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.setting import FLICKR8K, machine, needed, print_json, say, versions
from pixquery.commands.loading import photo_loader, view_loader
from pixquery.db.records import Floats
from pixquery.engine.features import Vectors
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.profile import Profile, load_profile
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.train import train
from pixquery.trainer.measuring.metrics import bootstrap, rmse, tau_b


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall("[a-z]+", text.lower()))


_NEAR, _HELD_OUT = 20, 3000
_USUAL = _words(
    "a an the in on of at with and is are to by for from his her their its it as while into "
    "through two one three man men woman women up out"
)
_OUTDOORS = _words(
    "outside outdoors beach ocean sea mountain mountains snow snowy street road field park river "
    "lake forest woods grass grassy hill trail sky"
)
Pairs = NDArray[np.int64]
"""int64[n, 2]: the number of a text, and of a photo."""


class Material(NamedTuple):
    """Photos and their captions, encoded once."""

    photos: list[Path]
    texts: list[str]
    photo_of: NDArray[np.int64]
    """int64[t]: the photo that each text was written for."""
    aligned_photos: Floats
    aligned_texts: Floats


def main() -> None:
    """Measures, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=FLICKR8K)
    parser.add_argument("--users", type=int, default=5, help="of each kind, for few ratings")
    arguments = parser.parse_args()
    profile = load_profile()
    material = _material(needed(arguments.data / "captions_dev.csv"), profile)
    rows = []
    for peculiar, count in ((False, 30), (True, 30), (True, 200), (True, 2000)):
        users = arguments.users if count < 2000 else min(2, arguments.users)
        row = _users(material, profile, count, users, peculiar=peculiar)
        say(str(row))
        rows.append(row)
    print_json(
        {
            "question": "what a user's own ratings bring",
            "machine": machine(),
            "versions": versions("numpy", "openvino"),
            "users": rows,
        }
    )


def _material(captions: Path, profile: Profile) -> Material:
    """Captions without stop words, whose pairs `train` would leave out."""
    policy = Policy.load(SHIPPED)
    with captions.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if not policy.matches(row["query_text"])]
    names = sorted({row["image"] for row in rows})
    photos = [captions.parent / "images" / "dev" / name for name in names]
    number = {name: place for place, name in enumerate(names)}
    texts = [row["query_text"] for row in rows]
    load = photo_loader(profile.size, profile.interpolation)
    raw = np.concatenate(
        [
            profile.images.encode(np.stack([load(photo) for photo in photos[start : start + 32]]))
            for start in range(0, len(photos), 32)
        ]
    )
    return Material(
        photos,
        texts,
        np.array([number[row["image"]] for row in rows]),
        profile.alignment.images(raw),
        profile.alignment.texts(profile.texts.encode(texts)),
    )


def _users(
    material: Material, profile: Profile, count: int, users: int, *, peculiar: bool
) -> dict[str, Any]:
    gains, seconds, chosen = [], [], []
    for user in range(users):
        dice = np.random.default_rng(user)
        order = dice.permutation(len(material.photos))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        rated = _pairs(material, halves[0], count, dice)
        unseen = _pairs(material, halves[1], _HELD_OUT, dice)
        with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
            place = Path(name)
            _write(place / "ratings.csv", material, rated, _judged(material, rated, peculiar))
            begin = perf_counter()
            report = train(
                place / "ratings.csv",
                place / "new",
                profile,
                view_loader(profile.interpolation),
                Options(quick=True),
            )
            seconds.append(perf_counter() - begin)
            chosen.append(report["chosen"])
            before = _predicted(profile, material, unseen)
            after = _predicted(load_profile(str(place / "new")), material, unseen)
        gains.append(_gain(before, after, _judged(material, unseen, peculiar), unseen[:, 1]))
    return {
        "taste": "only outdoor photos" if peculiar else "as captions say",
        "judgements": count,
        "users": users,
        "chosen": chosen,
        "seconds": {"longest": round(max(seconds), 1)},
        **{
            name: {
                "shipped": round(float(np.mean([gain[name][0] for gain in gains])), 4),
                "trained": round(float(np.mean([gain[name][1] for gain in gains])), 4),
                "gains": [round(gain[name][2], 4) for gain in gains],
                "intervals": [[round(end, 4) for end in gain[name][3]] for gain in gains],
            }
            for name in ("rmse", "tau_b")
        },
    }


def _pairs(
    material: Material, photos: NDArray[np.int64], count: int, dice: np.random.Generator
) -> Pairs:
    """A third of each kind: a text's own photo, one of the nearest, any."""
    texts = np.flatnonzero(np.isin(material.photo_of, photos))
    cosines = material.aligned_texts[texts] @ material.aligned_photos[photos].T
    near = np.argsort(-cosines, 1)[:, :_NEAR]
    found: dict[tuple[int, int], None] = {}
    while len(found) < count:
        text = dice.integers(len(texts))
        photo = (
            material.photo_of[texts[text]],
            photos[near[text, dice.integers(_NEAR)]],
            dice.choice(photos),
        )[len(found) % 3]
        found[int(texts[text]), int(photo)] = None
    return np.array(list(found))


def _judged(material: Material, pairs: Pairs, peculiar: bool) -> NDArray[np.float64]:
    """float64[n] in [0, 1], on five levels."""
    words = [_words(text) - _USUAL for text in material.texts]
    of_photo: list[set[str]] = [set() for _ in material.photos]
    for text, photo in enumerate(material.photo_of):
        of_photo[photo] |= words[text]
    shares = [
        1.0
        if material.photo_of[text] == photo
        else len(words[text] & of_photo[photo]) / max(1, len(words[text]))
        for text, photo in pairs
    ]
    liked = [not peculiar or bool(of_photo[photo] & _OUTDOORS) for _, photo in pairs]
    return np.round(4 * np.array(shares) * liked) / 4


def _write(file: Path, material: Material, pairs: Pairs, judged: NDArray[np.float64]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["image", "text", "rating"])
        for (text, photo), value in zip(pairs, judged, strict=True):
            writer.writerow([material.photos[photo], material.texts[text], round(1 + 4 * value)])


def _predicted(profile: Profile, material: Material, pairs: Pairs) -> NDArray[np.float64]:
    assert profile.relevance is not None
    relevances = profile.relevance.score(
        Vectors(material.aligned_texts[pairs[:, 0]]),
        Vectors(material.aligned_photos[pairs[:, 1]]),
    )
    return np.asarray(relevances, np.float64)


def _gain(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    judged: NDArray[np.float64],
    photos: NDArray[np.int64],
) -> dict[str, tuple[float, float, float, tuple[float, float]]]:
    """Each measure of both, the gain (above 0 is better) and its interval."""
    _, groups = np.unique(photos, return_inverse=True)
    figures = {}
    for name, measure, sign in (("rmse", rmse, -1), ("tau_b", tau_b, 1)):

        def gain(a: Any, b: Any, c: Any, measure: Any = measure, sign: int = sign) -> float:
            return float(sign * (measure(b, c) - measure(a, c)))

        figures[name] = (
            measure(before, judged),
            measure(after, judged),
            gain(before, after, judged),
            bootstrap(gain, before, after, judged, groups=groups, draws=100),
        )
    return figures


if __name__ == "__main__":
    main()
