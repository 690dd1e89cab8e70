"""Photos that models are compared on."""

from functools import cache

import numpy as np
from PIL import Image


@cache
def pictures() -> tuple[Image.Image, ...]:
    """Five photos of several sizes and shapes, from smooth to noisy, all in RGB."""
    draw = np.random.default_rng(3)
    smooth = np.zeros((90, 120, 3), np.uint8)
    smooth[..., 0] = np.linspace(0, 255, 120)
    smooth[..., 1] = np.linspace(255, 0, 90)[:, None]
    blocks = draw.integers(0, 256, (6, 4, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    stripes = np.full((64, 200, 3), 30, np.uint8)
    stripes[:, ::9] = (250, 210, 40)
    noise = draw.integers(0, 256, (37, 53, 3), np.uint8)
    ramp = np.clip(np.add.outer(np.arange(150), np.arange(70)) + draw.normal(0, 20, (150, 70)),
                   0, 255)  # fmt: skip
    tinted = (ramp[..., None] * (1.0, 0.7, 0.3)).astype(np.uint8)
    return tuple(map(Image.fromarray, (smooth, blocks, stripes, noise, tinted)))
