"""Models that `models add` makes a profile of by name alone, each a fixed version of its files.

Recall is what its makers published for finding one photo among COCO's 5,000 or Flickr30k's 1,000 by
a caption, without training on either. Nothing of it was measured by pixquery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MANY = "mul"
"""ISO 639-2's code for several languages: SigLIP 2 was trained on texts in 109."""
_VISION, _TEXT, _WORDS = "onnx/vision_model.onnx", "onnx/text_model.onnx", "tokenizer.json"
_VISUAL, _TEXTUAL = "visual/model.onnx", "textual/model.onnx"
_TEXTUAL_WORDS = "textual/tokenizer.json"
_APACHE = "Apache-2.0"
_GEMMA = "Apache-2.0; its tokenizer is Gemma's, which has terms of its own"


@dataclass(frozen=True, slots=True)
class Known:
    """A model that needs only a name: its repository at the Hugging Face hub, and what it is."""

    repo: str
    """With both networks as ONNX files."""
    what: str
    """Its makers' name for it."""
    licence: str
    languages: tuple[str, ...]
    """ISO 639 codes."""
    download: int
    """Bytes of the files to download, about."""
    revision: str = ""
    """A commit; the newest if it is empty."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 that files must have, by their path in the repository."""
    coco: float | None = None
    """Published recall@1 on COCO, in [0, 1]."""
    flickr30k: float | None = None
    """Published recall@1 on Flickr30k, in [0, 1]."""
    origin: str = ""
    """The repository of its makers' own weights, which reference numbers are computed with."""


KNOWN: Mapping[str, Known] = MappingProxyType(
    {
        "siglip2-b16": Known(
            repo="onnx-community/siglip2-base-patch16-256-ONNX",
            what="SigLIP 2 B/16, 256 pixels",
            licence=_GEMMA,
            languages=(MANY,),
            download=1_535_829_000,
            revision="d1114256522a37ffa257a0a58017348ab0058db2",
            pins={
                _VISION: "f5cb16728a704703f05516ded628397e11dbca4de2eb5db04b0c0bcee988aa7a",
                _TEXT: "d3de4a6bbbfcb429b6615ac496790353cf4a4fc0f19fbbe7179e523ae60daaef",
                _WORDS: "cb9140fae3ac5122c972d37adf83e1248471a38147ad76f8215c8872c6fd8322",
            },
            coco=0.532,
            origin="google/siglip2-base-patch16-256",
        ),
        "siglip2-b32": Known(
            repo="immich-app/ViT-B-32-SigLIP2-256__webli",
            what="SigLIP 2 B/32, 256 pixels",
            licence=_GEMMA,
            languages=(MANY,),
            download=1_542_160_000,
            revision="762c736d366fc253e9453021144f9fe71789b075",
            pins={
                _VISUAL: "e96b8a3d32ab1b683aa12c45312342b4a10d4befef5f195f5cf84eadf1938696",
                _TEXTUAL: "ba6e09d2dbb3d7ac0f9e2935676db92dceebddfd06c1462b67019caa90eeea20",
                _TEXTUAL_WORDS: "220c63d496e0c14e63eb656c91e0215e926202e4c74b1f089e09f1920d779b04",
            },
            coco=0.472,
            origin="google/siglip2-base-patch32-256",
        ),
        "siglip2-so400m": Known(
            repo="onnx-community/siglip2-so400m-patch14-384-ONNX",
            what="SigLIP 2 So400m/14, 384 pixels",
            licence=_GEMMA,
            languages=(MANY,),
            download=2_270_000_000,
            coco=0.558,
            origin="google/siglip2-so400m-patch14-384",
        ),
        "siglip-b16": Known(
            repo="Xenova/siglip-base-patch16-224",
            what="SigLIP B/16, 224 pixels",
            licence=_APACHE,
            languages=("en",),
            download=815_551_000,
            revision="4649052661e53c7000355844105f8a1792088239",
            pins={
                _VISION: "f89d41bac7f4d4b87e010a467d93f98689d708916ed22f5a07f96fdfa26f475f",
                _TEXT: "3aa7fdbd20eaa8740cce17bf82913de641fcb632a768fed59f661cdcd0c32553",
                _WORDS: "4a17c975210be5ab4c36b47d8dae4eefb866dbfb1e676e394aad85dc30a3ae08",
            },
            coco=0.478,
            flickr30k=0.747,
            origin="google/siglip-base-patch16-224",
        ),
        "clip-b32": Known(
            repo="Xenova/clip-vit-base-patch32",
            what="CLIP B/32, 224 pixels",
            licence="MIT",
            languages=("en",),
            download=607_968_000,
            revision="d15189d7028b43f1d3e65039190477f6af591c2a",
            pins={
                _VISION: "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40",
                _TEXT: "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc",
                _WORDS: "f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd",
            },
            flickr30k=0.588,
            origin="openai/clip-vit-base-patch32",
        ),
    }
)
"""The best choice for most first."""
RECOMMENDED = "siglip2-b16"
