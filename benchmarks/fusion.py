"""In which order do photos come that are found by words, by their picture, or by both?

Owners' captions are real ones: of each photo's five captions, one is given to a share of the
photos, as if their owner had written it. What is searched never is that caption.

`objects`: the names of things, judged on every photo of COCO-MINI (mean average precision).
`known`: three words of another caption of a Flickr8k photo, which has to be found (recall).
`receipts`: three words of a receipt; see benchmarks/mentioned.py. Needs its library, --library.

Each answer is ordered by several rules, from the same relevances and the same mentions:

- picture: by relevance alone;
- maximum: relevance, but at least the strength of the mention, and of equal ones the more
  relevant picture first, as pixquery does;
- by BM25: the same, but of equal ones the better by BM25 first;
- ranks: the sum of reciprocal ranks in both lists (Cormack, Clarke and Buettcher, SIGIR 2009);
- either: 1 - (1 - relevance) (1 - strength), as if both were independent;
- words first: photos with a mention before all others.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.made import workplace
from benchmarks.mentioned import three_words
from benchmarks.setting import DATA, FLICKR8K, machine, print_json, say, versions
from pixquery import Library
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation, Floats, Ids
from pixquery.db.terms import terms
from pixquery.engine.mentions import asked_for
from pixquery.engine.query import Query
from pixquery.engine.search import rank
from pixquery.indexer.build import Options, index
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.measuring.tables import read_table

Facts = dict[str, Any]
_Rule = Callable[[Floats, Floats], Floats]
"""From relevances float32[n] and strengths float32[n], 0 without a mention, to keys to order by."""

COCO = DATA / "coco-mini"
_TIE = 1e-3
"""How far apart equal mentions are, at most."""
_RANKS = 60
"""The constant of reciprocal ranks, as published."""


def _picture(relevances: Floats, strengths: Floats) -> Floats:
    return relevances


def _reciprocal(relevances: Floats, strengths: Floats) -> Floats:
    keys = 1 / (_RANKS + 1 + _places(relevances))
    words = np.where(strengths > 0, 1 / (_RANKS + 1 + _places(strengths)), 0)
    return (keys + words).astype(np.float32)


def _either(relevances: Floats, strengths: Floats) -> Floats:
    return 1 - (1 - relevances) * (1 - strengths)


def _words_first(relevances: Floats, strengths: Floats) -> Floats:
    return relevances + (strengths > 0)


def _maximum(relevances: Floats, strengths: Floats) -> Floats:
    return np.maximum(relevances, strengths - _TIE * (1 - relevances))


def _by_bm25(relevances: Floats, strengths: Floats) -> Floats:
    return np.maximum(relevances, strengths - _TIE * _places(strengths) / len(strengths))


RULES: dict[str, _Rule] = {
    "picture": _picture,
    "maximum": _maximum,
    "by BM25": _by_bm25,
    "ranks": _reciprocal,
    "either": _either,
    "words first": _words_first,
}


def _places(keys: Floats) -> Floats:
    places = np.empty(len(keys), np.float32)
    places[np.argsort(-keys, kind="stable")] = np.arange(len(keys))
    return places


class _Answered(NamedTuple):
    """What is known of a query before it is ordered."""

    ids: Ids
    relevances: Floats
    strengths: Floats

    def orders(self) -> Iterator[tuple[str, Ids]]:
        """The photos by each rule, the best first."""
        for name, rule in RULES.items():
            keys = rule(self.relevances, self.strengths)
            yield name, self.ids[np.argsort(-keys, kind="stable")]


def _answered(library: Library, text: str) -> _Answered:
    depth = max(1, len(library))
    parts = library.profile, library.index, library.catalog, library.mentions
    ranking = rank(Query(text), depth, *parts)
    # Of equal mentions, the better by BM25 comes first.
    strength = {one: own.strength - 1e-6 * place
                for place, (one, own) in enumerate(ranking.mentioned.items())}  # fmt: skip
    strengths = [strength.get(one, 0) for one in ranking.ids.tolist()]
    if ranking.seen is None:
        raise SystemExit("the profile predicts no relevance")
    return _Answered(ranking.ids, ranking.seen, np.array(strengths, np.float32))


def main() -> None:
    """Measures, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="choices of captions (10)")
    parser.add_argument("--library", type=Path, help="of receipts, as benchmarks/words.py makes it")
    arguments = parser.parse_args()
    document: Facts = {
        "question": "in which order do photos come that are found by words or by their picture?",
        "machine": machine(),
        "versions": versions("numpy", "openvino"),
    }
    with workplace(None) as place:
        photos = COCO / "images"
        with _library(place / "coco", [photos]) as library:
            document["objects"] = _objects(library, arguments.seeds)
        with _library(place / "known", [FLICKR8K / "images" / "dev"]) as library:
            document["known"] = _known(library, min(3, arguments.seeds))
    if arguments.library:
        with Library.open(arguments.library) as library:
            document["receipts"] = _receipts(library)
    print_json(document)


