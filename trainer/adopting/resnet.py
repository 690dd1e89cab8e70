"""ResNets (He et al. 2015, arXiv:1512.03385) with weights named as in torchvision and timm.

Neither package is needed: the weights show how deep and how wide a network is.
"""

from collections.abc import Mapping
from itertools import count

from torch import Tensor, nn
from torch.nn.functional import relu

from pixquery.db.errors import SourceUnusable

_DEPTHS: dict[tuple[int, ...], int] = {
    (2, 2, 2, 2, 2): 18,
    (2, 3, 4, 6, 3): 34,
    (3, 3, 4, 6, 3): 50,
    (3, 3, 4, 23, 3): 101,
    (3, 3, 8, 36, 3): 152,
}
"""Convolutions in a block, and blocks in each of the four stages -> layers."""


def is_resnet(state: Mapping[str, Tensor]) -> bool:
    """Whether the weights have the names of torchvision's ResNets."""
    return {"conv1.weight", "bn1.running_mean", "layer4.0.conv2.weight"} <= state.keys()


class ResNet(nn.Module):
    """float32[n, 3, h, w] -> float32[n, d]: the mean of the last feature map over all positions."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """Builds the network that the weights belong to.

        Args:
            state: Weights by torchvision's names; those of the last layer, ``fc``, are ignored.

        Raises:
            SourceUnusable: They are not those of a plain ResNet; the message says what is wrong.
        """
        super().__init__()
        weights = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
        deep = "layer1.0.conv3.weight" in weights
        blocks = [_blocks(weights, stage) for stage in (1, 2, 3, 4)]
        depth = _DEPTHS.get((3 if deep else 2, *blocks))
        self.name = f"ResNet-{depth}" if depth else f"ResNet of {sum(blocks)} blocks"
        width = weights["conv1.weight"].shape[0]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        block = _Bottleneck if deep else _Basic
        before = width
        for stage, number in enumerate(blocks):
            inside, stride = width << stage, 1 if stage == 0 else 2
            after = inside * block.grows
            layers = [block(before, inside, stride)]
            layers += [block(after, inside, 1) for _ in range(number - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
            before = after
        self._fill(weights)
        self.eval()

    def _fill(self, weights: Mapping[str, Tensor]) -> None:
        own = self.state_dict()
        counters = {name for name in own if name.endswith("num_batches_tracked")}
        for name in sorted(own.keys() - weights.keys() - counters):
            raise SourceUnusable(f"lacks the weights {name} of a {self.name}")
        for name in sorted(weights.keys() - own.keys()):
            raise SourceUnusable(f"has the weights {name}, which a {self.name} does not have")
        for name, tensor in weights.items():
            if tensor.shape != own[name].shape:
                raise SourceUnusable(
                    f"has weights {name} of the shape {tuple(tensor.shape)}, where a "
                    f"{self.name} has {tuple(own[name].shape)}"
                )
        self.load_state_dict(weights, strict=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """float32[n, 3, h, w], prepared -> float32[n, d]."""
        x = self.maxpool(relu(self.bn1(self.conv1(pixels))))
        for stage in (1, 2, 3, 4):
            x = getattr(self, f"layer{stage}")(x)
        features: Tensor = x.mean((2, 3))
        return features


class _Block(nn.Module):
    grows = 1
    """Output channels of a block for each channel inside it."""

    def __init__(self, before: int, inside: int, stride: int) -> None:
        super().__init__()
        after = inside * self.grows
        self.downsample: nn.Module | None = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def shortcut(self, x: Tensor) -> Tensor:
        if self.downsample is None:
            return x
        straight: Tensor = self.downsample(x)
        return straight


class _Basic(_Block):
    def __init__(self, before: int, inside: int, stride: int) -> None:
        super().__init__(before, inside, stride)
        self.conv1 = nn.Conv2d(before, inside, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)

    def forward(self, x: Tensor) -> Tensor:
        inner = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class _Bottleneck(_Block):
    grows = 4

    def __init__(self, before: int, inside: int, stride: int) -> None:
        super().__init__(before, inside, stride)
        after = inside * self.grows
        self.conv1 = nn.Conv2d(before, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        inner = relu(self.bn1(self.conv1(x)))
        inner = relu(self.bn2(self.conv2(inner)))
        return relu(self.bn3(self.conv3(inner)) + self.shortcut(x))


def _blocks(state: Mapping[str, Tensor], stage: int) -> int:
    return next(n for n in count() if f"layer{stage}.{n}.conv1.weight" not in state)
