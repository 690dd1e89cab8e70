"""The small repositories against their makers' code: files, networks, photos and texts."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer

from pixquery.db.records import Floats
from pixquery.engine.runtime import openvino
from tests import ready, ready_words
from tests.ready import Ready

pytestmark = pytest.mark.usefixtures("one_thread")
Prepare = Callable[[str], str]
HUB = {"clip": ready.clip, "siglip": ready.siglip, "siglip2": ready.siglip2}
FILL = {"clip": None, "siglip": "</s>", "siglip2": "<pad>"}
CLEAN: dict[str, Prepare] = {"clip": str, "siglip": ready_words.siglip_text, "siglip2": str.lower}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ready]:
    known: dict[str, Ready] = {}

    def one(name: str) -> Ready:
        if name not in known:
            known[name] = HUB[name](tmp_path_factory.mktemp(name), halves=True)
        return known[name]

    return one


def run(file: Path, output: str, given: Any) -> Floats:
    """What a runtime computes of the only input."""
    try:
        import onnxruntime
    except ImportError:
        exact = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors compute with 16 bits else
        compiled = openvino().Core().compile_model(file, "CPU", exact)
        return np.asarray(compiled([given])[output])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    return np.asarray(session.run([output], {only.name: given})[0])


def pixels(folder: Path, images: Sequence[Image.Image]) -> Floats:
    """Photos as preprocessor_config.json describes them: float32[n, 3, h, w]."""
    told = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    rows = []
    for image in images:
        if "shortest_edge" in told["size"]:
            side = told["size"]["shortest_edge"]
            short = min(image.size)
            image = image.resize(
                [int(side * length / short) for length in image.size], told["resample"]
            )
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        else:
            side = told["size"]["height"]
            image = image.resize((side, side), told["resample"])
        values = np.asarray(image, np.float32) * told["rescale_factor"]
        rows.append((values - told["image_mean"]) / told["image_std"])
    return np.stack(rows).transpose(0, 3, 1, 2).astype(np.float32)


def ids(folder: Path, texts: Sequence[str], fill: str | None) -> Any:
    """Texts by tokenizer.json: int64[n, l]; filled to the network's length if that is told."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    told = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    tokenizer.enable_truncation(told["model_max_length"])
    row = tokenizer.token_to_id(told["pad_token"])
    tokenizer.enable_padding(pad_id=row, length=told["model_max_length"] if fill else None)
    return np.array([one.ids for one in tokenizer.encode_batch(list(texts))], np.int64)


def cosines(one: Floats, other: Floats) -> Floats:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(1) / lengths)


@pytest.mark.parametrize("suffix", ["", "_fp16"])
@pytest.mark.parametrize("name", HUB)
def test_files_compute_what_their_makers_code_does(
    name: str, suffix: str, made: Callable[[str], Ready]
) -> None:
    model = made(name)
    least = 0.9999 if not suffix else 0.999
    image, text = ("image_embeds", "text_embeds") if name == "clip" else ["pooler_output"] * 2
    photos, seen = model.examples
    found = run(
        model.folder / f"onnx/vision_model{suffix}.onnx", image, pixels(model.folder, photos)
    )
    assert cosines(found, seen).min() > least
    sentences, read = model.sentences
    given = ids(model.folder, list(map(CLEAN[name], sentences)), FILL[name])
    found = run(model.folder / f"onnx/text_model{suffix}.onnx", text, given)
    assert cosines(found, read).min() > least
    assert seen.shape == (5, model.dimension) and read.shape == (12, model.dimension)


@pytest.mark.parametrize(("name", "harm"), [("siglip", 0.9), ("siglip2", 0.9)])
def test_wrong_texts_are_noticed(name: str, harm: float, made: Callable[[str], Ready]) -> None:
    model = made(name)
    file = model.folder / "onnx/text_model.onnx"
    sentences, read = model.sentences
    clean = list(map(CLEAN[name], sentences))
    plain = run(file, "pooler_output", ids(model.folder, sentences, FILL[name]))
    assert cosines(plain, read).min() < harm, "as they are"
    short = run(file, "pooler_output", ids(model.folder, clean[:2], None))
    assert cosines(short, read[:2]).max() < harm, "not filled"
    given = ids(model.folder, clean, FILL[name])
    fill = given[0, -1]
    other = np.where(given == fill, 3, given)
    assert cosines(run(file, "pooler_output", other), read)[0] < harm, "filled with another piece"


def test_siglips_pieces_are_sentencepieces_own() -> None:
    stored = ready_words.SIGLIP_PIECES.with_suffix(".json").read_text("utf-8")
    tokenizer = ready_words.siglip()
    for text, wanted in json.loads(stored).items():
        assert tokenizer.encode(ready_words.siglip_text(text)).ids == wanted, text


@pytest.mark.parametrize("name", HUB)
def test_outputs_are_in_the_order_of_the_published_files(
    name: str, made: Callable[[str], Ready]
) -> None:
    import onnx

    folder = made(name).folder / "onnx"
    graphs = {kind: onnx.load(folder / f"{kind}_model.onnx").graph for kind in ("vision", "text")}
    given = [[one.name for one in graph.input] for graph in graphs.values()]
    assert given == [["pixel_values"], ["input_ids"]]
    found = [[one.name for one in graph.output] for graph in graphs.values()]
    usual = ["last_hidden_state", "pooler_output"]
    first = [["image_embeds", "last_hidden_state"], ["text_embeds", "last_hidden_state"]]
    assert found == (first if name == "clip" else [usual, usual])


