"""Other people's networks against those people's own code, and all that can be wrong with them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats, Pixels
from tests.conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
pytest.importorskip("transformers", reason="transformers comes with the extra `train`")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime comes with the extra `dev`")
checkpoints = pytest.importorskip("checkpoints")
export = pytest.importorskip("pixquery.trainer.export")
networks = pytest.importorskip("pixquery.trainer.adopting.networks")
sources = pytest.importorskip("pixquery.trainer.adopting.sources")

TEXTS = ["man on bicycle", "Red BALLOON!", "a", "the dog's photo, of snow", "dog " * 60, "café 空"]
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OWN_MEAN, OWN_DEVIATION = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)

Build = Callable[[Path], Any]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def noise(count: int, side: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def prepared(pixels: Pixels, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Any:
    """What the networks were trained on: float32[n, 3, h, w]."""
    scaled = (pixels.astype(np.float64) / 255 - mean) / deviation
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))


def of(place: Path) -> Any:
    return sources.find(str(place))


def run(model: Any, **given: Any) -> Floats:
    """An ONNX model's answer, by a runtime of others."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, given)[0])


def vectors(network: Any, *given: Any) -> Floats:
    with torch.no_grad():
        return np.asarray(network(*given).numpy())


# -- ResNets ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Any:
    """ResNet-18 in full size, every number random."""
    return checkpoints.shaken(checkpoints.PlainResNet18())


