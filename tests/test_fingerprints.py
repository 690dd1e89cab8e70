"""What a wrong rule changes is found by numbers that the makers' own code gave."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels
from pixquery.engine.alignment import unit
from pixquery.engine.manifest import CROP, SQUASH
from pixquery.indexer.decode import decode, picture

pytest.importorskip("transformers", reason="the makers' code is transformers")

from pixquery.trainer.adopting import fingerprints
from pixquery.trainer.adopting.examples import DESCRIPTIONS, FOLDER, Example
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.fingerprints import PHOTOS, TEXTS, compared, fingerprint, sums
from pixquery.trainer.adopting.joint_networks import joint_networks
from pixquery.trainer.adopting.layouts import Pair, networks_in, pair_of
from pixquery.trainer.adopting.ready import Encoders, encoders_of
from pixquery.trainer.adopting.sources import Source, Wish
from tests import checkpoints, ready
from tests.conftest import Invoke

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")
LAYOUTS = {"clip": ready.clip, "siglip": ready.siglip, "siglip2": ready.siglip2}


def small(name: str) -> bytes:
    """An example of at most 160 pixels: networks for 48 see more in what a large one loses."""
    content = io.BytesIO()
    picture((FOLDER / name).read_bytes(), 160).save(content, "PNG")
    return content.getvalue()


def load(name: str) -> Callable[[int, str, str], Pixels]:
    content = small(name)
    return lambda size, interpolation, fit: (
        decode(content, size, interpolation=interpolation, fit=fit).pixels
    )


EXAMPLES = tuple(Example(name, DESCRIPTIONS[name], load(name)) for name in PHOTOS)


class Repository:
    """One small model, and the numbers that its makers' code gives for it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.made = LAYOUTS[kind](folder)
        self.source = find(str(folder), Wish(joint=True))
        networks = networks_in(self.source.checksums)
        assert networks is not None
        self.pair = pair_of(self.source, networks)
        photos = [Image.open(io.BytesIO(small(name))) for name in PHOTOS]
        seen = self.made.photos([photo.convert("RGB") for photo in photos])
        self.reference = json.loads(fingerprint(seen, self.made.texts(TEXTS), self.source))

    def compared(self, pair: Pair, out: Path, source: Source | None = None) -> dict[str, float]:
        out.mkdir()
        manner = pair.preparation.size, pair.preparation.interpolation, pair.fit
        pixels = np.stack([example.load(*manner) for example in EXAMPLES])
        made: Encoders = encoders_of(out, pair, source or self.source, pixels, lambda what: None)
        return compared(self.reference, made, EXAMPLES, manner, self.source)


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Repository]:
    known: dict[str, Repository] = {}

    def one(kind: str) -> Repository:
        if kind not in known:
            known[kind] = Repository(kind, tmp_path_factory.mktemp("models") / kind)
        return known[kind]

    return one


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_right_rules_agree_with_the_makers_code(
    kind: str, repositories: Callable[[str], Repository], tmp_path: Path
) -> None:
    repository = repositories(kind)
    agreement = repository.compared(repository.pair, tmp_path / "out")
    assert agreement["texts"] > 0.9995
    assert agreement["photos"] > 0.998


def wording(**changes: Any) -> Callable[[Pair], Pair]:
    return lambda pair: replace(pair, wording=replace(pair.wording, **changes))


def preparation(**changes: Any) -> Callable[[Pair], Pair]:
    return lambda pair: replace(pair, preparation=replace(pair.preparation, **changes))


