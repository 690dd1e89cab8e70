"""Small vocabularies built as CLIP's, SigLIP's and Gemma's are."""

import json
import re
import string
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SIGLIP_PIECES = Path(__file__).parent / "samples" / "siglip-pieces.model"
TEXTS = (
    "A black dog is running after a white dog in the snow .",
    "Two girls play on a skateboard in a courtyard .",
    "a red hot air balloon over the mountains",
    "man on bicycle, don't look down!",
    "The company was founded in 2016, and we're all here.",
    "a photo of a cat sleeping on a wooden table next to a cup of coffee",
    "A small child in a yellow shirt is sitting on the beach, by the sea",
    "three people ride horses through a field of green grass at sunset",
    "an old woman reads a newspaper in front of a shop window",
    "a boat on a lake; trees and a house are reflected in the water",
    "café, naïve, Ærøskøbing, São Paulo, ŁÓDŹ, façade, Größe",
    "une tasse de café sur une table en bois",
    "кошка спит на столе; две собаки бегут по снегу",
    "東京の夜、雪の山、赤い風船",
    "black and white stripes — “quotes” … and 1,234 dots",
)
_COLOURS = ("black", "white", "red", "green", "blue", "yellow", "brown", "grey", "orange", "pink")
_THINGS = ("dog", "cat", "girl", "boy", "man", "woman", "child", "horse", "car", "bicycle",
           "balloon", "boat", "house", "tree", "flower")  # fmt: skip
_DEEDS = ("running", "sitting", "standing", "playing", "jumping", "sleeping", "swimming", "waiting")
_PLACES = ("in the snow", "on the beach", "over the mountains", "in front of a shop",
           "on the grass", "near the water", "at night", "in the street")  # fmt: skip
CORPUS = [
    *TEXTS,
    *(
        f"{'AaA'[place % 3]} {colour} {thing} is {_DEEDS[place % 8]} {_PLACES[place // 3 % 8]} ."
        for place, (colour, thing) in enumerate(product(_COLOURS, _THINGS))
    ),
]
"""What vocabularies are trained on: emoji and other scripts become bytes or unknown pieces."""
SENTENCES = (
    "a",
    "dog",
    "A RED Balloon!",
    "man on bicycle",
    "the dog's photo, of snow -- don't move.",
    "two   spaces\tand a tab ",
    "une tasse de café à São Paulo",
    "кошка в снегу",
    "東京の夜 🎉",
    "№ 7: fine & 1,234 … (dots)",
    "a photo of " + "antidisestablishmentarianism" * 2,
    "a black dog runs after a white dog in the snow " * 30,
)
"""What models are compared on: from nearly nothing to far too much, in several scripts."""
START, END = "<|startoftext|>", "<|endoftext|>"
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""Of openai/CLIP's ``simple_tokenizer.py``."""


def clip(pieces: int = 700) -> Tokenizer:
    """As ``openai/clip-vit-base-patch32`` has it: bytes as letters, words that end in ``</w>``."""
    tokenizer = Tokenizer(
        models.BPE(
            unk_token=END, continuing_subword_prefix="", end_of_word_suffix="</w>", fuse_unk=False
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trained = Tokenizer.from_str(tokenizer.to_str())
    trained.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=pieces, initial_alphabet=letters, end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )  # fmt: skip
    merges = _merges(trained)
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary += dict.fromkeys(first + second for first, second in merges)
    vocabulary += [START, END]
    tokenizer.model = models.BPE(
        {piece: row for row, piece in enumerate(vocabulary)}, merges, unk_token=END,
        continuing_subword_prefix="", end_of_word_suffix="</w>", fuse_unk=False,
    )  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(
        (END, len(vocabulary) - 1), (START, len(vocabulary) - 2), False, False
    )
    tokenizer.add_special_tokens(
        [AddedToken(START, normalized=True), AddedToken(END, normalized=False)]
    )
    return tokenizer


def gemma_marks() -> list[str]:
    """The pieces that come first in Gemma's vocabulary: marks, unused ones, and bytes."""
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]"]
    marks += [f"<unused{number}>" for number in range(100)]
    marks += ["<start_of_turn>", "<end_of_turn>"]
    return marks + [f"<0x{byte:02X}>" for byte in range(256)]


def gemma(pieces: Sequence[str], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """As ``google/siglip2-base-patch16-256`` has it: it makes no text lower case."""
    marks = gemma_marks()
    vocabulary = {piece: row for row, piece in enumerate([*marks, *pieces])}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, list(merges), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing(
        "$A <eos>", "$A <eos> $B:1 <eos>:1", [("<eos>", vocabulary["<eos>"])]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    added = [mark for mark in marks if not mark.startswith("<0x")]
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in added])
    return tokenizer


def small_gemma(pieces: int = 900) -> Tokenizer:
    """Gemma's with the pieces of a few sentences; other letters become bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    # Trained on both cases, so that forgotten lower-casing gives other pieces, not just bytes.
    trained.train_from_iterator(
        [*CORPUS, *(text.lower() for text in CORPUS), *(text.upper() for text in CORPUS[::9])],
        trainers.BpeTrainer(
            vocab_size=pieces, initial_alphabet=[*string.printable[:94]], show_progress=False
        ),
    )
    stored = json.loads(trained.to_str())["model"]
    return gemma(sorted(stored["vocab"], key=stored["vocab"].get), _merges(trained))


def siglip(pieces: Path = SIGLIP_PIECES) -> Tokenizer:
    """As ``Xenova/siglip-base-patch16-224`` has it: sentencepiece's file, converted as T5's are.

    It neither makes texts lower case nor removes punctuation, which SigLIP's makers do before.
    """
    from transformers.convert_slow_tokenizer import import_protobuf

    stored = import_protobuf().ModelProto()  # type: ignore[no-untyped-call]
    stored.ParseFromString(pieces.read_bytes())
    vocabulary = [(piece.piece, piece.score) for piece in stored.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=stored.trainer_spec.unk_id))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(stored.normalizer_spec.precompiled_charsmap),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    end = "</s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        f"$A {end}", f"$A {end} $B {end}", [(end, tokenizer.token_to_id(end))]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(
        [AddedToken(mark, lstrip=True, rstrip=True, normalized=True) for mark in (end, "<unk>")]
    )
    return tokenizer


def siglip_text(text: str) -> str:
    """A text as SigLIP's makers split it: big_vision's ``canonicalize_text``."""
    plain = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", plain).strip()


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    stored = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(first, second) for first, second in stored]
