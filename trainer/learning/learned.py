"""Learns the alignment, and fine-tunes the text encoder where it is the shipped one."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pixquery.db.records import Floats, Ids
from pixquery.engine.alignment import Alignment
from pixquery.engine.completion import Completion
from pixquery.engine.encoders import OpenVinoTextEncoder, TextEncoder
from pixquery.engine.profile import Profile
from pixquery.engine.tokenizer import Reading
from pixquery.trainer.learning.align import adapt, fit, fit_member
from pixquery.trainer.learning.canonical import fit_canonical
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.classifier import Classifier
from pixquery.trainer.learning.completion import fit_completion
from pixquery.trainer.learning.course import EPOCH, STEP, Course
from pixquery.trainer.learning.finetune import fine_tune
from pixquery.trainer.learning.memory import remember
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.prototypes import Prototypes, prototypes_of
from pixquery.trainer.learning.rerank import Search, means
from pixquery.trainer.learning.towers import Tensors, merge
from pixquery.trainer.text_model import TEXT_SOURCE, TextModel, export_text

_PROBES = 256
_USUAL_SCALE = 100.0
"""Of the cosines of joint models whose own is not known: CLIP's training ends with it."""
"""Captions kept to tune indices with: more take longer and change nothing."""


def is_fine_tuned(profile: Profile, options: Options) -> bool:
    """Whether the text encoder is trained, too: other people's stay as they are."""
    shipped = profile.manifest["text"].get("source_sha256") == TEXT_SOURCE["sha256"]
    return shipped and not options.quick


@dataclass(frozen=True, slots=True)
class Learned:
    """The encoders and the alignment after training."""

    texts: TextEncoder
    alignment: Alignment
    captions: Floats
    """float32[m, e]: the raw vectors of the captions in the training data."""
    names: Floats
    """float32[c, e]: the raw vectors of the class names in the training data."""
    every_name: Floats
    """float32[t, e]: the raw vectors of all names of classes and of groups of classes."""
    things: Floats
    """float32[c, d]: the classes' pseudo-photos."""
    curve: list[dict[str, float]]


def learn(
    course: Course, folder: Path, captions: Sequence[Caption], views: Floats, photo_of: Ids
) -> Learned:
    """Learns the alignment, and fine-tunes the text encoder where it is the shipped one.

    Args:
        course: The run.
        folder: Where the profile is being made.
        captions: m captions.
        views: float32[v, n, d]: n photos, encoded in v ways.
        photo_of: int64[m]: the photo of each caption.
    """
    lesson = _Lesson.of(course, folder, captions, views, photo_of)
    fine_tuned = is_fine_tuned(course.profile, course.options)
    return _with_fine_tuning(lesson) if fine_tuned else _with_frozen_encoders(lesson)


@dataclass(frozen=True, slots=True)
class Examples:
    """Captions and photos to learn an alignment from."""

    captions: Sequence[Caption]
    """m captions."""
    views: Floats
    """float32[v, n, d]: n photos, encoded in v ways."""
    photo_of: Ids
    """int64[m]: the photo of each caption."""

    def only(self, numbers: Ids) -> "Examples":
        """Those with the captions of int64[l], and all photos."""
        captions = [self.captions[number] for number in numbers]
        return Examples(captions, self.views, self.photo_of[numbers])


def learn_from_few(course: Course, folder: Path, few: Examples, texts: TextEncoder) -> Learned:
    """Learns the alignment from a few hundred or thousand captions, by their weights.

    Args:
        course: The run.
        folder: Where to write the alignment.
        few: What to learn from.
        texts: The profile's text encoder, which stays as it is.

    Raises:
        BadData: All photos or all texts have the same vector.
    """
    lesson = _Lesson.of(course, folder, few.captions, few.views, few.photo_of)
    captioned, classes = lesson.encoded(texts)
    weights = np.array([caption.weight for caption in few.captions])
    return lesson.finished(fit_canonical(captioned, classes, weights), texts, captioned, classes)


def keep(profile: Profile, folder: Path, texts: Sequence[str]) -> Learned:
    """Takes the alignment of a profile over.

    Args:
        profile: Its encoders and its alignment stay as they are.
        folder: Where the profile is being made.
        texts: Of the rated pairs.
    """
    name = profile.manifest["alignment"]
    shutil.copyfile(profile.folder / name, folder / name)
    raw = profile.texts.encode(sorted(set(texts)))
    none, no_photos = raw[:0], np.empty((0, profile.dimension), np.float32)
    return Learned(profile.texts, profile.alignment, raw, none, none, no_photos, [])


