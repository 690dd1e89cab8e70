"""Small models with random weights, laid out as public repositories are, and what they compute.

The vectors come from the makers' own code in PyTorch: their networks, their preparation of photos,
and their tokenizers. Whatever reads these folders can be compared with them. What needs packages
that pixquery never installs is stored in ``tests/samples``.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pixquery.db.records import Floats
from tests import ready_files, ready_onnx, ready_words
from tests.checkpoints import shaken
from tests.ready_photos import pictures
from tests.ready_words import SENTENCES

_OPEN_CLIP = Path(__file__).parent / "samples" / "open-clip"
_VECTORS = shutil.ignore_patterns("vectors.npz")
Tensors = dict[str, torch.Tensor]
SIDE = 48
_TOWER: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 2}  # fmt: skip
_VISION: dict[str, Any] = {**_TOWER, "image_size": SIDE, "patch_size": 16}


@dataclass(frozen=True, slots=True)
class Ready:
    """A repository, and what its makers' code computes with it."""

    folder: Path
    photos: Callable[[Sequence[Image.Image]], Floats]
    """Unit rows, float32[n, d]. Where vectors are stored, it knows the examples alone."""
    texts: Callable[[Sequence[str]], Floats]
    """Unit rows, float32[n, d]. Where vectors are stored, it knows the sentences alone."""
    size: int
    """Side of the network's photos, in pixels."""
    dimension: int
    examples: tuple[list[Image.Image], Floats]
    """Five photos and their vectors."""
    sentences: tuple[list[str], Floats]
    """Twelve texts and their vectors."""


def clip(folder: Path, *, dynamic: bool = True, halves: bool = False) -> Ready:
    """CLIP as in ``Xenova/clip-vit-base-patch32``.

    Args:
        folder: Where to write it.
        dynamic: Any number of photos and texts at once; else one.
        halves: Write the networks with weights in float16 too.
    """
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = ready_words.clip()
    rows = tokenizer.get_vocab_size()
    # The configuration's marks are wrong, as published: the highest number ends a text.
    marks = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config = CLIPConfig(
        text_config={**_TOWER, "vocab_size": rows, "max_position_embeddings": 77, **marks},
        vision_config=_VISION,
        projection_dim=24,
    )
    torch.manual_seed(0)  # some weights keep a share of what they begin with
    model = shaken(CLIPModel(config))
    _write_words(folder, tokenizer)
    ready_files.write_clip(folder, config)
    processor: Any = CLIPImageProcessorPil.from_pretrained(folder)
    words: Any = CLIPTokenizer.from_pretrained(folder)

    def pixels(images: Sequence[Image.Image]) -> Tensors:
        return {"pixel_values": processor(list(images), return_tensors="pt")["pixel_values"]}

    def ids(sentences: Sequence[str]) -> Tensors:
        return dict(words(list(sentences), padding=True, truncation=True, return_tensors="pt"))

    _spread(model.vision_model, model.vision_model.post_layernorm.bias, pixels(pictures()))
    _spread(model.text_model, model.text_model.final_layer_norm.bias, ids(SENTENCES))
    ready_onnx.write_clip(folder / "onnx", model, dynamic=dynamic)
    _write_halves(folder, halves=halves)
    return _ready(folder, model, pixels, ids)


def siglip(folder: Path, *, halves: bool = False) -> Ready:
    """SigLIP as in ``Xenova/siglip-base-patch16-224``.

    Its makers make texts lower case without punctuation before they split them, and fill them to 64
    pieces; the repository's tokenizer.json does neither.
    """
    tokenizer = ready_words.siglip()
    tokenizer.enable_truncation(64)
    tokenizer.enable_padding(length=64, pad_id=1, pad_token="</s>")

    def ids(sentences: Sequence[str]) -> Tensors:
        plain = [ready_words.siglip_text(text) for text in sentences]
        return {"input_ids": torch.tensor([one.ids for one in tokenizer.encode_batch(plain)])}

    marks = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    made = _siglip(folder, tokenizer.get_vocab_size(), marks, ids, ready_files.write_siglip)
    (folder / "spiece.model").write_bytes(ready_words.SIGLIP_PIECES.read_bytes())
    _write_words(folder, ready_words.siglip())
    _write_halves(folder, halves=halves)
    return made


def siglip2(folder: Path, *, halves: bool = False) -> Ready:
    """SigLIP 2 as in ``onnx-community/siglip2-base-patch16-256-ONNX``.

    Its makers make texts lower case, keep punctuation, and fill to 64 pieces; the repository's
    tokenizer.json does not make them lower case.
    """
    from transformers import Siglip2Tokenizer

    _write_words(folder, ready_words.small_gemma())
    found: list[Any] = []

    def ids(sentences: Sequence[str]) -> Tensors:
        given = found[0](list(sentences), padding="max_length", max_length=64, truncation=True)
        return {"input_ids": torch.tensor(given["input_ids"])}

    def files(place: Path, config: Any) -> None:
        ready_files.write_siglip2(place, config)
        found.append(Siglip2Tokenizer.from_pretrained(place))

    rows = ready_words.small_gemma().get_vocab_size()
    marks = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
    made = _siglip(folder, rows, marks, ids, files)
    _write_halves(folder, halves=halves)
    return made