def _library(folder: Path, photos: Sequence[Path]) -> Library:
    library = Library.open(folder, create=True)
    index(library, photos, Options())
    return library


def _write_captions(library: Library, captions: dict[int, str]) -> None:
    with library.writing():
        nothing = {record.id: Noted(Annotation()) for record in library}
        written = {one: Noted(Annotation(caption=text)) for one, text in captions.items()}
        library.catalog.annotate(nothing | written)


# -- names of things -----------------------------------------------------------------------------


def _objects(library: Library, seeds: int) -> Facts:
    ids = {record.path.name: record.id for record in library}
    judged: dict[str, set[int]] = defaultdict(set)
    rows = read_table(
        COCO / "categories.csv", ("query_id", "image", "relevance"),
        lambda row, _: (row[0], row[1], float(row[2])),
    )  # fmt: skip
    for name, image, relevance in rows:
        if relevance:
            judged[name].add(ids[image])
    captions = _captions_of(COCO / "captions.csv", ids)
    facts: Facts = {"photos": len(ids), "queries": len(judged), "seeds": seeds}
    for share in (0.3, 1.0):
        scores: dict[str, list[float]] = defaultdict(list)
        for seed in range(seeds):
            chance = random.Random(seed)
            _write_captions(library, {
                one: chance.choice(own) for one, own in captions.items() if chance.random() < share
            })  # fmt: skip
            for name, right in judged.items():
                for rule, order in _answered(library, name).orders():
                    scores[rule].append(_average_precision(order, right))
        facts[f"mean_average_precision_{share:.0%}"] = _compared(scores)
    return facts


def _average_precision(order: Ids, right: set[int]) -> float:
    places = np.flatnonzero(np.isin(order, list(right)))
    return float(np.mean(np.arange(1, len(places) + 1) / (places + 1)))


# -- a photo that somebody has in mind ------------------------------------------------------------


def _known(library: Library, seeds: int) -> Facts:
    ids = {record.path.name: record.id for record in library}
    captions = _captions_of(FLICKR8K / "captions_dev.csv", ids)
    facts: Facts = {"photos": len(ids), "queries": seeds * len(captions)}
    for share in (0.3, 1.0):
        scores: dict[str, list[float]] = defaultdict(list)
        for seed in range(seeds):
            chance = random.Random(seed)
            chosen = {one: chance.sample(own, 2) for one, own in captions.items()}
            written = {one: own[0] for one, own in chosen.items() if chance.random() < share}
            _write_captions(library, written)
            for one, (_, other) in chosen.items():
                words = [form[0] for form in asked_for(other)]
                if len(words) < 3:
                    continue
                text = " ".join(chance.sample(words, 3))
                for rule, order in _answered(library, text).orders():
                    scores[rule].append(float(one in order[:10]))
            say(f"share {share:.0%}, seed {seed}")
        facts[f"recall@10_{share:.0%}"] = _compared(scores)
    return facts


def _captions_of(file: Path, ids: dict[str, int]) -> dict[int, list[str]]:
    captions: dict[int, list[str]] = defaultdict(list)
    for caption in read_captions(file):
        if caption.image in ids and len(terms(caption.text)) > 2:
            captions[ids[caption.image]].append(caption.text)
    return {one: own for one, own in captions.items() if len(own) > 1}


# -- receipts ------------------------------------------------------------------------------------


def _receipts(library: Library) -> Facts:
    scores: dict[str, list[float]] = defaultdict(list)
    for text, right, _ in three_words(library, DATA / "receipts" / "images", 4, 0):
        for rule, order in _answered(library, text).orders():
            scores[rule].append(float(right in order[:3]))
    return {"in_the_first_3": _compared(scores)}


def _compared(scores: dict[str, list[float]]) -> Facts:
    """Means, and how far each rule is from the deployed one, with a 95 % interval of the pairs."""
    chance = np.random.default_rng(0)
    deployed = np.array(scores["maximum"])
    facts: Facts = {}
    for rule, values in scores.items():
        gaps = np.array(values) - deployed
        draws = chance.integers(0, len(gaps), (1000, len(gaps)))
        low, high = np.percentile(gaps[draws].mean(1), [2.5, 97.5])
        facts[rule] = {
            "mean": round(float(np.mean(values)), 4),
            "against_maximum": [round(float(low), 4), round(float(high), 4)],
        }
    return facts


if __name__ == "__main__":
    main()
