"""From captions and ratings to a profile and a report, in one straight line.

Read everything and refuse what is wrong, encode, fine-tune the text encoder, fit the alignment,
let regressors compete on pairs they have not seen, write the winner. The profile is made beside its
place and moved there whole, so that whatever stops the run leaves no half of one.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from pixquery.db.errors import BadData
from pixquery.db.records import Floats, Ids, Pixels
from pixquery.engine.alignment import Alignment
from pixquery.engine.encoders import ImageEncoder, OpenVinoTextEncoder, TextEncoder
from pixquery.engine.features import Landmarks, pair_features
from pixquery.engine.policy import SHIPPED, Policy
from pixquery.engine.profile import Profile
from pixquery.engine.relevance import Logistic
from pixquery.trainer.export import (
    IMAGE_SOURCE,
    TEXT_SOURCE,
    ImageModel,
    TextModel,
    export_text,
    moved_when_done,
    write_manifest,
)
from pixquery.trainer.learning import study
from pixquery.trainer.learning.align import (
    Captioned,
    Prototypes,
    Recipe,
    Tensors,
    adapt,
    fit,
    fit_member,
    merge,
    prototypes_of,
    remember,
)
from pixquery.trainer.learning.datasets import (
    Caption,
    imagenet_names,
    read_captions,
    read_crowd_ratings,
    read_expert_ratings,
    read_ratings,
)
from pixquery.trainer.learning.finetune import TextRecipe, fine_tune
from pixquery.trainer.learning.ratings import (
    Judged,
    Mask,
    Values,
    aggregate,
    judged,
    judged_by_user,
    summary,
)
from pixquery.trainer.learning.regressors import Calibration, Fitted, calibrate, fit_landmarks
from pixquery.trainer.learning.report import write_report
from pixquery.trainer.learning.rerank import compared, means, ranks_of, rated_queries

Load = Callable[[Path], Pixels]
Progress = Callable[[int, int], object]

STOP_WORDS = ("pairs", "all", "off")
"""What a match with the stop-word list leaves: the rated pairs, all captions too, or nothing."""

_STEP, _EPOCH, _CONTENDER = 30, 80, 250
"""What a step of fine-tuning, an epoch of alignment and a regressor take, in photos encoded."""
_PROBES = 256
"""Captions kept to tune indices on: beyond that the tuning takes longer and finds the same."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train."""

    seed: int = 0
    quick: bool = False
    """Leave the text encoder as it is, see photos at this processor's precision alone and not
    mirrored, learn the alignment in half as many epochs, and let fewer regressors compete."""
    tune: int = 0
    """Trials of a search for better settings of the regressors."""
    stop_words: str = "pairs"
    """One of ``STOP_WORDS``."""
    scale: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest of a user's own ratings."""
    aggregation: str = "mean"
    """How several ratings of a pair become one."""
    alignment: Recipe = field(default_factory=Recipe)
    text: TextRecipe = field(default_factory=TextRecipe)
    progress: Progress = lambda done, total: None
    """Called with the work done and to do, in photos encoded."""