@dataclass(slots=True)
class _Lesson:
    """What to learn from, and the losses so far."""

    course: Course
    folder: Path
    captions: list[str]
    views: Floats
    photo_of: Ids
    classifier: Classifier
    completion: Tensors
    """Estimates the numbers of a raw vector that the classifier does not use, if there are any."""
    curve: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(
        cls, course: Course, folder: Path, captions: Sequence[Caption], views: Floats, photo_of: Ids
    ) -> "_Lesson":
        classifier = Classifier.of(course.profile)
        texts = [caption.text for caption in captions]
        ridge = course.options.alignment.completion_ridge
        completion = fit_completion(views[0], classifier.weight.shape[1], ridge)
        return cls(course, folder, texts, views, photo_of, classifier, completion)

    def encoded(self, texts: TextEncoder) -> tuple[Captioned, Prototypes]:
        raw = texts.encode(self.captions)
        ways = self.classifier.wordings
        named = np.stack([texts.encode([way[n] for way in ways]) for n in (0, 1)], 1)
        completion = Completion.of(self.completion) if self.completion else None
        photos = prototypes_of(self.classifier.weight, self.views[0], completion)
        return Captioned(self.views, raw, self.photo_of, raw), Prototypes(photos, named)

    def note(self, loss: float) -> None:
        self.curve.append({"step": len(self.curve) + 1, "loss": round(loss, 4)})

    def epoch(self, loss: float) -> None:
        self.note(loss)
        self.course.step(EPOCH)

    def finished(
        self, tensors: Tensors, texts: TextEncoder, encoded: Captioned, classes: Prototypes
    ) -> Learned:
        """Adds to an alignment what is remembered and what the classifier knows, and writes it."""
        recipe, classifier = self.course.options.alignment, self.classifier
        said = classifier.said(texts)
        tensors = {**tensors, **self.completion, **classifier.classes(texts, said, recipe)}
        tensors = remember(tensors, encoded, classes, recipe)
        tensors |= classifier.named(said, encoded.captions, tensors["memory.keys"], recipe)
        return Learned(
            texts,
            _written(self.folder, tensors, encoded.captions),
            encoded.captions,
            classes.texts[:, 0],
            said,
            classes.photos,
            self.curve,
        )


def _with_frozen_encoders(lesson: _Lesson) -> Learned:
    options, profile = lesson.course.options, lesson.course.profile
    recipe, seed = options.alignment, options.seed
    captioned, classes = lesson.encoded(profile.texts)
    joint = profile.manifest.get("joint")
    if joint is not None:
        own = {n: t.astype(np.float32) for n, t in _own_space(profile).items()}
        scale = float(joint.get("logit_scale", _USUAL_SCALE))
        tensors = adapt(own, scale, captioned, recipe, seed=seed, progress=lesson.epoch)
    else:
        tensors = fit(captioned, classes, recipe, seed=seed, progress=lesson.epoch)
    return lesson.finished(tensors, profile.texts, captioned, classes)


def _with_fine_tuning(lesson: _Lesson) -> Learned:
    options, profile = lesson.course.options, lesson.course.profile
    recipe, seed = options.alignment, options.seed
    model = TextModel()
    with tempfile.TemporaryDirectory() as temporary:  # the profile's own may be fine-tuned already
        export_text(model, Path(temporary) / "text.onnx")
        source = _text_encoder(profile, Path(temporary))
        captioned, classes = lesson.encoded(source)
    names = lesson.classifier.wordings
    towers = fit_member(captioned, classes, recipe, seed=seed, progress=lesson.epoch)
    lesson.curve.clear()
    losses: list[float] = []
    each = max(1, len(lesson.captions) // options.text.batch // 4)

    def step(loss: float) -> None:
        losses.append(loss)
        lesson.course.step(STEP)
        if len(losses) == each:
            lesson.note(float(np.mean(losses)))
            losses.clear()

    fine_tune(
        model, source.pieces, lesson.captions, names, captioned, classes, towers,
        options.text, recipe, seed=seed, progress=step,
    )  # fmt: skip
    export_text(model, lesson.folder / profile.manifest["text"]["model"])
    texts = _text_encoder(profile, lesson.folder)
    captioned, classes = lesson.encoded(texts)
    tensors = merge([towers], lesson.views[0], recipe.dimension)
    return lesson.finished(tensors, texts, captioned, classes)


def better_space(profile: Profile, folder: Path, learned: Learned, search: Search) -> Learned:
    """The space that finds more: the learned one, or the one that a joint profile came with."""
    queries = profile.texts.encode(search.queries)
    own, new = (
        means(search.ranks(alignment, queries, None))["recall@10"]
        for alignment in (profile.alignment, learned.alignment)
    )
    if new > own:
        return learned
    shutil.copyfile(
        profile.folder / profile.manifest["alignment"], folder / "alignment.safetensors"
    )
    return replace(learned, alignment=Alignment(folder / "alignment.safetensors"))


def _text_encoder(profile: Profile, folder: Path) -> OpenVinoTextEncoder:
    """The text model in ``folder``, with the profile's own word pieces."""
    text = profile.manifest["text"]
    model, tokenizer = folder / "text.onnx", profile.folder / text["tokenizer"]
    return OpenVinoTextEncoder(
        model, tokenizer, dimension=int(text["dimension"]), reading=Reading.of(text)
    )


def _own_space(profile: Profile) -> Tensors:
    """The maps of a joint profile: those it came with, or those it was trained to since."""
    tensors: Tensors = load_file(profile.folder / profile.manifest["alignment"])
    return {name: tensors[name] for name in tensors if name.startswith(("image.", "text.0."))}


def _written(folder: Path, tensors: Tensors, captions: Floats) -> Alignment:
    """Writes the alignment, with some captions as its probes, and reads it as a query will."""
    file = folder / "alignment.safetensors"
    small = {
        name: tensor.astype(np.float16) if _is_matrix(tensor) else tensor
        for name, tensor in tensors.items()
    }
    file.write_bytes(save(small))
    rows = np.random.default_rng(0).permutation(len(captions))[:_PROBES]
    probes = Alignment(file).texts(captions[rows])
    file.write_bytes(save({**small, "probes": probes.astype(np.float16)}))
    return Alignment(file)


def _is_matrix(tensor: NDArray[Any]) -> bool:
    """Whether half precision saves room: what else there is would lose by it."""
    return tensor.ndim > 1 and bool(np.issubdtype(tensor.dtype, np.floating))