def immich_clip(folder: Path) -> Ready:
    """CLIP as in ``immich-app/ViT-B-32__laion2b_e16``: one photo or text at a time.

    It is a copy of ``tests/samples/open-clip``, whose vectors open_clip computed.
    """
    shutil.copytree(_OPEN_CLIP / "clip", folder, dirs_exist_ok=True, ignore=_VECTORS)
    return _stored(folder, "clip")


def immich_siglip(folder: Path) -> Ready:
    """SigLIP 2 as in ``immich-app/ViT-B-32-SigLIP2-256__webli``: one photo or text at a time.

    Texts become lower case without punctuation, and are filled to 64 pieces.
    """
    shutil.copytree(_OPEN_CLIP / "siglip", folder, dirs_exist_ok=True, ignore=_VECTORS)
    return _stored(folder, "siglip")


def immich_new(folder: Path) -> Ready:
    """The same as immich-app's ``ml-models`` exports it: any number of photos, as bytes."""
    shutil.copytree(_OPEN_CLIP / "siglip", folder, dirs_exist_ok=True, ignore=_VECTORS)
    shutil.copytree(_OPEN_CLIP / "new", folder, dirs_exist_ok=True)
    return _stored(folder, "siglip")


def rclip(folder: Path, *, flat: bool = False) -> Ready:
    """CLIP as in ``yurijmikhalevich/rclip-models``: no configuration, and no tokenizer.json.

    Args:
        folder: Where to write it.
        flat: Put all three files into the folder; else where the repository has them.
    """
    model = folder if flat else folder / "ViT-B-32-256-datacomp_s34b_b86k"
    words = folder if flat else folder / "tokenizer"
    for file in (_OPEN_CLIP / "rclip").iterdir():
        place = model if file.suffix == ".onnx" else words
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place / file.name)
    return _stored(folder, "clip")


def _stored(folder: Path, name: str) -> Ready:
    vectors = np.load(_OPEN_CLIP / name / "vectors.npz")
    seen, read = vectors["photos"], vectors["texts"]
    rows = {picture.tobytes(): row for row, picture in enumerate(pictures())}

    def photos(images: Sequence[Image.Image]) -> Floats:
        return np.asarray(seen[[rows[image.tobytes()] for image in images]])

    def texts(sentences: Sequence[str]) -> Floats:
        return np.asarray(read[[SENTENCES.index(text) for text in sentences]])

    examples, sentences = (list(pictures()), seen), (list(SENTENCES), read)
    return Ready(folder, photos, texts, 32, seen.shape[1], examples, sentences)


def _siglip(
    folder: Path,
    rows: int,
    marks: Mapping[str, int | None],
    ids: Callable[[Sequence[str]], Tensors],
    files: Callable[[Path, Any], None],
) -> Ready:
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    text = {**_TOWER, "vocab_size": rows, "projection_size": 32, **marks}
    config = SiglipConfig(text_config=text, vision_config=_VISION)
    torch.manual_seed(0)
    model = shaken(SiglipModel(config))
    files(folder, config)
    processor: Any = SiglipImageProcessorPil.from_pretrained(folder)

    def pixels(images: Sequence[Image.Image]) -> Tensors:
        return {"pixel_values": processor(list(images), return_tensors="pt")["pixel_values"]}

    _spread(model.vision_model, model.vision_model.head.mlp.fc2.bias, pixels(pictures()))
    _spread(model.text_model, model.text_model.head.bias, ids(SENTENCES))
    ready_onnx.write_siglip(folder / "onnx", model)
    return _ready(folder, model, pixels, ids)


def _ready(
    folder: Path,
    model: Any,
    pixels: Callable[[Sequence[Image.Image]], Tensors],
    ids: Callable[[Sequence[str]], Tensors],
) -> Ready:
    def photos(images: Sequence[Image.Image]) -> Floats:
        return _unit(model.get_image_features(**pixels(images)).pooler_output)

    def texts(sentences: Sequence[str]) -> Floats:
        return _unit(model.get_text_features(**ids(sentences)).pooler_output)

    images, sentences = list(pictures()), list(SENTENCES)
    seen, read = photos(images), texts(sentences)
    return Ready(folder, photos, texts, SIDE, seen.shape[1], (images, seen), (sentences, read))


def _spread(network: Any, bias: torch.Tensor, given: Tensors) -> None:
    """Moves the vectors of some inputs around 0.

    Otherwise those of a random network have cosines of 0.99 whatever they are of, and so have wrong
    ones.
    """
    with torch.no_grad():
        bias -= network(**given).pooler_output.mean(0)


def _unit(rows: torch.Tensor) -> Floats:
    unit = rows.detach() / rows.detach().norm(dim=1, keepdim=True)
    return np.asarray(unit.numpy(), np.float32)


def _write_words(folder: Path, tokenizer: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_halves(folder: Path, *, halves: bool) -> None:
    if halves:
        for name in ("vision_model.onnx", "text_model.onnx"):
            ready_onnx.write_half(folder / "onnx" / name)
