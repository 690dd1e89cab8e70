"""What an alignment takes from the image encoder's classifier."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.records import Floats
from pixquery.engine.classes import Classes
from pixquery.engine.profile import load_profile
from pixquery.engine.unit import unit
from pixquery.trainer.classes import Group, imagenet_groups, imagenet_names, imagenet_synonyms
from pixquery.trainer.learning.classifier import Classifier
from pixquery.trainer.learning.recipe import Recipe


@dataclass
class Spelling:
    """A text encoder whose vectors count letters."""

    dimension: int = 26

    def encode(self, texts: list[str]) -> Floats:
        counts = [[text.lower().count(chr(97 + n)) + 0.01 for n in range(26)] for text in texts]
        return np.array(counts, np.float32).reshape(len(texts), 26)

    def rank(self, word: str) -> None:
        del word


def small(bias: Floats | None) -> Classifier:
    weight = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    groups = [Group(("thing", "object"), (0, 1)), Group(("vessel",), (1,))]
    return Classifier(weight, bias, ["hound", "cup"], [("hound", "dog"), ("cup",)], groups)


def test_imagenets_classes_have_wordnets_names() -> None:
    synonyms = imagenet_synonyms()
    assert len(synonyms) == len(imagenet_names()) == 1000
    assert sum(map(len, synonyms)) == 1860
    assert synonyms[0] == ("tench", "Tinca tinca")
    assert "man-eater" in synonyms[2]
    assert all(name.strip() == name != "" for names in synonyms for name in names)


def test_a_class_means_its_names() -> None:
    texts = Spelling()
    bias = np.array([0.5, -0.5], np.float32)
    tensors = small(bias).classes(texts, small(bias).said(texts), Recipe(class_factor=2.0))
    names = unit(unit(texts.encode(["hound"])) + unit(texts.encode(["dog"])))
    wanted = unit(unit(texts.encode(["a photo of a hound"])) + names)
    found = unit(tensors["classes.texts"][:1].astype(np.float32))
    assert found == pytest.approx(wanted, abs=0.01)
    photos = np.random.default_rng(1).normal(size=(9, 5)).astype(np.float32)
    logits = photos @ small(bias).weight.T + bias
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    described = 2 * shares @ unit(tensors["classes.texts"].astype(np.float32))
    assert Classes.of(tensors).seen(photos) == pytest.approx(described, abs=0.03)


def test_without_a_bias_there_are_names_only() -> None:
    said = small(None).said(Spelling())
    assert small(None).classes(Spelling(), said, Recipe()) == {}
    captions = Spelling().encode(["a dog runs", "two children play"])
    keys = np.random.default_rng(2).integers(-127, 128, (9, 6)).astype(np.int8)
    tensors = small(None).named(said, captions, keys, Recipe(name_temperature=0.2))
    assert tensors["names.rows"].tolist() == [7, 7, 8]
    assert tensors["names.temperature"] == pytest.approx([0.2])
    centre = unit(captions).mean(0)
    every = ["hound", "dog", "cup", "thing", "object", "vessel"]
    wanted = unit(unit(Spelling().encode(every)) - centre)
    assert unit(tensors["names.texts"].astype(np.float32)) == pytest.approx(wanted, abs=0.01)
    hound, cup = unit(keys[7:].astype(np.float32))
    both = (hound + cup) / np.linalg.norm(hound + cup)
    assert unit(tensors["names.keys"].astype(np.float32)) == pytest.approx(
        np.stack([both, both, cup]), abs=0.01
    )


def test_imagenets_groups_have_wordnets_names() -> None:
    groups = imagenet_groups()
    dogs = next(group for group in groups if group.names[0] == "dog")
    names = imagenet_names()
    assert len(dogs.classes) == 118
    assert {"beagle", "dingo"} & {names[number].lower() for number in dogs.classes} == {"beagle"}
    assert max(len(group.classes) for group in groups) <= 150
    assert all(name.strip() == name != "" for group in groups for name in group.names)


def test_no_classifier_names_nothing(colours: Path) -> None:
    classifier = Classifier.of(load_profile(str(colours)))
    assert classifier.weight.shape[0] == 0
    said = classifier.said(Spelling())
    assert classifier.classes(Spelling(), said, Recipe()) == {}
    captions, keys = np.eye(26, dtype=np.float32), np.empty((0, 3), np.int8)
    assert classifier.named(said, captions, keys, Recipe()) == {}


def test_the_shipped_encoders_classifier() -> None:
    classifier = Classifier.of(load_profile())
    assert classifier.weight.shape == (1000, 1280)
    assert classifier.bias is not None
    assert classifier.bias.shape == (1000,)
    assert classifier.wordings[0] == ("a photo of a tench", "tench")
