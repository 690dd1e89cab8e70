"""Does the program find more when it rewords what people type, and does it leave captions alone?

Names of objects and things are asked in several wordings, as they were typed and as they are
searched. Pairs of words are asked as "X without Y". Captions count as descriptions, which should
stay as they are. Made typing errors count the offers that are right, captions in other languages
the hints.
"""

import argparse
import csv
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.minus import WORDS, shares
from benchmarks.setting import DATA, machine, photos_in, print_json, say, versions
from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.engine.languages import foreign
from pixquery.engine.phrasing import UNWANTED, Phrase, phrase
from pixquery.engine.profile import DEFAULT, Profile, load_profile
from pixquery.engine.spelling import Spelling
from pixquery.indexer.decode import decode
from pixquery.trainer.measuring.metrics import Values

NOUNS = 300
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def a(name: str) -> str:
    """A name with its article."""
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def plural(name: str) -> str:
    """The plural of a name by the rules of spelling."""
    if re.search(r"(?:[sxz]|ch|sh)$", name):
        return f"{name}es"
    return f"{name[:-1]}ies" if re.search(r"[^aeiou]y$", name) else f"{name}s"


WORDINGS: dict[str, Callable[[str], str]] = {
    "X": lambda name: name,
    "a X": a,
    "my X": lambda name: f"my {name}",
    "Xs": plural,
    "two Xs": lambda name: f"two {plural(name)}",
    "X photos": lambda name: f"{name} photos",
    "a photo of a X": lambda name: f"a photo of {a(name)}",
    "my photos of X": lambda name: f"my photos of {name}",
    "photos of Xs": lambda name: f"photos of {plural(name)}",
    "show me X": lambda name: f"show me {name}",
    "my pictures with a X in it": lambda name: f"my pictures with {a(name)} in it",
    "find me all the images that contain a X in it": lambda name: (
        f"find me all the images that contain {a(name)} in it"
    ),
}


def main() -> None:
    """Measures and prints everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--profile", default=DEFAULT, metavar="NAME|DIR")
    arguments = parser.parse_args()
    profile, data = load_profile(arguments.profile), arguments.data
    print_json(
        {
            "question": "does rewording what people type find more, and leave captions alone?",
            "machine": machine(),
            "versions": versions("numpy"),
            "profile": profile.name,
            "wordings": _wordings(profile, data),
            "plurals of the caption words": _plurals(profile, data),
            "without": _without(profile, data),
            "captions": {split: _captions(data, split) for split in ("dev", "train")},
            "typing errors": _errors(Spelling(profile.texts.rank), data),
            "languages": _languages(data),
            "microseconds a phrase": _speed(data),
        }
    )


# -- what is compared ------------------------------------------------------------------------------


def _photos(profile: Profile, folder: Path) -> tuple[list[str], Floats]:
    """The names of a folder's photos, and their aligned vectors float32[n, a]."""
    files = photos_in(folder)
    say(f"encoding {len(files):,} photos of {folder.name}")
    raw = [
        profile.images.encode(
            np.stack(
                [
                    decode(
                        file.read_bytes(), profile.size, interpolation=profile.interpolation
                    ).pixels
                    for file in files[start : start + 32]
                ]
            )
        )
        for start in range(0, len(files), 32)
    ]
    return [file.name for file in files], profile.alignment.images(np.concatenate(raw))


def _points(profile: Profile, phrases: Sequence[Phrase]) -> Floats:
    """The point that each phrase is searched at, float32[q, a]."""

    def texts(some: Sequence[str]) -> Floats:
        return profile.alignment.texts(profile.texts.encode(list(some)))

    points = texts([each.text for each in phrases])
    for row, each in enumerate(phrases):
        if each.also:
            points[row] = unit(points[row : row + 1] + texts([each.also]))[0]
        if each.minus:
            parts = np.concatenate([points[row : row + 1], texts(each.minus)])
            weights = np.array([1, *[-UNWANTED] * len(each.minus)], np.float32)
            if profile.relevance is not None:
                weights /= profile.relevance.spread(parts)
            points[row] = weights @ parts
    return points


def _average_precision(cosines: Floats, shows: Values) -> Values:
    hits = np.take_along_axis(shows, np.argsort(-cosines, 1, kind="stable"), 1)
    precision = np.cumsum(hits, 1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(1) / hits.sum(1))