WRONG = {
    "another pad": ("siglip", wording(pad="<unk>")),
    "another pad of Gemma": ("siglip2", wording(pad="<eos>")),
    "not filled": ("siglip", wording(filled=False)),
    "not filled, Gemma": ("siglip2", wording(filled=False)),
    "capitals kept": ("siglip", wording(lower=False)),
    "capitals kept, Gemma": ("siglip2", wording(lower=False)),
    "signs kept": ("siglip", wording(plain=False)),
    "signs removed": ("siglip2", wording(plain=True)),
    "a shorter text": ("siglip2", wording(most=16)),
    "the middle instead of all": ("siglip", lambda pair: replace(pair, fit=CROP)),
    "all instead of the middle": ("clip", lambda pair: replace(pair, fit=SQUASH)),
    "another mean": ("clip", preparation(mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))),
    "bytes as they are": ("siglip2", preparation(scale=1.0)),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_rule_is_refused(
    what: str, repositories: Callable[[str], Repository], tmp_path: Path
) -> None:
    kind, wrong = WRONG[what]
    repository = repositories(kind)
    with pytest.raises(SourceUnusable, match="other vectors than"):
        repository.compared(wrong(repository.pair), tmp_path / "out")


def test_swapped_colours_are_refused(
    repositories: Callable[[str], Repository], tmp_path: Path
) -> None:
    """A network that takes blue first: nothing in its files says so."""
    import onnx
    from onnx import helper

    repository = repositories("clip")
    swapped = tmp_path / "swapped"
    model = onnx.load(repository.pair.image)
    (given,) = model.graph.input
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == given.name else name for name in node.input]
    order = helper.make_tensor("order", onnx.TensorProto.INT64, [3], [2, 1, 0])
    model.graph.initializer.append(order)
    model.graph.node.insert(
        0, helper.make_node("Gather", [given.name, "order"], ["swapped"], axis=1)
    )
    swapped.mkdir()
    onnx.save(model, swapped / "vision_model.onnx")
    pair = replace(repository.pair, image=swapped / "vision_model.onnx")
    with pytest.raises(SourceUnusable, match="photos other vectors"):
        repository.compared(pair, tmp_path / "out")


def test_sums_tell_how_far_vectors_are_apart() -> None:
    draw = np.random.default_rng(0)
    some = unit(draw.standard_normal((200, 768)).astype(np.float32))
    near = unit(some + 0.05 * unit(draw.standard_normal((200, 768)).astype(np.float32)))
    true = 1 - np.einsum("nd,nd->n", some, near)
    told = np.square(np.subtract(sums(some), sums(near))).mean(1) / 2
    assert told.mean() == pytest.approx(true.mean(), rel=0.1)
    assert np.abs(told / true - 1).max() < 1.2
    assert sums(some[:1]) == sums(3 * some[:1])


def test_committed_numbers_can_be_read() -> None:
    for file in fingerprints.FOLDER.glob("*.json"):
        numbers = json.loads(file.read_text("utf-8"))
        assert np.shape(numbers["photos"]) == (len(PHOTOS), 24)
        assert np.shape(numbers["texts"]) == (len(TEXTS), 24)
    assert fingerprints.reference_of("nothing") is None


def test_a_maintainer_computes_the_numbers_with_the_makers_code(
    tmp_path: Path, invoke: Invoke
) -> None:
    """A small model for PyTorch: its texts have the vectors that pixquery's own reading gives."""
    checkpoints.clip(tmp_path / "model")
    out = tmp_path / "numbers.json"
    done = invoke("models", "fingerprint", "clip-b32", "--source", tmp_path / "model", "--out", out)
    assert done.exit_code == 0, done.output
    numbers = json.loads(out.read_text("utf-8"))
    assert out.stat().st_size < 8000
    text = joint_networks(find(str(tmp_path / "model"))).text
    with torch.no_grad():
        rows = [
            text(torch.tensor([ids]), torch.ones((1, len(ids)), dtype=torch.int64)).numpy()
            for ids in text.pieces.ids(TEXTS)
        ]
    assert np.abs(np.subtract(numbers["texts"], sums(np.concatenate(rows)))).max() < 1e-3
    assert np.shape(numbers["photos"]) == (5, 24)
    refused = invoke("models", "fingerprint", "mine", "--out", out)
    assert (refused.exit_code, "clip-b32" in refused.stderr) == (1, True)
