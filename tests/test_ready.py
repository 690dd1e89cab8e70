"""The small repositories against their makers' code: files, networks, photos and texts."""

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
from tests.adopted import unit
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
        compiled = openvino().Core().compile_model(file, "CPU")
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
    return np.asarray((unit(one) * unit(other)).sum(1))


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