def _wordings(profile: Profile, data: Path) -> dict[str, Any]:
    names, photos = _photos(profile, data / "objects" / "images")
    objects = _rows(data / "objects" / "queries.csv")
    right = np.array([names.index(row["image"]) for row in objects])
    files, shown = _photos(profile, data / "things200" / "images")
    things = {row["query_id"]: row["query_text"] for row in _rows(data / "things200/queries.csv")}
    shows = np.zeros((len(things), len(files)))
    for row in _rows(data / "things200" / "judgements.csv"):
        relevant = float(row["relevance"]) > 0
        shows[list(things).index(row["query_id"]), files.index(row["image"])] = relevant

    def measured(phrases: Callable[[str], Phrase], word: Callable[[str], str]) -> dict[str, float]:
        asked = [phrases(word(row["query_text"])) for row in objects]
        cosines = _points(profile, asked) @ photos.T
        ranks = (cosines > cosines[np.arange(len(right)), right][:, None]).sum(1)
        asked = [phrases(word(name)) for name in things.values()]
        precision = _average_precision(_points(profile, asked) @ shown.T, shows)
        return {
            "objects recall@1": _percent((ranks < 1).mean()),
            "objects recall@10": _percent((ranks < 10).mean()),
            "things mean AP": _percent(precision.mean()),
        }

    return {
        name: {"as typed": measured(Phrase, word), "as searched": measured(phrase, word)}
        for name, word in WORDINGS.items()
    }


def _mentions(data: Path, names: Sequence[str], words: Sequence[str]) -> Values:
    """float64[n, w]: how many captions of a photo contain the word."""
    counts = np.zeros((len(names), len(words)))
    place = {name: row for row, name in enumerate(names)}
    for row in _rows(data / "flickr8k" / "captions_dev.csv"):
        found = set(re.findall("[a-z]+", row["query_text"].lower()))
        if row["image"] in place:
            counts[place[row["image"]]] += [word in found for word in words]
    return counts


def _plurals(profile: Profile, data: Path) -> dict[str, Any]:
    """AP of photos that two captions mention a thing of, and of those that show several."""
    nouns = "dog horse car bike boat tree ball bird mountain rock player building flower".split()  # noqa: SIM905
    names, photos = _photos(profile, data / "flickr8k" / "images" / "dev")
    one, many = (
        _mentions(data, names, words) for words in (nouns, [plural(noun) for noun in nouns])
    )
    forms = {
        "singular": [Phrase(noun) for noun in nouns],
        "plural": [Phrase(plural(noun)) for noun in nouns],
        "mean of both, as searched": [phrase(plural(noun)) for noun in nouns],
    }
    result: dict[str, Any] = {}
    for name, shows in (("any number", (one + many >= 2).T), ("several", (many >= 2).T)):
        known = shows.sum(1) >= 5
        result[name] = {"nouns": int(known.sum())} | {
            form: _percent(
                _average_precision(
                    (_points(profile, phrases) @ photos.T)[known], shows[known].astype(float)
                ).mean()
            )
            for form, phrases in forms.items()
        }
    return result


def _without(profile: Profile, data: Path) -> dict[str, Any]:
    """Of the first hits, the share that shows the one and not the other, and the other."""
    names, photos = _photos(profile, data / "flickr8k" / "images" / "dev")
    mentions = _mentions(data, names, WORDS)
    pairs = [
        (one, other)
        for one, other in permutations(range(len(WORDS)), 2)
        if ((mentions[:, one] >= 2) & (mentions[:, other] >= 2)).sum() >= 8
        and ((mentions[:, one] >= 2) & (mentions[:, other] == 0)).sum() >= 15
    ]

    def found(asked: Callable[[str, str], Phrase]) -> dict[str, float]:
        points = _points(profile, [asked(WORDS[one], WORDS[other]) for one, other in pairs])
        return shares(mentions, pairs, points @ photos.T)

    return {
        "pairs of words": len(pairs),
        "X alone": found(lambda one, other: Phrase(one)),
        "X without Y, as typed": found(lambda one, other: Phrase(f"{one} without {other}")),
        "X without Y, as searched": found(lambda one, other: phrase(f"{one} without {other}")),
        "captions with such words": _captions_without(profile, data, names, photos),
    }


