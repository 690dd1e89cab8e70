"""Makes ``tests/samples/siglip-pieces.model``, a small vocabulary with SigLIP's settings.

It needs the package sentencepiece, which pixquery never installs::

    pip install sentencepiece
    python -m tests.proofs.make_siglip_pieces

It also writes ``siglip-pieces.json``: how transformers' SiglipTokenizer, which runs sentencepiece
itself, splits the sentences of ``tests/ready_words.py``.
"""

import json
import tempfile
from pathlib import Path

from tests.ready_words import CORPUS, SENTENCES

SAMPLES = Path(__file__).parent.parent / "samples"
PIECES = 420
_CHANGES = {
    "ﬁ": "fi",
    "…": "...",
    "\uff21": "A",
    "\uff41": "a",
    "\uff12": "2",
    "\u3000": " ",
    "\t": " ",
    "\n": " ",
}
"""A few changes of those that sentencepiece's own ``nmt_nfkc`` makes, whose table has 240 KB."""
_MORE = ("ﬁne “quotes” …", "\uff21\uff12\u3000dog")
"""Texts that it changes."""


def main() -> None:
    """Trains the vocabulary and writes both files."""
    import sentencepiece  # type: ignore[import-not-found]
    from transformers import SiglipTokenizer
    from transformers.convert_slow_tokenizer import import_protobuf

    model = SAMPLES / "siglip-pieces.model"
    with tempfile.TemporaryDirectory() as place:
        rules = Path(place) / "rules.tsv"
        lines = [f"{ord(old):X}\t{' '.join(f'{ord(letter):X}' for letter in new)}"
                 for old, new in _CHANGES.items()]  # fmt: skip
        rules.write_text("\n".join(lines) + "\n", "utf-8")
        texts = Path(place) / "texts.txt"
        # In both cases, so that forgotten lower-casing gives other pieces, not just unknown ones.
        lines = [*CORPUS, *(text.lower() for text in CORPUS)] * 4
        texts.write_text("\n".join(lines), "utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(texts), model_prefix=str(Path(place) / "made"), vocab_size=PIECES,
            model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>",
            normalization_rule_tsv=str(rules), character_coverage=0.995, num_threads=1,
            hard_vocab_limit=False, shrinking_factor=0.95,
        )  # fmt: skip
        stored = import_protobuf().ModelProto()  # type: ignore[no-untyped-call]
        stored.ParseFromString((Path(place) / "made.model").read_bytes())
    del stored.trainer_spec.input[:]  # where the texts were
    stored.trainer_spec.ClearField("model_prefix")
    stored.normalizer_spec.ClearField("normalization_rule_tsv")
    model.write_bytes(stored.SerializeToString(deterministic=True))
    tokenizer = SiglipTokenizer(str(model))
    pieces = {text: tokenizer(text)["input_ids"] for text in [*SENTENCES, *_MORE]}
    written = json.dumps(pieces, ensure_ascii=False, indent=1)
    (SAMPLES / "siglip-pieces.json").write_text(written + "\n", "utf-8")


if __name__ == "__main__":
    main()
