"""The word pieces of other people's text models, as one ``tokenizer.json`` that the runtime reads.

Some models come with that file, older ones with word lists in formats of their own, which
transformers reads. What is made of them is compared with what they were made from.
"""

import json
import logging
import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.sources import Source

LONGEST = 256
"""Pieces of a text at most, whatever a model could take: people ask with a few words."""

_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model",
                 "sentencepiece.bpe.model", "tokenizer.model")  # fmt: skip
_SIGLIP = "spiece.model"
_SAMPLES = (
    "man on bicycle",
    "A black dog is running after a white dog in the snow .",
    "RED Balloon, don't look down!",
    "une tasse de café",
    "a very small kitten - asleep",
    "  two   spaces\tand a tab ",
    "antidisestablishmentarianism 1234567890",
    "東京 🎉",
    "the quick brown fox " * 100,
)
"""What both readings of a vocabulary must agree on: case, accents, signs, other scripts, length."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a model splits texts."""

    tokenizer: str
    """A ``tokenizer.json``, which neither cuts nor pads."""
    most: int
    """Longer texts are cut."""
    pad: int
    """The id that fills what is shorter than others."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's ids, at most ``most`` of them."""
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.enable_truncation(self.most)
        return [list(one.ids) for one in tokenizer.encode_batch(list(texts))]


def read_pieces(source: Source, config: Any, positions: int | None) -> Pieces:
    """Reads a model's vocabulary.

    Args:
        source: Where the model lies.
        config: Its configuration, as transformers has it.
        positions: Pieces that the network can tell apart by their place, where it says.

    Raises:
        SourceUnusable: There is no vocabulary, it cannot be read, or not be rewritten without loss.
    """
    found = [name for name in _VOCABULARIES if (source.folder / name).is_file()]
    if not found:
        raise SourceUnusable(
            f"{source.named} has no vocabulary: put its tokenizer.json into {source.folder}"
        )
    told = read_json(source.folder / "tokenizer_config.json")
    if told.get("padding_side", "right") != "right":
        raise SourceUnusable(
            f"{source.named} fills short texts up on the {told['padding_side']}, which pixquery "
            "does not know: choose another text model"
        )
    if config.model_type == "siglip" and _SIGLIP in found:
        pieces = _of_siglip(source, told, positions)
    else:
        pieces = _rewritten(source, config, positions)
    rows = getattr(config.get_text_config(), "vocab_size", None)
    known = Tokenizer.from_str(pieces.tokenizer).get_vocab_size()
    if rows is not None and known > rows:
        raise SourceUnusable(
            f"the vocabulary of {source.named} has {known} pieces, and the network knows {rows}: "
            "get both again from one place"
        )
    return pieces


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own progress and reports: what matters is told as an error."""
    from transformers.utils import logging as transformers_logging

    told: Any = transformers_logging
    level, bar = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.CRITICAL)
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bar:
            told.enable_progress_bar()


def _rewritten(source: Source, config: Any, positions: int | None) -> Pieces:
    """What transformers reads, as one file, and compared on some texts."""
    read_json(source.folder / "tokenizer.json")  # its own reader says nothing of use
    original = _original(source, config)
    backend = Tokenizer.from_str(original.backend_tokenizer.to_str())
    samples = list(_SAMPLES)
    sentences = read_json(source.folder / "sentence_bert_config.json")
    if sentences.get("do_lower_case") or config.model_type == "siglip":  # SigLIP 2, with Gemma's
        given = [backend.normalizer] if backend.normalizer else []
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *given])
        samples = [text.lower() for text in samples]
    pieces = _plain(
        backend,
        _most(source, positions, original.model_max_length),
        original.pad_token_id if original.pad_token_id is not None else 0,
    )
    wanted = original(samples, truncation=True, max_length=pieces.most)["input_ids"]
    for text, one, other in zip(_SAMPLES, pieces.ids(_SAMPLES), wanted, strict=True):
        if one != other:
            raise SourceUnusable(
                f"the vocabulary of {source.named} splits {text[:60]!r} otherwise once it is "
                "written as tokenizer.json: choose another text model"
            )
    return pieces


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file of named values; an absent one has none.

    Raises:
        SourceUnusable: It is no JSON.
    """
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceUnusable(f"the file {file} is no JSON ({error}): get it again") from error
    if not isinstance(found, dict):
        raise SourceUnusable(f"the file {file} holds no named values: get it again")
    return found


def _original(source: Source, config: Any) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    place = str(source.folder)
    try:
        with quiet():
            if config.model_type == "siglip":
                found: Any = PreTrainedTokenizerFast.from_pretrained(place, local_files_only=True)
            else:
                found = AutoTokenizer.from_pretrained(
                    place, config=config, local_files_only=True, trust_remote_code=False
                )
    except ImportError as error:
        raise SourceUnusable(
            f"the vocabulary of {source.named} needs a package that is not installed "
            f"({_first_line(error)}): install it, or put a tokenizer.json into {source.folder}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnusable(
            f"the vocabulary of {source.named} cannot be read ({_first_line(error)}): get it "
            "again, or choose another text model"
        ) from error
    if not hasattr(found, "backend_tokenizer"):
        raise SourceUnusable(
            f"{source.named} splits texts by code of its own, not by a tokenizer.json: choose "
            "another text model"
        )
    return found


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _most(source: Source, positions: int | None, told: int) -> int:
    sentences = read_json(source.folder / "sentence_bert_config.json").get("max_seq_length")
    return min(LONGEST, told, positions or LONGEST, sentences or LONGEST)


def _plain(tokenizer: Tokenizer, most: int, pad: int) -> Pieces:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Pieces(tokenizer.to_str(), most, pad)


def _of_siglip(source: Source, told: dict[str, Any], positions: int | None) -> Pieces:
    """SigLIP's vocabulary, which else only the library sentencepiece reads.

    Lower case and without signs (Zhai et al. 2023, arXiv:2303.15343, as big_vision has it), then
    the pieces of the likeliest split, then the end.
    """
    from google.protobuf.message import DecodeError
    from transformers import convert_slow_tokenizer

    file = source.folder / _SIGLIP
    formats: Any = convert_slow_tokenizer
    stored = formats.import_protobuf().ModelProto()
    try:
        stored.ParseFromString(file.read_bytes())
    except (OSError, DecodeError) as error:
        raise SourceUnusable(
            f"the vocabulary {file} cannot be read ({error}): get it again"
        ) from error
    vocabulary = [(piece.piece, piece.score) for piece in stored.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=stored.trainer_spec.unk_id))
    charsmap = stored.normalizer_spec.precompiled_charsmap
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("▁", " "),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[" + "".join(map(_escaped, string.punctuation)) + "]"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(left=False, right=True),
            normalizers.Prepend("▁"),
            *([normalizers.Precompiled(charsmap)] if charsmap else []),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="never")
    end = "</s>"
    place = tokenizer.token_to_id(end)
    if place is None:
        raise SourceUnusable(f"the vocabulary {file} has no piece {end}: get it again")
    tokenizer.add_special_tokens([AddedToken(end, lstrip=True, rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(f"$A {end}", None, [(end, place)])
    pad = told.get("pad_token", end)
    pad = pad["content"] if isinstance(pad, dict) else pad
    filling = tokenizer.token_to_id(pad)
    most = min(int(told.get("model_max_length", 64)), positions or LONGEST)
    return _plain(tokenizer, most, place if filling is None else filling)


def _escaped(sign: str) -> str:
    return f"\\{sign}"