def test_resnet18_as_torchvision_saves_it(plain: Any, tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetForImageClassification

    theirs: Any
    sizes: dict[str, Any] = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512]}
    sizes |= {"depths": [2] * 4, "layer_type": "basic", "num_labels": 1000}
    torch.save(plain.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    found = networks.image_network(of(tmp_path / "resnet18-f37072fd.pth"))
    assert (found.what, found.dimension, found.convolutional) == ("ResNet-18", 512, True)
    assert (found.preparation.size, found.preparation.interpolation) == (224, "bilinear")
    assert found.classes.weight == pytest.approx(plain.fc.weight.detach().numpy())
    assert found.classes.names[:2] == ("tench", "goldfish")
    assert len(found.classes.names) == 1000
    pixels = noise(2, 224)
    photos = prepared(pixels, IMAGENET_MEAN, IMAGENET_DEVIATION)
    exported = run(export.image_onnx(found, 224), pixels=pixels)
    assert exported == pytest.approx(vectors(plain, photos), abs=1e-4, rel=1e-4)
    # And what transformers makes of the same weights.
    config = ResNetConfig(**sizes)
    theirs = ResNetForImageClassification(config)
    theirs.eval()
    own = {
        name: tensor
        for name, tensor in plain.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    state = theirs.state_dict()
    renamed = checkpoints.in_torchvision_words({name: name for name in state})
    theirs.load_state_dict(
        {name: own.get(new, state[name]) for new, name in renamed.items()}, strict=True
    )
    with torch.no_grad():
        pooled = theirs.resnet(photos).pooler_output.flatten(1).numpy()
    assert exported == pytest.approx(pooled, abs=1e-4, rel=1e-4)


def test_weights_in_half_precision_are_the_same_network(folder: Path) -> None:
    theirs = checkpoints.resnet(folder)
    theirs.half().save_pretrained(folder)
    found = networks.image_network(of(folder))
    pixels = noise(2, checkpoints.SIDE)
    with torch.no_grad():
        photos = prepared(pixels, OWN_MEAN, OWN_DEVIATION)
        wanted = theirs.float().resnet(photos).pooler_output.flatten(1).numpy()
    assert vectors(found, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
def test_resnets_as_transformers_save_them(layer_type: str, folder: Path) -> None:
    theirs = checkpoints.resnet(folder, layer_type=layer_type)
    found = networks.image_network(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    photos = prepared(pixels, OWN_MEAN, OWN_DEVIATION)
    with torch.no_grad():
        wanted = theirs.resnet(photos).pooler_output.flatten(1).numpy()
        answers = theirs(photos).logits.numpy()
    ours = vectors(found, torch.from_numpy(pixels))
    assert ours == pytest.approx(wanted, abs=1e-4, rel=1e-4)
    assert found.convolutional
    assert found.classes.names == ("cat", "dog", "balloon")
    bias = theirs.classifier[1].bias.detach().numpy()
    assert ours @ found.classes.weight.T + bias == pytest.approx(answers, abs=1e-3, rel=1e-3)
    # The same weights by torchvision's names are the same network.
    state = checkpoints.in_torchvision_words(dict(theirs.state_dict()))
    torch.save(state, folder.parent / "lone.pth")
    lone = networks.image_network(of(folder.parent / "lone.pth"))
    lone.mean, lone.deviation = found.mean, found.deviation
    assert vectors(lone, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4, rel=1e-4)
    assert lone.classes is None  # three of which nobody knows the names


def test_timm_tells_its_own_preparation(folder: Path) -> None:
    from safetensors.torch import save_file

    state = checkpoints.PlainResNet18(8).state_dict()
    save_file(state, folder / "model.safetensors")
    told = {"input_size": [3, 288, 288], "interpolation": "bicubic", "mean": [0.5] * 3,
            "std": [0.25] * 3, "crop_pct": 0.95}  # fmt: skip
    checkpoints.write_json(
        folder / "config.json", {"architecture": "resnet18", "pretrained_cfg": told}
    )
    found = networks.image_network(of(folder)).preparation
    assert (found.size, found.interpolation, found.mean, found.deviation) == (
        288, "bicubic", (0.5,) * 3, (0.25,) * 3,
    )  # fmt: skip


# -- other networks that see ------------------------------------------------------------------


def vit(folder: Path) -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    named = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    sizes: dict[str, Any] = {**checkpoints.VISION, **named}
    return checkpoints.shaken(ViTForImageClassification(ViTConfig(**sizes)))


def test_the_pooling_of_a_classifier_is_what_its_last_layer_sees(folder: Path) -> None:
    """A classifier's files lack the weights of the pooling that the bare network has."""
    theirs = vit(folder)
    theirs.save_pretrained(folder)
    checkpoints.write_preparation(folder)
    found = networks.image_network(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    with torch.no_grad():
        answers = theirs(prepared(pixels, OWN_MEAN, OWN_DEVIATION)).logits.numpy()
    ours = vectors(found, torch.from_numpy(pixels))
    bias = theirs.classifier.bias.detach().numpy()
    assert ours @ found.classes.weight.T + bias == pytest.approx(answers, abs=1e-3)
    assert not found.convolutional


def test_a_bare_network_is_pooled_as_it_pools(folder: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    sizes = {name: value for name, value in checkpoints.VISION.items() if name[:5] != "inter"}
    theirs = checkpoints.shaken(Dinov2Model(Dinov2Config(**sizes)))
    theirs.save_pretrained(folder)
    checkpoints.write_preparation(folder)
    found = networks.image_network(of(folder))
    pixels = noise(2, checkpoints.SIDE)
    with torch.no_grad():
        wanted = theirs(prepared(pixels, OWN_MEAN, OWN_DEVIATION)).pooler_output.numpy()
    assert vectors(found, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4)
    assert found.classes is None


@pytest.mark.parametrize(
    ("told", "side", "interpolation"),
    [
        ({"size": 32}, 32, "bicubic"),
        ({"size": {"height": 32, "width": 32}, "resample": 2}, 32, "bilinear"),
        ({"size": {"shortest_edge": 32}, "crop_pct": 0.875}, 32, "bicubic"),
        ({"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}, 32, "bicubic"),
        ({"size": 36, "crop_size": 32, "do_center_crop": True, "resample": 1}, 32, "lanczos"),
        ({"size": 32, "crop_size": 24, "do_center_crop": False}, 32, "bicubic"),
    ],
)
def test_the_square_is_what_the_network_sees_at_last(
    told: dict[str, Any], side: int, interpolation: str, folder: Path
) -> None:
    checkpoints.resnet(folder)
    checkpoints.write_preparation(folder, **told)
    found = networks.image_network(of(folder)).preparation
    assert (found.size, found.interpolation) == (side, interpolation)


def test_old_transformers_scaled_to_the_middle(folder: Path) -> None:
    """A processor of version 5 writes another file; what it does not do is not done."""
    checkpoints.resnet(folder)
    told = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    told |= {"do_normalize": False, "rescale_factor": 1 / 127.5}
    del told["resample"]
    told["image_processor_type"] = "ViTImageProcessor"
    checkpoints.write_json(folder / "processor_config.json", {"image_processor": told})
    found = networks.image_network(of(folder)).preparation
    assert (found.scale, found.mean, found.deviation) == (1 / 127.5, (0.0,) * 3, (1.0,) * 3)
    assert found.interpolation == "bilinear"


# -- texts ------------------------------------------------------------------------------------


def tokens(folder: Path, texts: list[str], longest: int) -> dict[str, Any]:
    """Ids and mask as transformers makes them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
    return {name: found[name] for name in ("input_ids", "attention_mask")}


def ours(network: Any, texts: list[str], fill: int = 0) -> Floats:
    """As the runtime asks: its own word pieces, a batch filled up with whatever."""
    pieces = network.pieces.ids(texts)
    longest = max(map(len, pieces))
    ids = np.array([one + [fill] * (longest - len(one)) for one in pieces], np.int64)
    mask = np.array([[1] * len(one) + [0] * (longest - len(one)) for one in pieces], np.int64)
    return vectors(network, torch.from_numpy(ids), torch.from_numpy(mask))


def test_plain_text_models_give_the_mean_of_their_words(folder: Path) -> None:
    theirs = checkpoints.distilbert(folder)
    found = networks.text_network(of(folder))
    assert (found.pieces.most, found.dimension) == (40, 16)
    given = tokens(folder, TEXTS, 40)
    with torch.no_grad():
        words = theirs(**given).last_hidden_state
    mask = given["attention_mask"].unsqueeze(-1)
    wanted = ((words * mask).sum(1) / mask.sum(1)).numpy()
    assert ours(found, TEXTS) == pytest.approx(wanted, abs=1e-5)
    assert ours(found, TEXTS, fill=7) == pytest.approx(wanted, abs=1e-5)
    exported = run(
        export.text_onnx(found, 40),
        ids=given["input_ids"].numpy(), mask=given["attention_mask"].numpy(),
    )  # fmt: skip
    assert exported == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(("way", "unit"), [("cls", True), ("mean", False), ("mean", True)])
def test_sentence_models_pool_as_their_folder_says(
    way: str, unit: bool, old: bool, folder: Path
) -> None:
    theirs = checkpoints.sentences(folder, way, unit=unit, old=old)
    found = networks.text_network(of(folder))
    assert found.pieces.most == 24
    given = tokens(folder, TEXTS, 24)
    with torch.no_grad():
        words = theirs(**given).last_hidden_state.numpy()
    mask = given["attention_mask"].numpy()[:, :, None]
    wanted = words[:, 0] if way == "cls" else (words * mask).sum(1) / mask.sum(1)
    if unit:
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert ours(found, TEXTS) == pytest.approx(wanted, abs=1e-5)


def test_a_real_sentence_model_is_read_as_the_shipped_profile_reads_it() -> None:
    folder = export.source_file(export.TEXT_SOURCE).parent
    found = networks.text_network(of(folder))
    shipped = export.TextModel()
    assert (found.pieces.most, found.dimension) == (256, 384)
    given = tokens(folder, TEXTS, 256)
    wanted = vectors(shipped, given["input_ids"], given["attention_mask"])
    assert ours(found, TEXTS) == pytest.approx(wanted, abs=1e-5)


# -- both -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [None, 2])
def test_clip_is_as_transformers_has_it(ends: int | None, folder: Path) -> None:
    theirs = checkpoints.clip(folder, ends=ends)
    found = networks.joint_networks(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    given = tokens(folder, TEXTS, 20)  # which fills up with the piece that ends a text
    with torch.no_grad():
        seen = theirs.get_image_features(
            pixel_values=prepared(pixels, OWN_MEAN, OWN_DEVIATION)
        ).pooler_output.numpy()
        read = theirs.get_text_features(**given).pooler_output.numpy()
    assert vectors(found.image, torch.from_numpy(pixels)) == pytest.approx(unit(seen), abs=1e-5)
    assert ours(found.text, TEXTS) == pytest.approx(unit(read), abs=1e-5)
    the_end = int(given["input_ids"].max())
    assert ours(found.text, TEXTS, fill=the_end) == pytest.approx(unit(read), abs=1e-5)
    if ends is not None:
        longest = given["input_ids"].shape[1]
        exported = run(
            export.text_onnx(found.text, longest),
            ids=given["input_ids"].numpy(), mask=given["attention_mask"].numpy(),
        )  # fmt: skip
        assert exported == pytest.approx(unit(read), abs=1e-4)
    assert found.logit_scale == pytest.approx(np.exp(theirs.logit_scale.item()), rel=1e-5)
    assert found.logit_bias is None


# What the library sentencepiece, and transformers' tokenizer upon it, make of these texts.
SIGLIP_IDS = {
    "red balloon": [4, 5, 1],
    "Red, balloons!": [4, 5, 9, 1],
    "RED  Balloon": [4, 5, 1],
    "": [1],
    " a": [3, 6, 1],
    "?!": [1],
    "空 a": [3, 2, 6, 1],
    "a-b": [6, 11, 1],
    "ba l": [3, 11, 10, 3, 21, 1],
    "blue balloon on a field of red": [3, 11, 21, 29, 14, 5, 3, 24, 23, 6, 3, 1],
}


def test_siglip_is_as_transformers_has_it(folder: Path) -> None:
    theirs = checkpoints.siglip(folder)
    found = networks.joint_networks(of(folder))
    texts = list(SIGLIP_IDS)
    assert dict(zip(texts, found.text.pieces.ids(texts), strict=True)) == SIGLIP_IDS
    filled = torch.tensor([ids + [1] * (12 - len(ids)) for ids in SIGLIP_IDS.values()])
    with torch.no_grad():
        read = theirs.get_text_features(input_ids=filled).pooler_output.numpy()
    assert ours(found.text, texts) == pytest.approx(unit(read), abs=1e-5)
    assert ours(found.text, texts, fill=30) == pytest.approx(unit(read), abs=1e-5)
    alone = np.concatenate([ours(found.text, [text]) for text in texts])
    assert alone == pytest.approx(unit(read), abs=1e-5)
    assert found.logit_bias == pytest.approx(theirs.logit_bias.item())
    # A tokenizer.json in place of sentencepiece's file is read as it is.
    (folder / "spiece.model").unlink()
    (folder / "tokenizer.json").write_text(found.text.pieces.tokenizer, "utf-8")
    again = networks.joint_networks(of(folder))
    assert again.text.pieces.ids(texts) == list(SIGLIP_IDS.values())


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


# -- what is wrong is told --------------------------------------------------------------------


def told(read: Callable[[Any], Any], place: Path) -> str:
    with pytest.raises(SourceUnusable) as caught:
        read(of(place))
    message = str(caught.value)
    assert "\n" not in message
    return message


def change(file: Path, **entries: Any) -> None:
    checkpoints.write_json(file, {**json.loads(file.read_text("utf-8")), **entries})


def test_sides_that_are_mixed_up(folder: Path, tmp_path: Path) -> None:
    text, both = tmp_path / "text", tmp_path / "both"
    checkpoints.resnet(folder)
    checkpoints.distilbert(text)
    checkpoints.clip(both)
    image_network, text_network, joint_networks = (
        networks.image_network, networks.text_network, networks.joint_networks,
    )  # fmt: skip
    assert "sees no photos" in told(image_network, text)
    assert "reads no texts" in told(text_network, folder)
    assert "--joint" in told(image_network, both)
    assert "--joint" in told(text_network, both)
    assert "has one side" in told(joint_networks, folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", "{", "no JSON"),
        ("config.json", "[]", "no named values"),
        ("config.json", "{}", "tells no model_type"),
        ("config.json", '{"architecture": "vit_base_patch16_224"}', "not vit_base_patch16_224"),
        ("config.json", '{"model_type": "seer9"}', "'seer9' model, which the installed"),
        ("config.json", '{"model_type": "seer9", "auto_map": {"AutoModel": "m.M"}}', "never run"),
        ("config.json", '{"model_type": "resnet", "layer_type": "odd"}', "layer"),
        ("config.json", '{"model_type": "resnet", "depths": "odd"}', "cannot be"),
        ("config.json", '{"model_type": "resnet", "quantization_config": {}}', "fewer bits"),
        ("preprocessor_config.json", "{", "no JSON"),
        ("preprocessor_config.json", '{"size": 32}', "'image_mean'"),
        ("preprocessor_config.json", '{"size": {"height": 32, "width": 64}}', "no squares"),
        ("preprocessor_config.json", '{"do_flip_channel_order": true}', "do_flip_channel_order"),
    ],
)
def test_files_of_a_vision_model_that_are_wrong(
    name: str, content: str, words: str, folder: Path
) -> None:
    checkpoints.resnet(folder)
    (folder / name).write_text(content)
    assert words in told(networks.image_network, folder)


def test_files_of_a_vision_model_that_are_missing(folder: Path) -> None:
    checkpoints.resnet(folder)
    (folder / "preprocessor_config.json").unlink()
    assert "does not tell how its photos are prepared" in told(networks.image_network, folder)


def test_weights_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    checkpoints.resnet(folder)
    weights = folder / "model.safetensors"
    state = load_file(weights)
    change(folder / "config.json", embedding_size=16)
    assert "(8, 3, 7, 7)" in (message := told(networks.image_network, folder))
    assert "(16, 3, 7, 7)" in message
    change(folder / "config.json", embedding_size=8)
    some = "resnet.embedder.embedder.convolution.weight"
    save_file({name: tensor for name, tensor in state.items() if name != some}, weights)
    assert f"such as {some}" in told(networks.image_network, folder)
    whole = shutil.copy(weights, tmp_path / "whole")
    weights.write_bytes(Path(whole).read_bytes()[:-100])
    assert "damaged" in told(networks.image_network, folder)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"layer1.0.se.fc1.weight": (4, 4)}, "layer1.0.se.fc1.weight, which a"),
        ({"layer2.0.conv1.weight": (3, 3)}, "of the shape (3, 3)"),
        ({"layer3.1.bn2.running_var": None}, "lacks the weights layer3.1.bn2.running_var"),
    ],
)
def test_resnets_that_are_not_plain(
    broken: dict[str, tuple[int, ...] | None], words: str, tmp_path: Path
) -> None:
    state = checkpoints.PlainResNet18(4).state_dict()
    for name, shape in broken.items():
        if shape is None:
            del state[name]
        else:
            state[name] = torch.zeros(shape)
    torch.save(state, tmp_path / "net.pth")
    assert words in told(networks.image_network, tmp_path / "net.pth")


def test_timm_says_nothing_of_use(folder: Path) -> None:
    torch.save(checkpoints.PlainResNet18(4).state_dict(), folder / "pytorch_model.bin")
    odd = {"architecture": "resnet18", "pretrained_cfg": {"mean": 3}}
    checkpoints.write_json(folder / "config.json", odd)
    assert "has an odd one" in told(networks.image_network, folder)


def test_photos_of_another_size_than_the_network_takes(folder: Path) -> None:
    vit(folder).save_pretrained(folder)
    checkpoints.write_preparation(folder, size=48)
    assert "48 x 48" in told(networks.image_network, folder)


def test_text_models_that_cannot_be_used(folder: Path) -> None:
    checkpoints.sentences(folder, "mean", unit=True)
    shutil.move(folder / "vocab.txt", folder / "elsewhere")
    assert "has no vocabulary" in told(networks.text_network, folder)
    (folder / "tokenizer.json").write_text("{")
    assert "no JSON" in told(networks.text_network, folder)
    (folder / "tokenizer.json").unlink()
    shutil.move(folder / "elsewhere", folder / "vocab.txt")
    change(folder / "tokenizer_config.json", padding_side="left")
    assert "on the left" in told(networks.text_network, folder)
    change(folder / "tokenizer_config.json", padding_side="right")
    pooling = folder / "1_Pooling" / "config.json"
    change(pooling, pooling_mode=["mean", "max"])
    assert "mean and max" in told(networks.text_network, folder)
    change(pooling, pooling_mode="mean")
    modules = json.loads((folder / "modules.json").read_text())
    layer = {"idx": 3, "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    checkpoints.write_json(folder / "modules.json", [*modules, layer])
    assert "a layer Dense" in told(networks.text_network, folder)
    checkpoints.write_json(folder / "modules.json", modules)
    with (folder / "vocab.txt").open("a") as words:
        words.write("another\n")
    assert "pieces, and the network knows" in told(networks.text_network, folder)


def test_models_that_write_are_refused(folder: Path) -> None:
    from transformers import T5Config, T5Model

    small = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5Model(small).save_pretrained(folder)
    assert "writes texts" in told(networks.text_network, folder)


def test_code_of_a_model_is_never_run(folder: Path, tmp_path: Path) -> None:
    """What a configuration says of code beside it counts for nothing."""
    checkpoints.distilbert(folder)
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass M: ...\n"
    (folder / "modeling_trap.py").write_text(trap)
    own = {"AutoConfig": "modeling_trap.M", "AutoModel": "modeling_trap.M"}
    change(folder / "config.json", auto_map=own)
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_trap.M", None]})
    networks.text_network(of(folder))
    assert not (tmp_path / "sprung").exists()


def test_neither_torchvision_nor_timm_is_imported(folder: Path, tmp_path: Path) -> None:
    checkpoints.resnet(folder)
    checkpoints.clip(tmp_path / "clip")
    script = (
        "import sys\n"
        "from pixquery.trainer.adopting.networks import image_network, joint_networks\n"
        "from pixquery.trainer.adopting.sources import find\n"
        "image_network(find(sys.argv[1])), joint_networks(find(sys.argv[2]))\n"
        "print({'torchvision', 'timm', 'sentencepiece'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder, tmp_path / "clip"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("set()\n", "")
