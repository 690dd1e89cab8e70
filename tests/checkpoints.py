"""Small models of each kind with random weights, saved in their makers' formats."""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SIDE = 32
"""Side of the small networks' photos, in pixels."""
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789!?.,'",
         "man", "on", "bicycle", "dog", "snow", "red", "balloon", "photo", "of", "the",
         *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789")]  # fmt: skip
SIGLIP_PIECES = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), ("▁", -3.0, 1),
                 ("▁red", -2.0, 1), ("▁balloon", -2.5, 1), ("▁a", -1.5, 1), ("bal", -4.0, 1),
                 ("loon", -4.5, 1), ("s", -2.2, 1), *((letter, -6.0, 1) for letter in
                 "abcdefghijklmnopqrtuvwxyz0123456789")]  # fmt: skip
SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 24}  # fmt: skip
VISION: dict[str, Any] = {**SIZES, "image_size": SIDE, "patch_size": 16}


def write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content), "utf-8")


def shaken(model: Any) -> Any:
    """The model with random weights: in freshly initialized networks, mistakes can go unnoticed."""
    generator = torch.Generator().manual_seed(1)
    state = model.state_dict()
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.ndim < 2:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
        else:
            spread = max(1, tensor[0].numel()) ** -0.5
            tensor.copy_(spread * torch.randn(tensor.shape, generator=generator))
    return model.eval()


def write_preparation(folder: Path, **told: Any) -> None:
    usual = {"size": {"height": SIDE, "width": SIDE}, "resample": 3, "image_mean": [0.5, 0.4, 0.3],
             "image_std": [0.2, 0.25, 0.3]}  # fmt: skip
    write_json(folder / "preprocessor_config.json", {**usual, **told})


def write_words(folder: Path) -> None:
    """BERT's vocabulary in its first form: a list, and no tokenizer.json."""
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {"do_lower_case": True, "model_max_length": 40, "tokenizer_class": "BertTokenizer"},
    )


# -- ResNets ----------------------------------------------------------------------------------


def resnet(folder: Path, *, layer_type: str = "basic", width: int = 8) -> Any:
    """Writes and returns transformers' ResNet, as a classifier with three classes."""
    from transformers import ResNetConfig, ResNetForImageClassification

    grows = 4 if layer_type == "bottleneck" else 1
    config = ResNetConfig(
        embedding_size=width, hidden_sizes=[grows * width * 2**stage for stage in range(4)],
        depths=[2, 2, 2, 2], layer_type=layer_type,
        id2label={0: "cat", 1: "dog", 2: "balloon"}, label2id={"cat": 0, "dog": 1, "balloon": 2},
    )  # fmt: skip
    model = shaken(ResNetForImageClassification(config))
    model.save_pretrained(folder)
    write_preparation(folder)
    return model


