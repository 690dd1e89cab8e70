"""The word pieces of other people's text models, as one ``tokenizer.json`` that the runtime reads.

Some models come with that file, older ones with word lists in their own formats, which transformers
reads. The result is compared with the original on some texts.
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
"""The most pieces of a text, whatever a model supports: queries are short."""

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
"""Texts that both readings of a vocabulary must split alike: case, accents, scripts, length."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a model splits texts."""

    tokenizer: str
    """A ``tokenizer.json`` that neither truncates nor pads."""
    most: int
    """Longer texts are truncated to so many pieces."""
    pad: int
    """The id for padding."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's ids, at most ``most`` of them."""
        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.enable_truncation(self.most)
        return [list(one.ids) for one in tokenizer.encode_batch(list(texts))]


def read_pieces(source: Source, config: Any, positions: int | None) -> Pieces:
    """Reads a model's vocabulary.

    Args:
        source: The model.
        config: Its configuration, as transformers reads it.
        positions: How many positions the network has, if it says so.

    Raises:
        SourceUnusable: There is no vocabulary, or it cannot be read or rewritten without loss.
    """
    present = [name for name in _VOCABULARIES if (source.folder / name).is_file()]
    if not present:
        raise SourceUnusable(
            f"{source.named} has no vocabulary: put its tokenizer.json into {source.folder}"
        )
    entries = read_json(source.folder / "tokenizer_config.json")
    if entries.get("padding_side", "right") != "right":
        raise SourceUnusable(
            f"{source.named} pads texts on the {entries['padding_side']}, which pixquery "
            "does not support: choose another text model"
        )
    if config.model_type == "siglip" and _SIGLIP in present:
        pieces = _of_siglip(source, entries, positions)
    else:
        pieces = _rewritten(source, config, positions)
    rows = getattr(config.get_text_config(), "vocab_size", None)
    known = Tokenizer.from_str(pieces.tokenizer).get_vocab_size()
    if rows is not None and known > rows:
        raise SourceUnusable(
            f"the vocabulary of {source.named} has {known} pieces, and the network knows {rows}: "
            "download both again from the same source"
        )
    return pieces


@contextmanager
def quiet() -> Iterator[None]:
    """Turns off transformers' progress bars and reports: what matters is raised as an error."""
    from transformers.utils import logging as transformers_logging

    settings: Any = transformers_logging
    level, bar = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity(logging.CRITICAL)
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(level)
        if bar:
            settings.enable_progress_bar()


def _rewritten(source: Source, config: Any, positions: int | None) -> Pieces:
    """The vocabulary that transformers reads, as one file; compared with it on some texts."""
    read_json(source.folder / "tokenizer.json")  # raises a clearer error than transformers
    original = _original(source, config)
    backend = Tokenizer.from_str(original.backend_tokenizer.to_str())
    samples = list(_SAMPLES)
    sentences = read_json(source.folder / "sentence_bert_config.json")
    if sentences.get("do_lower_case") or config.model_type == "siglip":  # SigLIP 2, with Gemma's
        original_steps = [backend.normalizer] if backend.normalizer else []
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *original_steps])
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
                f"the vocabulary of {source.named} splits {text[:60]!r} differently after "
                "conversion to tokenizer.json: choose another text model"
            )
    return pieces


def read_json(file: Path) -> dict[str, Any]:
    """Reads a JSON object from a file; a missing file gives an empty one.

    Raises:
        SourceUnusable: It is no JSON object.
    """
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceUnusable(f"the file {file} is no JSON ({error}): download it again") from error
    if not isinstance(content, dict):
        raise SourceUnusable(f"the file {file} is no JSON object: download it again")
    return content


def _original(source: Source, config: Any) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = str(source.folder)
    try:
        with quiet():
            if config.model_type == "siglip":
                tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(
                    folder, local_files_only=True
                )
            else:
                tokenizer = AutoTokenizer.from_pretrained(
                    folder, config=config, local_files_only=True, trust_remote_code=False
                )
    except ImportError as error:
        raise SourceUnusable(
            f"the vocabulary of {source.named} needs a package that is not installed "
            f"({_first_line(error)}): install it, or put a tokenizer.json into {source.folder}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnusable(
            f"the vocabulary of {source.named} cannot be read ({_first_line(error)}): download "
            "it again, or choose another text model"
        ) from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise SourceUnusable(
            f"{source.named} splits texts with its own code, not with a tokenizer.json: choose "
            "another text model"
        )
    return tokenizer


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _most(source: Source, positions: int | None, longest: int) -> int:
    sentences = read_json(source.folder / "sentence_bert_config.json").get("max_seq_length")
    return min(LONGEST, longest, positions or LONGEST, sentences or LONGEST)


def _plain(tokenizer: Tokenizer, most: int, pad: int) -> Pieces:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Pieces(tokenizer.to_str(), most, pad)


def _of_siglip(source: Source, entries: dict[str, Any], positions: int | None) -> Pieces:
    """SigLIP's vocabulary, which otherwise only the library sentencepiece reads.

    Texts become lower case without punctuation (Zhai et al. 2023, arXiv:2303.15343, as in
    big_vision), then the pieces of the likeliest split, then the end piece.
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
            f"the vocabulary {file} cannot be read ({error}): download it again"
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
    end_id = tokenizer.token_to_id(end)
    if end_id is None:
        raise SourceUnusable(f"the vocabulary {file} has no piece {end}: download it again")
    tokenizer.add_special_tokens([AddedToken(end, lstrip=True, rstrip=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(f"$A {end}", None, [(end, end_id)])
    pad = entries.get("pad_token", end)
    pad = pad["content"] if isinstance(pad, dict) else pad
    filling = tokenizer.token_to_id(pad)
    most = min(int(entries.get("model_max_length", 64)), positions or LONGEST)
    return _plain(tokenizer, most, end_id if filling is None else filling)


def _escaped(sign: str) -> str:
    return f"\\{sign}"
