"""Profiles of other people's encoders: complete and correct, or not made at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.commands.models import _summary
from pixquery.commands.printing import origin
from pixquery.db.errors import BadData, ProfileUntrained, SourceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.encoders import has_bfloat16
from pixquery.engine.features import Vectors
from pixquery.engine.profile import MANIFEST, load_profile
from pixquery.indexer.decode import decode
from tests import checkpoints
from tests.conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
pytest.importorskip("transformers", reason="transformers comes with the extra `train`")
additions = pytest.importorskip("pixquery.trainer.adopting.additions")

Wanted, Material = additions.Wanted, additions.Material
pytestmark = pytest.mark.usefixtures("one_thread")
EXAMPLES = sorted((REPOSITORY / "examples" / "images").iterdir())[:14]


def some(size: int, interpolation: str, fit: str = "squash") -> Pixels:
    assert interpolation == "bicubic"
    return np.stack([decode(file.read_bytes(), size).pixels for file in EXAMPLES])


def many(size: int, interpolation: str, fit: str = "squash") -> Pixels:
    """Photos upright, mirrored and rotated: enough to learn ranges from."""
    pixels = some(size, interpolation)
    turned = [np.rot90(pixels, turns, (1, 2)) for turns in range(4)]
    return np.ascontiguousarray(np.concatenate([*turned, *(one[:, :, ::-1] for one in turned)]))


def none(size: int, interpolation: str, fit: str = "squash") -> Pixels:
    return np.empty((0, size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of an image model, a text model and a joint one."""
    folder = tmp_path_factory.mktemp("models")
    checkpoints.resnet(folder / "see")
    checkpoints.distilbert(folder / "read")
    checkpoints.clip(folder / "both")
    (folder / "see" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (folder / "read" / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


@pytest.fixture(scope="module")
def pair(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("profiles") / "pair"
    wanted = Wanted(str(place / "see"), str(place / "read"))
    return out, additions.add("pair", out, wanted, Material(many))


@pytest.fixture(scope="module")
def together(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("profiles") / "together"
    told: list[tuple[str, int, int]] = []
    report = additions.add(
        "together",
        out,
        Wanted(joint=str(place / "both")),
        Material(many),
        lambda *what: told.append(what),
    )
    done = [done for _, done, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][2]
    return out, report


def manifest_of(folder: Path) -> Any:
    return json.loads((folder / MANIFEST).read_text("utf-8"))


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_a_pair_makes_a_profile_without_an_alignment(
    pair: tuple[Path, dict[str, Any]], place: Path
) -> None:
    out, report = pair
    profile = load_profile(str(out))
    profile.check()
    assert {file.name for file in out.iterdir()} == {*profile.manifest["files"], MANIFEST}
    assert (profile.name, profile.size, profile.dimension) == ("pair", checkpoints.SIDE, 64)
    with pytest.raises(ProfileUntrained, match="pixquery train"):
        _ = profile.alignment
    assert not report["aligned"]
    assert report["profile"] == "pair"
    assert report["folder"] == str(out)
    assert report["licence"] == profile.manifest["licence"] == "apache-2.0 and mit"
    assert report["bytes"] == sum(file.stat().st_size for file in out.iterdir())
    told = [(source["from"], source["file"], source["licence"]) for source in
            profile.manifest["sources"]]  # fmt: skip
    assert told == [
        (str(place / "see"), "model.safetensors", "apache-2.0"),
        (str(place / "read"), "model.safetensors", "mit"),
    ]
    assert profile.manifest["image"]["interpolation"] == "bicubic"


def test_a_pair_computes_what_its_models_computed(
    pair: tuple[Path, dict[str, Any]], place: Path
) -> None:
    from transformers import AutoTokenizer, DistilBertModel, ResNetModel

    out, report = pair
    profile = load_profile(str(out))
    pixels = some(checkpoints.SIDE, "bicubic")
    network: Any = ResNetModel.from_pretrained(place / "see")
    scaled = (pixels / 255 - (0.5, 0.4, 0.3)) / (0.2, 0.25, 0.3)
    photos = torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        wanted = network.eval()(photos).pooler_output.flatten(1).numpy()
    cosines = [np.diag(unit(profile.image_encoder(precision).encode(pixels)) @ unit(wanted).T)
               for precision in profile.manifest["image"]["models"]]  # fmt: skip
    assert cosines[0].min() > 0.99  # of a processor without bfloat16 it is 0.9999
    assert report["agreement"]["image"]["lowest"] <= 1.00001
    if "int8" in profile.manifest["image"]["models"]:
        assert cosines[1].mean() > 0.98
    tokenizer = AutoTokenizer.from_pretrained(place / "read")
    reader: Any = DistilBertModel.from_pretrained(place / "read")
    given = tokenizer("red balloon on snow", return_tensors="pt")
    with torch.no_grad():
        words = reader.eval()(given["input_ids"]).last_hidden_state[0].numpy()
    found = profile.texts.encode(["red balloon on snow"])
    assert unit(found)[0] @ unit(words.mean(0)[None])[0] > 0.99


def test_eight_bits_are_kept_or_left_out_with_the_reason(
    pair: tuple[Path, dict[str, Any]],
) -> None:
    out, report = pair
    image = manifest_of(out)["image"]
    kept = "int8" in image["models"]
    assert kept == ("int8" in report["agreement"]) == (out / "image-int8.onnx").is_file()
    assert kept != ("int8" in image.get("left_out", {}))
    if kept:
        assert report["agreement"]["int8"]["mean"] >= 0.99
    assert report["image"]["left_out"] == image.get("left_out", {})


def test_the_classes_of_a_classifier_are_kept(
    pair: tuple[Path, dict[str, Any]], place: Path
) -> None:
    from safetensors.numpy import load_file

    out, _ = pair
    image = manifest_of(out)["image"]
    weight = load_file(out / image["classes"]["file"])["weight"]
    assert (weight.shape, weight.dtype.name) == ((3, 64), "float16")
    theirs = load_file(place / "see" / "model.safetensors")["classifier.1.weight"]
    assert weight == pytest.approx(theirs, abs=1e-3)
    assert image["classes"]["names"] == ["cat", "dog", "balloon"]


def test_the_encoder_is_its_weights_and_its_preparation(place: Path, tmp_path: Path) -> None:
    from pixquery.trainer.adopting.find import find
    from pixquery.trainer.adopting.image_network import image_network
    from pixquery.trainer.adopting.manifest import encoder_sha256

    def digest(folder: Path) -> str:
        source = find(str(folder))
        network = image_network(source)
        return encoder_sha256(source, network.pooling, network.preparation)

    first = digest(place / "see")
    copy = Path(shutil.copytree(place / "see", tmp_path / "copy"))
    assert digest(copy) == first
    for change in ({"resample": 2}, {"image_mean": [0.5, 0.4, 0.31]}, {"size": 64}):
        checkpoints.write_preparation(copy, **change)
        assert digest(copy) != first
    checkpoints.write_preparation(copy)
    assert digest(copy) == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert digest(copy) != first


def test_a_joint_model_is_aligned_as_it_is(together: tuple[Path, dict[str, Any]]) -> None:
    """Half of each side's mean is subtracted before cosines are computed."""
    from pixquery.trainer.classes import imagenet_groups

    out, report = together
    profile = load_profile(str(out))
    profile.check()
    assert report["aligned"]
    names = [group.names[0] for group in imagenet_groups()][::3]
    said = [*names, *(f"a photo of a {name}" for name in names)]
    middle_of_texts = unit(profile.texts.encode(said)).mean(0)
    middle_of_photos = unit(profile.images.encode(many(checkpoints.SIDE, "bicubic"))).mean(0)
    texts = profile.texts.encode(["red balloon", "man on bicycle"])
    photos = profile.images.encode(some(checkpoints.SIDE, "bicubic"))
    wanted = unit(texts - middle_of_texts / 2) @ unit(photos - middle_of_photos / 2).T
    found = profile.alignment.texts(texts) @ profile.alignment.images(photos).T
    # With bfloat16, vectors depend on the photos that are encoded in the same batch.
    assert found == pytest.approx(wanted, abs=5e-3 if has_bfloat16() else 1e-4)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(photos, axis=1) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(profile.alignment.probes, axis=1) == pytest.approx(1, abs=1e-3)


def test_a_joint_model_borrows_its_relevance(together: tuple[Path, dict[str, Any]]) -> None:
    """Of photos that its landmarks have seen, some must seem more relevant than others."""
    out, report = together
    profile = load_profile(str(out))
    assert report["relevance"] is True
    assert report["left_out"] == {}
    assert profile.predicts_relevance
    assert profile.relevance is not None
    assert len(profile.relevance.landmarks.photos) == len(many(checkpoints.SIDE, "bicubic"))
    texts = Vectors(profile.alignment.texts(profile.texts.encode(["a red balloon"])))
    photos = profile.images.encode(some(checkpoints.SIDE, "bicubic"))
    relevance = profile.relevance.score(texts, Vectors(profile.alignment.images(photos)))
    assert ((relevance >= 0) & (relevance <= 1)).all()
    assert profile.manifest["trained"]["borrowed"] is True
    assert origin(profile.manifest["trained"]).startswith("relevance borrowed from lite2-minilm")


def test_a_joint_model_states_its_scale(together: tuple[Path, dict[str, Any]], place: Path) -> None:
    from safetensors.numpy import load_file

    out, report = together
    scale = float(load_file(place / "both" / "model.safetensors")["logit_scale"])
    manifest = manifest_of(out)
    assert manifest["joint"] == {"logit_scale": pytest.approx(np.exp(scale), rel=1e-5)}
    assert len(manifest["sources"]) == 1
    assert "eight bits" in report["image"]["left_out"]["int8"]
    assert report["agreement"]["text"]["lowest"] > 0.98


def test_with_few_photos_no_mean_is_subtracted(
    together: tuple[Path, dict[str, Any]], place: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    from pixquery.trainer.adopting.encoder_files import text_encoder
    from pixquery.trainer.adopting.find import find
    from pixquery.trainer.adopting.joint_networks import joint_networks
    from pixquery.trainer.adopting.joint_space import joint_part

    copy = Path(shutil.copytree(together[0], tmp_path / "copy"))
    text = text_encoder(copy, joint_networks(find(str(place / "both"))).text)
    part = joint_part(copy, np.ones((14, text.dimension), np.float32), text)
    assert "relevance" not in part
    assert part["left_out"] == {"relevance": "its scale needs 20 photos, and 14 were given"}
    tensors = load_file(copy / "alignment.safetensors")
    assert not tensors["image.bias"].any()
    assert tensors["text.0.bias"].any()


def test_the_summary_says_why_there_is_no_relevance(together: tuple[Path, dict[str, Any]]) -> None:
    _, report = together
    why = {"left_out": {"relevance": "its scale needs 20 photos, and 3 were given"}}
    line = "predicts no relevance: its scale needs 20 photos, and 3 were given"
    assert line in _summary("together", {**report, **why}, Path("none"))
    assert not any("relevance" in line for line in _summary("together", report, Path("none")))


def test_a_profile_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """Weights that are NaN, as after a failed training."""
    from safetensors.torch import load_file, save_file

    checkpoints.resnet(tmp_path / "see")
    checkpoints.distilbert(tmp_path / "read")
    weights = tmp_path / "see" / "model.safetensors"
    state = load_file(weights)
    name = "resnet.encoder.stages.3.layers.1.layer.1.convolution.weight"
    state[name][0] = float("nan")
    save_file(state, weights, {"format": "pt"})
    wanted = Wanted(str(tmp_path / "see"), str(tmp_path / "read"))
    with pytest.raises(SourceUnusable, match=r"0\.0000, and 0\.99") as caught:
        additions.add("wrong", tmp_path / "wrong", wanted, Material(some))
    assert str(tmp_path / "see") in str(caught.value)
    assert {file.name for file in tmp_path.iterdir()} == {"see", "read"}


def test_another_profile_is_not_overwritten(
    pair: tuple[Path, dict[str, Any]], place: Path, tmp_path: Path
) -> None:
    out, _ = pair
    before = (out / MANIFEST).read_bytes()
    wanted = Wanted(joint=str(place / "both"))
    with pytest.raises(BadData, match="contains another profile, pair"):
        additions.add("mine", out, wanted, Material(some))
    assert (out / MANIFEST).read_bytes() == before
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(BadData, match="is no profile"):
        additions.add("mine", tmp_path, wanted, Material(some))


@pytest.mark.parametrize("name", ["", "a b", "../up", "-x", "lite2-minilm"])
def test_names_that_cannot_be_used(name: str, place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="name"):
        additions.add(name, tmp_path / "out", Wanted(joint=str(place / "both")), Material(some))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted("a"), Wanted("", "b"), Wanted("a", "b", "c"), Wanted("a", joint="c")],
)
def test_incomplete_sources_are_refused(wanted: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="clip-b32"):
        additions.add("mine", tmp_path / "out", wanted, Material(some))


def test_known_names_need_no_sources() -> None:
    for name, wanted in additions.NAMED.items():
        assert additions._settled(name, Path("out"), Wanted()) == wanted
    assert {"resnet18-distilbert", "clip-b32", "siglip-b16"} <= set(additions.NAMED)


def test_without_photos_nothing_can_be_checked(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no photo"):
        additions.add("mine", tmp_path / "out", Wanted(joint=str(place / "both")), Material(none))
    assert list(tmp_path.iterdir()) == []