def in_torchvision_words(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of transformers' ResNet by the names that torchvision gives them."""
    found = OrderedDict()
    for name, tensor in state.items():
        parts = name.removeprefix("resnet.").split(".")
        kind = "bn" if parts[-2] == "normalization" else "conv"
        if parts[0] == "embedder":
            new = f"{kind}1"
        elif parts[0] == "classifier":
            new = "fc"
        else:
            stage, block = int(parts[2]) + 1, parts[4]
            new = f"layer{stage}.{block}."
            if parts[5] == "shortcut":
                new += f"downsample.{'01'[kind == 'bn']}"
            else:
                new += f"{kind}{int(parts[6]) + 1}"
        found[f"{new}.{parts[-1]}"] = tensor
    return found


class PlainResNet18(nn.Module):
    """ResNet-18, layer by layer from the paper (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for stage in (1, 2, 3, 4):
            wide = width * 2 ** (stage - 1)
            narrow = wide if stage == 1 else wide // 2
            first = nn.ModuleDict(
                {
                    "conv1": nn.Conv2d(narrow, wide, 3, 1 if stage == 1 else 2, 1, bias=False),
                    "bn1": nn.BatchNorm2d(wide),
                    "conv2": nn.Conv2d(wide, wide, 3, 1, 1, bias=False),
                    "bn2": nn.BatchNorm2d(wide),
                }
            )
            if stage > 1:
                first["downsample"] = nn.Sequential(
                    nn.Conv2d(narrow, wide, 1, 2, bias=False), nn.BatchNorm2d(wide)
                )
            second = nn.ModuleDict(
                {
                    "conv1": nn.Conv2d(wide, wide, 3, 1, 1, bias=False),
                    "bn1": nn.BatchNorm2d(wide),
                    "conv2": nn.Conv2d(wide, wide, 3, 1, 1, bias=False),
                    "bn2": nn.BatchNorm2d(wide),
                }
            )
            self.add_module(f"layer{stage}", nn.ModuleList([first, second]))
        self.fc = nn.Linear(8 * width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for stage in (1, 2, 3, 4):
            for block in getattr(self, f"layer{stage}"):
                y = torch.relu(block["bn1"](block["conv1"](x)))
                y = block["bn2"](block["conv2"](y))
                x = torch.relu(y + (block["downsample"](x) if "downsample" in block else x))
        return x.mean((2, 3))


# -- texts ------------------------------------------------------------------------------------


def distilbert(folder: Path) -> Any:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    config = DistilBertConfig(vocab_size=len(WORDS), dim=16, n_layers=2, n_heads=2, hidden_dim=24)
    model = shaken(DistilBertForMaskedLM(config))
    model.save_pretrained(folder)
    write_words(folder)
    return model.distilbert


def sentences(folder: Path, way: str, *, unit: bool, old: bool = False) -> Any:
    """A folder of sentence-transformers with BERT."""
    from transformers import BertConfig, BertModel

    model = shaken(BertModel(BertConfig(vocab_size=len(WORDS), **SIZES)))
    model.save_pretrained(folder)
    write_words(folder)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if unit else [])]
    write_json(
        folder / "modules.json",
        [
            {"idx": place, "name": str(place), "path": f"{place}_{kind}" if place else "",
             "type": f"sentence_transformers.models.{kind}"}
            for place, kind in enumerate(kinds)
        ],
    )  # fmt: skip
    (folder / "1_Pooling").mkdir()
    names = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens",
             "max": "pooling_mode_max_tokens"}  # fmt: skip
    told = {name: kind == way for kind, name in names.items()} if old else {"pooling_mode": way}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **told})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
    return model


# -- both -------------------------------------------------------------------------------------


def clip(folder: Path, *, ends: int | None = None) -> Any:
    """CLIP with its byte pairs; ``ends`` is 2 in the first published configurations."""
    from transformers import CLIPConfig, CLIPModel
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())  # type: ignore[no-untyped-call]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "ma", "man</w>", "re",
                  "red</w>", "<|startoftext|>", "<|endoftext|>"]  # fmt: skip
    rows = len(vocabulary)
    config = CLIPConfig(
        text_config={
            **SIZES, "vocab_size": rows, "max_position_embeddings": 20, "bos_token_id": rows - 2,
            "eos_token_id": rows - 1 if ends is None else ends, "pad_token_id": rows - 1,
        },
        vision_config=VISION, projection_dim=12,
    )  # fmt: skip
    model = shaken(CLIPModel(config))
    model.save_pretrained(folder)
    write_preparation(folder, size={"shortest_edge": SIDE}, crop_size=SIDE, do_center_crop=True)
    write_json(folder / "vocab.json", {piece: row for row, piece in enumerate(vocabulary)})
    (folder / "merges.txt").write_text("#version: 0.2\nm a\nma n</w>\nr e\nre d</w>\n", "utf-8")
    write_json(folder / "tokenizer_config.json", {"model_max_length": 20})
    return model


def siglip(folder: Path) -> Any:
    """SigLIP with a sentencepiece vocabulary whose splits a person can work out."""
    from transformers import SiglipConfig, SiglipModel
    from transformers.convert_slow_tokenizer import import_protobuf

    rows = len(SIGLIP_PIECES)
    config = SiglipConfig(
        text_config={
            **SIZES, "vocab_size": rows, "max_position_embeddings": 12, "projection_size": 16,
            "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1,
        },
        vision_config=VISION,
    )  # fmt: skip
    model = shaken(SiglipModel(config))
    model.save_pretrained(folder)
    write_preparation(folder)
    stored = import_protobuf().ModelProto()  # type: ignore[no-untyped-call]
    for piece, score, kind in SIGLIP_PIECES:
        stored.pieces.add(piece=piece, score=score, type=kind)
    stored.trainer_spec.model_type, stored.trainer_spec.unk_id = 1, 2
    stored.normalizer_spec.remove_extra_whitespaces = True
    (folder / "spiece.model").write_bytes(stored.SerializeToString())
    write_json(
        folder / "tokenizer_config.json",
        {"model_max_length": 12, "pad_token": "</s>", "tokenizer_class": "SiglipTokenizer"},
    )
    return model
