"""What a model's makers compute: with their network, preparation and tokenizer, in transformers.

Nothing of pixquery's own reading of the files is used here: this is what it is compared with.
"""

from collections.abc import Sequence
from typing import Any

import torch

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.wordpieces import quiet, read_json

_LENGTH = 64
"""Pieces of each text of SigLIP's models."""


def vectors_of(
    source: Source, photos: Sequence[Any], texts: Sequence[str]
) -> tuple[Floats, Floats]:
    """The vectors of some photos and texts, float32[n, d] and float32[m, d].

    Args:
        source: The makers' own repository, with weights for PyTorch.
        photos: Pillow's images, upright and in RGB, of their own size.
        texts: As users type them.

    Raises:
        SourceUnusable: The model is of no kind whose makers' code is known here.
    """
    kind = read_json(source.folder / "config.json").get("model_type")
    if kind not in ("clip", "siglip"):
        raise SourceUnusable(f"{source.named} is a {kind} model: only CLIP and SigLIP are compared")
    from transformers import AutoModel

    with quiet(), torch.no_grad():
        model: Any = AutoModel.from_pretrained(source.folder, local_files_only=True).eval()
        pixels = _processor(kind, source)(list(photos), return_tensors="pt")["pixel_values"]
        seen = model.get_image_features(pixel_values=pixels)
        read = model.get_text_features(**_words(kind, source, texts))
    return _numbers(seen), _numbers(read)


def _processor(kind: str, source: Source) -> Any:
    if kind == "clip":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil.from_pretrained(source.folder)
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    return SiglipImageProcessorPil.from_pretrained(source.folder)


def _words(kind: str, source: Source, texts: Sequence[str]) -> dict[str, Any]:
    if kind == "clip":
        from transformers import CLIPTokenizer

        words: Any = CLIPTokenizer.from_pretrained(source.folder)
        return dict(words(list(texts), padding=True, truncation=True, return_tensors="pt"))
    if (source.folder / "spiece.model").is_file():
        from transformers import SiglipTokenizer

        try:
            words = SiglipTokenizer.from_pretrained(source.folder)
        except ImportError as error:
            raise SourceUnusable(
                f"the makers' code for {source.named} needs the package sentencepiece: "
                "pip install sentencepiece"
            ) from error
    else:
        from transformers import Siglip2Tokenizer

        words = Siglip2Tokenizer.from_pretrained(source.folder)
    given = words(list(texts), padding="max_length", max_length=_LENGTH, truncation=True)
    return {"input_ids": torch.tensor(given["input_ids"])}


def _numbers(output: Any) -> Floats:
    vectors = output if isinstance(output, torch.Tensor) else output.pooler_output
    numbers: Floats = vectors.float().numpy()
    return numbers
