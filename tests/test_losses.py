"""The loss against its formula."""

import numpy as np
import pytest

from pixquery.trainer.learning.losses import Spread, info_nce

pytestmark = pytest.mark.usefixtures("one_thread")


def test_likeness_spreads_the_target() -> None:
    """Spreading the target lowers the loss of a text that also suits the second photo."""
    import torch

    images, texts = torch.eye(3), torch.tensor([[0.7, 0.7, 0.1]])
    likeness = torch.tensor([[0.0, 1.0, 0.0]])
    hard, soft = (
        float(
            info_nce(
                images, texts, torch.tensor(1.0), torch.arange(3),
                Spread(likeness, weight, 0.1),
            )
        )
        for weight in (0.0, 1.0)
    )  # fmt: skip
    logits = np.e * np.array([0.7, 0.7, 0.1])
    log_softmax = logits - np.log(np.exp(logits).sum())
    # The way back, from the one photo to the one text, costs nothing in either case.
    assert hard == pytest.approx(-log_softmax[0] / 2, abs=1e-5)
    assert soft == pytest.approx(-(log_softmax[0] + log_softmax[1]) / 4, abs=1e-3)