def _captions_without(
    profile: Profile, data: Path, names: Sequence[str], photos: Floats
) -> dict[str, float]:
    """The recall@10 of captions that say what is missing, and if all of them were split."""
    cue = re.compile(r"\b(?:with no|without|no) (?:an? |any )?(\w+)", re.IGNORECASE)
    rows = [
        (row["image"], row["query_text"], match)
        for row in _rows(data / "flickr8k" / "captions_dev.csv")
        if (match := cue.search(row["query_text"]))
    ]
    right = np.array([names.index(image) for image, _, _ in rows])

    def recall(phrases: list[Phrase]) -> float:
        cosines = _points(profile, phrases) @ photos.T
        best = cosines[np.arange(len(right)), right][:, None]
        return _percent(((cosines > best).sum(1) < 10).mean())

    split = [
        Phrase(text[: match.start()] + text[match.end() :], minus=(match[1],))
        for _, text, match in rows
    ]
    return {
        "captions": len(rows),
        "as typed": recall([Phrase(text) for _, text, _ in rows]),
        "as searched": recall([phrase(text) for _, text, _ in rows]),
        "if all were split": recall(split),
    }


# -- what should stay as it is ---------------------------------------------------------------------


def _captions(data: Path, split: str) -> dict[str, int]:
    rows = _rows(data / "flickr8k" / f"captions_{split}.csv")
    meant = [(row["query_text"], phrase(row["query_text"])) for row in rows]
    return {
        "captions": len(meant),
        "split into wanted and unwanted": sum(bool(each.minus) for _, each in meant),
        "words left out": sum(each.reworded and not each.minus for _, each in meant),
        "changed otherwise": sum(
            not each.reworded and each != Phrase(" ".join(typed.split())) for typed, each in meant
        ),
        "taken for another language": sum(foreign(typed) != "" for typed, _ in meant),
    }


def _errors(spelling: Spelling, data: Path) -> dict[str, Any]:
    """Four errors in each of the nouns that captions use most, and offers for right words."""
    texts = [row["query_text"].lower() for row in _rows(data / "flickr8k" / "captions_train.csv")]
    words = Counter(word for text in texts for word in re.findall("[a-z']+", text))
    after_article = r"\b(?:a|an|the) ([a-z]{4,})(?= (?:in|on|is|with|and|at|of|\.|,))"
    nouns = Counter(noun for text in texts for noun in re.findall(after_article, text))
    chance = random.Random(1)
    result: dict[str, Counter[str]] = {}
    for noun, _ in nouns.most_common(NOUNS):
        at = chance.randrange(1, len(noun))
        key = chance.choice(_beside(noun[at]))
        swap = chance.choice([i for i in range(len(noun) - 1) if noun[i] != noun[i + 1]])
        for kind, wrong in (
            ("one letter too many", noun[:at] + key + noun[at:]),
            ("one too few", noun[:at] + noun[at + 1 :]),
            ("two swapped", noun[:swap] + noun[swap + 1] + noun[swap] + noun[swap + 2 :]),
            ("a neighbouring key", noun[:at] + key + noun[at + 1 :]),
        ):
            offer = spelling.offer(wrong)
            outcome = "right" if offer == noun else "wrong" if offer else "none"
            for name in (kind, "all", f"all, {'5' if len(noun) < 6 else '6'} letters and "
                         f"{'fewer' if len(noun) < 6 else 'more'}"):  # fmt: skip
                result.setdefault(name, Counter())[outcome] += 1
    offered = {word: count for word, count in words.items() if spelling.offer(word)}
    return {
        **{kind: dict(outcomes) for kind, outcomes in result.items()},
        "words of captions": {
            "words": sum(words.values()),
            "with an offer": sum(offered.values()),
            "different words": len(words),
            "of them with an offer": len(offered),
        },
    }


def _beside(letter: str) -> str:
    row = next(keys for keys in _KEYS if letter in keys)
    at = row.index(letter)
    return row[max(0, at - 1) : at] + row[at + 1 : at + 2]


def _languages(data: Path) -> dict[str, Any]:
    told: dict[str, Counter[bool]] = {}
    for row in _rows(data / "flickr8k-translations" / "captions_dev.csv"):
        told.setdefault(row["language"], Counter())[foreign(row["query_text"]) != ""] += 1
    return {
        language: {"captions": counts.total(), "told": _percent(counts[True] / counts.total())}
        for language, counts in told.items()
    }


def _speed(data: Path) -> float:
    texts = [row["query_text"] for row in _rows(data / "flickr8k" / "captions_dev.csv")]
    phrase.cache_clear()
    begin = perf_counter()
    for text in texts:
        phrase(text)
    return round(1e6 * (perf_counter() - begin) / len(texts), 1)


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise SystemExit(f"{file} is missing: name the folder of the data with --data")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main()