def test_clip_can_be_for_one_at_a_time(tmp_path: Path) -> None:
    model = ready.clip(tmp_path, dynamic=False)
    photos, seen = model.examples
    file = tmp_path / "onnx/vision_model.onnx"
    found = [run(file, "image_embeds", pixels(tmp_path, [photo])) for photo in photos]
    assert cosines(np.concatenate(found), seen).min() > 0.9999


IMMICH = {"clip": ready.immich_clip, "siglip": ready.immich_siglip}


def immich_pixels(folder: Path, images: Sequence[Image.Image]) -> Any:
    """Photos as preprocess_cfg.json describes them: uint8[n, h, w, 3]."""
    told = json.loads((folder / "visual/preprocess_cfg.json").read_text("utf-8"))
    side, rows = told["size"][0], []
    assert told["interpolation"] == "bicubic"
    for image in images:
        if told["resize_mode"] == "shortest":
            lengths = [int(side * length / min(image.size)) for length in image.size]
            image = image.resize(lengths, Image.Resampling.BICUBIC)
            left, top = round((image.width - side) / 2), round((image.height - side) / 2)
            rows.append(np.asarray(image.crop((left, top, left + side, top + side))))
        else:
            rows.append(np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)))
    return np.stack(rows)


def normal(folder: Path, pixels: Any) -> Floats:
    told = json.loads((folder / "visual/preprocess_cfg.json").read_text("utf-8"))
    values = (pixels.astype(np.float32) / 255 - told["mean"]) / told["std"]
    return np.asarray(values.transpose(0, 3, 1, 2), np.float32)


def immich_ids(folder: Path, texts: Sequence[str]) -> Any:
    """Texts as Immich splits them: int32[n, l]."""
    told = json.loads((folder / "config.json").read_text("utf-8"))["text_cfg"]
    if told.get("tokenizer_kwargs", {}).get("clean") == "canonicalize":
        texts = list(map(ready_words.siglip_text, texts))
    tokenizer = Tokenizer.from_file(str(folder / "textual/tokenizer.json"))
    described = json.loads((folder / "textual/tokenizer_config.json").read_text("utf-8"))
    length, fill = told["context_length"], tokenizer.token_to_id(described["pad_token"])
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(pad_id=fill, length=length)
    return np.array([one.ids for one in tokenizer.encode_batch(list(texts))], np.int32)


@pytest.mark.parametrize("name", IMMICH)
def test_immichs_files_compute_what_open_clip_does(name: str, tmp_path: Path) -> None:
    model = IMMICH[name](tmp_path)
    assert not list(tmp_path.rglob("*.npz"))
    photos, seen = model.examples
    given = normal(tmp_path, immich_pixels(tmp_path, photos))
    file = tmp_path / "visual/model.onnx"
    found = [run(file, "embedding", given[row : row + 1]) for row in range(len(given))]
    assert cosines(np.concatenate(found), seen).min() > 0.9999
    sentences, read = model.sentences
    split = immich_ids(tmp_path, sentences)
    file = tmp_path / "textual/model.onnx"
    found = [run(file, "embedding", split[row : row + 1]) for row in range(len(split))]
    assert cosines(np.concatenate(found), read).min() > 0.9999
    assert (model.photos(photos[1:]) == seen[1:]).all()
    assert (model.texts(sentences[2:]) == read[2:]).all()
    assert np.linalg.norm(seen, axis=1) == pytest.approx(1, abs=1e-5)


def test_immichs_newer_files_compute_the_same(tmp_path: Path) -> None:
    model = ready.immich_new(tmp_path)
    photos, seen = model.examples
    pixels = immich_pixels(tmp_path, photos)
    found = run(tmp_path / "visual/model.onnx", "image_embedding", pixels)
    assert cosines(found, seen).min() > 0.9999
    sentences, read = model.sentences
    split = immich_ids(tmp_path, sentences)
    found = run(tmp_path / "textual/model.onnx", "text_embedding", split)
    assert cosines(found, read).min() > 0.9999


def test_rclips_files_compute_what_open_clip_does(tmp_path: Path) -> None:
    model = ready.rclip(tmp_path / "rclip")
    networks = model.folder / "ViT-B-32-256-datacomp_s34b_b86k"
    folder = ready.immich_clip(tmp_path / "clip").folder  # the same model, described
    photos, seen = model.examples
    given = normal(folder, immich_pixels(folder, photos))
    assert cosines(run(networks / "visual.onnx", "output", given), seen).min() > 0.9999
    sentences, read = model.sentences
    split = immich_ids(folder, sentences).astype(np.int64)
    assert cosines(run(networks / "textual.onnx", "output", split), read).min() > 0.9999
    told = json.loads((folder / "textual/tokenizer.json").read_text("utf-8"))["model"]["merges"]
    pairs = gzip.decompress((model.folder / "tokenizer/bpe_simple_vocab_16e6.txt.gz").read_bytes())
    assert [line.split() for line in pairs.decode().split("\n")[1:]] == told
    flat = ready.rclip(tmp_path / "flat", flat=True).folder
    assert {file.name for file in flat.iterdir()} == {
        "visual.onnx", "textual.onnx", "bpe_simple_vocab_16e6.txt.gz",
    }  # fmt: skip