def train(
    data: Path, out: Path, profile: Profile, load: Load, options: Options | None = None
) -> dict[str, Any]:
    """Learns from captions and ratings, or from ratings alone, and writes a profile.

    Args:
        data: A folder with ``captions_train.csv``, ``captions_rated.csv``,
            ``ExpertAnnotations.tsv`` and ``images/train``, ``images/rated``; where they are there
            too, ``CrowdAnnotations.tsv``, ``captions_dev.csv`` and ``images/dev``. Or a CSV of a
            user's own ratings: then encoders and alignment stay as they are.
        out: Where the new profile is written, with ``report.html`` and ``report.json``.
        profile: Whose encoders to begin with.
        load: Reads a photo as uint8[size, size, 3].
        options: How.

    Returns:
        The report, whose parts ``docs/relevance.md`` explains.

    Raises:
        BadData: A file is missing or malformed, or there is nothing to learn from.
    """
    begin = perf_counter()
    options = options or Options()
    if options.stop_words not in STOP_WORDS:
        raise BadData(f"stop words are for {', '.join(STOP_WORDS)}, not {options.stop_words!r}")
    if options.quick:
        epochs = -(-options.alignment.epochs // 2)
        options = replace(options, alignment=replace(options.alignment, epochs=epochs))
    course = _Course(profile, load, options)
    with moved_when_done(out) as folder:
        learn = _from_ratings if data.is_file() else _from_captions
        report = {
            "profile": profile.name,
            "out": str(out),
            "seed": options.seed,
            **learn(course, data, folder),
        }
        report["seconds"] = round(perf_counter() - begin, 1)
        write_report(folder, report)
    return report


@dataclass(slots=True)
class _Course:
    """What stays the same all the way, and how far it has come."""

    profile: Profile
    load: Load
    options: Options
    total: int = 0
    done: int = 0

    def step(self, count: int = 1) -> None:
        self.done = min(self.done + count, self.total)
        self.options.progress(self.done, self.total)

    def finish(self) -> None:
        self.step(self.total)

    def encode(
        self, encoder: ImageEncoder, files: Sequence[Path], *, mirrored: bool = False
    ) -> Floats:
        parts = [np.empty((0, encoder.dimension), np.float32)]
        for start in range(0, len(files), 64):
            pixels = np.stack([self.load(file) for file in files[start : start + 64]])
            if mirrored:
                pixels = np.ascontiguousarray(pixels[:, :, ::-1])
            parts.append(encoder.encode(pixels))
            self.step(len(pixels))
        return np.concatenate(parts)


# -- captions and ratings ---------------------------------------------------------------------


def _from_captions(course: _Course, data: Path, folder: Path) -> dict[str, Any]:
    options, profile = course.options, course.profile
    captions = read_captions(data / "captions_train.csv")
    pairs = _judged(data)
    policy = Policy.load(SHIPPED)
    left, dropped = _left(pairs, captions, policy, options.stop_words)
    study.check_groups(pairs.keep(left))
    if options.stop_words == "all":
        captions = [caption for caption in captions if not policy.matches(caption.text)]
    dev = read_captions(data / "captions_dev.csv") if (data / "captions_dev.csv").exists() else []
    photos, photo_of = _files(data / "images" / "train", [c.image for c in captions])
    rated, rated_of = _files(data / "images" / "rated", pairs.images)
    shown, shown_of = _files(data / "images" / "dev", [c.image for c in dev])
    encoders = [profile.images] if options.quick else profile.image_encoders()
    seen = len(photos) * len(encoders) * (1 if options.quick else 2)
    course.total = _work(course, captions, seen + len(rated) + len(shown))
    views = np.stack(
        [
            course.encode(encoder, photos, mirrored=mirrored)
            for encoder in encoders
            for mirrored in ((False,) if options.quick else (False, True))
        ]
    )
    rated_raw = course.encode(profile.images, rated)[rated_of]
    dev_raw = course.encode(profile.images, shown)
    _copy_encoders(profile, folder)
    dev_texts = [caption.text for caption in dev]
    search = _Search(dev_texts, shown_of, dev_raw)
    learned = _learn_alignment(course, folder, captions, views, photo_of)
    if "joint" in profile.manifest and search.queries:
        learned = _better(profile, folder, learned, search)
    landmarks = fit_landmarks(
        learned.alignment.texts(learned.captions),
        learned.alignment.texts(learned.names),
        learned.alignment.images(views[0]),
        seed=options.seed,
    )
    columns = _columns(
        learned.alignment, landmarks, _encoded(learned.texts, pairs.texts), rated_raw
    )
    found = _compete(course, pairs, left, columns)
    reranking = _deploy(course, folder, found, landmarks, learned, search)
    course.finish()
    return {
        "pairs": _counts(pairs.keep(left)),
        "dropped": dropped,
        **found.report,
        **reranking,
        "alignment": _gained(search, profile, learned),
    }


def _judged(data: Path) -> Judged:
    crowd = data / "CrowdAnnotations.tsv"
    return judged(
        read_expert_ratings(data / "ExpertAnnotations.tsv"),
        read_crowd_ratings(crowd) if crowd.exists() else [],
        read_captions(data / "captions_rated.csv"),
    )


def _left(
    pairs: Judged, captions: Sequence[Caption], policy: Policy, mode: str
) -> tuple[Mask, dict[str, Any]]:
    """Which pairs the stop-word list leaves, bool[n], and what the report says of the others."""
    hits = {text: policy.matches(text) for text in {*pairs.texts, *(c.text for c in captions)}}
    matching = np.array([bool(hits[text]) for text in pairs.texts], np.bool_)
    words: dict[str, int] = {}
    for text in pairs.texts:
        for word in hits[text]:
            words[word] = words.get(word, 0) + 1
    leaves = mode != "off"
    dropped = {
        "mode": mode,
        "words": dict(sorted(words.items(), key=lambda item: -item[1])) if leaves else {},
        "expert": int((matching & pairs.expert).sum()) if leaves else 0,
        "crowd": int((matching & pairs.crowd).sum()) if leaves else 0,
        "captions": sum(bool(hits[c.text]) for c in captions) if mode == "all" else 0,
    }
    return ~matching | (not leaves), dropped


def _is_shipped(profile: Profile, part: str, source: dict[str, str]) -> bool:
    """Whether an encoder is the one that the shipped profile was made of."""
    return bool(profile.manifest[part].get("source_sha256") == source["sha256"])


def _is_fine_tuned(profile: Profile, options: Options) -> bool:
    """Whether the text encoder learns, too: other people's stay as they are."""
    return not options.quick and _is_shipped(profile, "text", TEXT_SOURCE)


def _work(course: _Course, captions: Sequence[Caption], encoded: int) -> int:
    """About how long the whole takes, in photos encoded."""
    options = course.options
    fine_tuned = _is_fine_tuned(course.profile, options)
    steps = options.text.epochs * (len(captions) // min(options.text.batch, len(captions)))
    members = 1 if fine_tuned else options.alignment.members
    return (
        encoded
        + (_STEP * steps if fine_tuned else 0)
        + _EPOCH * members * options.alignment.epochs
        + _CONTENDER * 15
    )


# -- encoders and alignment -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Learned:
    """What training made of the encoders."""

    texts: TextEncoder
    alignment: Alignment
    captions: Floats
    """float32[m, e]: the captions it was learned from, raw."""
    names: Floats
    """float32[c, e]: the names of classes it was learned from, raw."""
    curve: list[dict[str, float]]


def _learn_alignment(
    course: _Course, folder: Path, captions: Sequence[Caption], views: Floats, photo_of: Ids
) -> _Learned:
    options, profile = course.options, course.profile
    wording = [caption.text for caption in captions]
    classifier, names = _classes(profile)
    prototypes = prototypes_of(classifier, views[0])
    curve: list[dict[str, float]] = []

    def look(loss: float) -> None:
        curve.append({"step": len(curve) + 1, "loss": round(loss, 4)})

    def epoch(loss: float) -> None:
        look(loss)
        course.step(_EPOCH)

    def gather(texts: TextEncoder) -> tuple[Captioned, Prototypes]:
        raw = texts.encode(wording)
        named = np.stack([texts.encode([way[place] for way in names]) for place in (0, 1)], 1)
        return Captioned(views, raw, photo_of, raw), Prototypes(prototypes, named)

    if not _is_fine_tuned(profile, options):
        heard, classes = gather(profile.texts)
        joint = profile.manifest.get("joint")
        if joint:
            own = {n: t.astype(np.float32) for n, t in _own_space(profile).items()}
            scale = float(joint["logit_scale"])
            tensors = adapt(own, scale, heard, options.alignment, seed=options.seed, progress=epoch)
        else:
            tensors = fit(heard, classes, options.alignment, seed=options.seed, progress=epoch)
        tensors = remember(tensors, heard, classes, options.alignment)
        alignment = _written(folder, tensors, heard.captions)
        named = classes.texts[:, 0]
        return _Learned(profile.texts, alignment, heard.captions, named, curve)

    model = TextModel()
    with tempfile.TemporaryDirectory() as place:  # the profile's own may be fine-tuned already
        export_text(model, Path(place) / "text.onnx")
        source = _text_encoder(profile, Path(place))
        heard, classes = gather(source)
    towers = fit_member(heard, classes, options.alignment, seed=options.seed, progress=epoch)
    curve.clear()
    losses: list[float] = []
    each = max(1, len(captions) // options.text.batch // 4)

    def step(loss: float) -> None:
        losses.append(loss)
        course.step(_STEP)
        if len(losses) == each:
            look(float(np.mean(losses)))
            losses.clear()

    fine_tune(
        model, source.pieces, wording, names, heard, classes, towers,
        options.text, options.alignment, seed=options.seed, progress=step,
    )  # fmt: skip
    export_text(model, folder / profile.manifest["text"]["model"])
    texts = _text_encoder(profile, folder)
    heard, classes = gather(texts)
    tensors = merge([towers], views[0], options.alignment.dimension)
    tensors = remember(tensors, heard, classes, options.alignment)
    alignment = _written(folder, tensors, heard.captions)
    return _Learned(texts, alignment, heard.captions, classes.texts[:, 0], curve)


def _better(profile: Profile, folder: Path, learned: _Learned, search: "_Search") -> _Learned:
    """The space that a joint profile came with, unless in the learned one more is found."""
    asked = profile.texts.encode(search.queries)
    own, new = (
        means(search.ranks(alignment, asked, None))["recall@10"]
        for alignment in (profile.alignment, learned.alignment)
    )
    if new > own:
        return learned
    shutil.copyfile(
        profile.folder / profile.manifest["alignment"], folder / "alignment.safetensors"
    )
    return replace(learned, alignment=Alignment(folder / "alignment.safetensors"))


def _text_encoder(profile: Profile, folder: Path) -> OpenVinoTextEncoder:
    """The text model in ``folder``, with the rest as the profile has it."""
    text = profile.manifest["text"]
    model, tokenizer = folder / "text.onnx", profile.folder / text["tokenizer"]
    return OpenVinoTextEncoder(
        model, tokenizer, dimension=int(text["dimension"]), max_tokens=int(text["max_tokens"])
    )


def _classes(profile: Profile) -> tuple[Floats, list[tuple[str, str]]]:
    """What the image encoder's own classifier knows: float32[c, d], and two ways to name each."""
    if _is_shipped(profile, "image", IMAGE_SOURCE):
        names, weights = imagenet_names(), ImageModel().classifier
    elif names := profile.manifest["image"].get("classes", {}).get("names", []):
        held = profile.manifest["image"]["classes"]
        weights = load_file(profile.folder / held["file"])["weight"].astype(np.float32)
    else:
        names, weights = [], np.empty((0, profile.dimension), np.float32)
    return weights, [(f"a photo of a {name}", name) for name in names]


def _own_space(profile: Profile) -> Tensors:
    """The maps that a joint profile began with, or was trained to since."""
    held: Tensors = load_file(profile.folder / profile.manifest["alignment"])
    return {name: held[name] for name in held if name.startswith(("image.", "text.0."))}


# -- the competition --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """The study's outcome."""

    report: dict[str, Any]
    pairs: Judged
    columns: dict[str, Floats]
    winner: study.HeldOut
    alone: study.HeldOut
    """Similarity alone, held out: what the winner has to beat."""


def _encoded(encoder: TextEncoder, texts: Sequence[str]) -> Floats:
    """The raw vectors of texts of which many are the same, float32[n, e]."""
    different = sorted(set(texts))
    place = {text: row for row, text in enumerate(different)}
    return encoder.encode(different)[[place[text] for text in texts]]


def _columns(
    alignment: Alignment, landmarks: Landmarks, raw_texts: Floats, raw_photos: Floats
) -> dict[str, Floats]:
    """What each contender sees of the n pairs, float32[n, f] by the name of the features."""
    texts, photos = alignment.texts(raw_texts), alignment.images(raw_photos)
    aligned = pair_features(texts, photos, landmarks)
    scale = np.float32(np.sqrt(texts.shape[1]))
    return {
        study.NONE: np.zeros((len(texts), 1), np.float32),
        study.CONCATENATED: np.hstack([raw_photos, raw_texts]),
        study.ALIGNED: aligned,
        study.PRODUCT: np.hstack([scale * texts * photos, scale * texts, aligned]),
    }


def _compete(course: _Course, everything: Judged, left: Mask, columns: dict[str, Floats]) -> _Found:
    seed = course.options.seed
    pairs = everything.keep(left)
    some = {name: rows[left] for name, rows in columns.items()}
    taking_part = study.contenders(pairs, seed=seed, few=course.options.quick)
    if course.options.tune:
        taking_part += study.tuned(pairs, some, course.options.tune, seed=seed)
    held_out, table = [], []
    for contender in taking_part:
        for split in contender.splits:
            found = study.hold_out(contender, pairs, some, split, seed=seed)
            held_out.append(found)
            table.append(study.measured(found, pairs, seed=seed))
        course.step(_CONTENDER)
    winner = study.chosen(held_out, pairs)
    alone = next(h for h in held_out if (h.contender.name, h.split) == (study.ALONE, study.TWO_WAY))
    told = summary(pairs)
    told["all_pairs"] = {
        name: value
        for name, value in summary(everything).items()
        if name in ("alpha", "icc_single", "icc_mean", "noise_floor", "human_ceiling")
    }
    report = {
        "ratings": told,
        "splits": [study.leak_check(pairs, s, seed=seed) for s in (study.TWO_WAY, study.BY_PHOTO)],
        "regressors": table,
        "stop_words_cost": None
        if left.all()
        else study.cost(winner.contender, everything, columns, left, seed=seed),
        "chosen": winner.contender.name,
        "errors": study.errors(winner, pairs),
        "calibration": study.reliability(study.cross_calibrated(winner, pairs, seed=seed), pairs),
        "worst": study.worst(winner, pairs),
    }
    return _Found(report, pairs, some, winner, alone)


# -- what is deployed -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Search:
    """Queries with one right photo each, to see what re-ranking does."""

    queries: list[str]
    photo_of: Ids
    raw: Floats
    """float32[n, d], the photos."""

    def ranks(self, alignment: Alignment, asked: Floats, relevance: Logistic | None) -> Values:
        """Of the queries, whose raw vectors float32[q, e] are given."""
        photos = alignment.images(self.raw)
        return ranks_of(alignment.texts(asked), photos, self.photo_of, relevance)


def _deploy(
    course: _Course,
    folder: Path,
    found: _Found,
    landmarks: Landmarks,
    learned: _Learned,
    search: _Search,
) -> dict[str, Any]:
    """Refits the winner on all pairs and writes it, if it orders better than similarity does."""
    pairs = found.pairs
    contender = found.winner.contender
    known = pairs.expert if contender.rows == study.EXPERTS else pairs.expert | pairs.crowd
    targets, weights = study.lesson(contender, pairs, np.ones(len(pairs.images), np.bool_))
    aligned = found.columns[study.ALIGNED]
    fitted = contender.fit(aligned[known], targets[known], weights[known])
    assert isinstance(fitted, Fitted)  # noqa: S101 - what is deployable is
    of_experts = pairs.expert[found.winner.rows]
    said = aggregate(pairs.grades[found.winner.rows[of_experts]], "mean")
    calibration = calibrate(found.winner.predicted[of_experts], said)
    relevance = _relevance_of(fitted, calibration, landmarks)
    by = {"first_stage": found.alone, "reranked": found.winner}
    rated = rated_queries(
        pairs, {name: held.by_pair(len(pairs.images)) for name, held in by.items()}
    )
    report: dict[str, Any] = {"rated": rated}
    better = [rated["reranked"]["ndcg@10"] - rated["first_stage"]["ndcg@10"]] if rated else []
    if search.queries:
        asked = learned.texts.encode(search.queries)
        first = search.ranks(learned.alignment, asked, None)
        second = search.ranks(learned.alignment, asked, relevance)
        report |= compared(first, second, search.photo_of)
        # A photo more or less found among ten decides; what people judged must not suffer.
        better.append(report["reranked"]["recall@10"] - report["first_stage"]["recall@10"])
    deployed = bool(better) and max(better) > 0 and min(better) > -0.005
    why = (
        "it orders held-out photos better than similarity alone does"
        if deployed
        else "it orders held-out photos no better than similarity alone, which queries go by"
    )
    _write_profile(
        course.profile,
        folder,
        relevance if deployed else None,
        fine_tuned=learned.texts is not course.profile.texts,
    )
    return {"reranking": report, "deployed": deployed, "why": why}


def _relevance_of(fitted: Fitted, calibration: Calibration, landmarks: Landmarks) -> Logistic:
    return Logistic(
        fitted.weights,
        fitted.bias,
        landmarks,
        (calibration.predicted.astype(np.float32), calibration.judged.astype(np.float32)),
    )


def _gained(search: _Search, profile: Profile, learned: _Learned) -> dict[str, Any] | None:
    """What searching by similarity finds, before and after."""
    if not search.queries:
        return None
    asked = learned.texts.encode(search.queries)
    after = means(search.ranks(learned.alignment, asked, None))
    before = None
    if "alignment" in profile.manifest:
        before = means(search.ranks(profile.alignment, profile.texts.encode(search.queries), None))
    recalls = {name: value for name, value in after.items() if name.startswith("recall")}
    return {**recalls, "split": "dev", "curve": learned.curve, "before": before, "after": after}


def _counts(pairs: Judged) -> dict[str, int]:
    return {
        "expert": int(pairs.expert.sum()),
        "crowd": int(pairs.crowd.sum()),
        "both": int((pairs.expert & pairs.crowd).sum()),
    }


# -- a user's own ratings ---------------------------------------------------------------------


def _from_ratings(course: _Course, file: Path, folder: Path) -> dict[str, Any]:
    options, profile = course.options, course.profile
    ratings = read_ratings(file, options.scale)
    pairs = judged_by_user(ratings, options.aggregation, options.scale)
    policy = Policy.load(SHIPPED)
    left, dropped = _left(pairs, [], policy, options.stop_words)
    study.check_groups(pairs.keep(left))
    photos, photo_of = _files(file.parent, pairs.images)
    course.total = len(photos) + _CONTENDER * 12
    raw_photos = course.encode(profile.images, photos)[photo_of]
    raw_texts = _encoded(profile.texts, pairs.texts)
    alignment = profile.alignment
    if isinstance(profile.relevance, Logistic):
        landmarks = profile.relevance.landmarks
    else:
        texts = alignment.texts(raw_texts)
        landmarks = fit_landmarks(texts, texts[:0], alignment.images(raw_photos), seed=options.seed)
    found = _compete(course, pairs, left, _columns(alignment, landmarks, raw_texts, raw_photos))
    _copy_encoders(profile, folder)
    shutil.copyfile(
        profile.folder / profile.manifest["alignment"], folder / profile.manifest["alignment"]
    )
    learned = _Learned(profile.texts, alignment, raw_texts, raw_texts[:0], [])
    nothing = _Search([], np.empty(0, np.int64), np.empty((0, profile.dimension), np.float32))
    reranking = _deploy(course, folder, found, landmarks, learned, nothing)
    course.finish()
    return {
        "pairs": _counts(pairs.keep(left)),
        "dropped": dropped,
        **found.report,
        **reranking,
        "alignment": None,
    }


# -- files ------------------------------------------------------------------------------------


def _files(folder: Path, names: Sequence[str]) -> tuple[list[Path], Ids]:
    """The files of the distinct names, and which of them each name is, int64[n]."""
    distinct = sorted(set(names))
    files = [folder / name for name in distinct]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise BadData(
            f"{len(missing)} photos are missing, for example {missing[0]}: put them there, or take "
            "their lines out"
        )
    place = {name: row for row, name in enumerate(distinct)}
    return files, np.array([place[name] for name in names], np.int64)


def _copy_encoders(profile: Profile, folder: Path) -> None:
    learned = {profile.manifest.get("alignment"), profile.manifest.get("relevance")}
    for name in set(profile.manifest["files"]) - learned:
        shutil.copyfile(profile.folder / name, folder / name)


def _written(folder: Path, tensors: Tensors, captions: Floats) -> Alignment:
    """Writes the alignment, some raw captions as its probes, and reads it as a query will."""
    file = folder / "alignment.safetensors"
    small = {
        name: tensor if tensor.dtype == np.int8 else tensor.astype(np.float16)
        for name, tensor in tensors.items()
    }
    file.write_bytes(save(small))
    some = np.random.default_rng(0).permutation(len(captions))[:_PROBES]
    probes = Alignment(file).texts(captions[some])
    file.write_bytes(save({**small, "probes": probes.astype(np.float16)}))
    return Alignment(file)


def _write_profile(
    profile: Profile, folder: Path, relevance: Logistic | None, *, fine_tuned: bool
) -> None:
    manifest = {k: v for k, v in profile.manifest.items() if k not in ("files", "relevance")}
    manifest["alignment"] = manifest.get("alignment", "alignment.safetensors")
    if fine_tuned:
        manifest["text"] = {**manifest["text"], "fine_tuned": True}
    if relevance is not None:
        manifest["relevance"] = "relevance.safetensors"
        (folder / manifest["relevance"]).write_bytes(relevance.dump())
    write_manifest(folder, manifest)
