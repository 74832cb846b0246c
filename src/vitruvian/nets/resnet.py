"""ResNet trunk (He et al., "Deep residual learning for image recognition", CVPR 2016)."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import BasicBlock, Bottleneck, Style
from vitruvian.nets.convert import Layout

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}

IMAGENET: dict[str, Layout] = {"torchvision": ((r"fc\.", None),)}
"""How ImageNet checkpoints name this trunk; the classifier is left out."""


class ResNet(nn.Module):
    """Stem and four levels, without classifier.

    Args:
        depth: 18, 34, 50, 101 or 152.
        style: See :data:`~vitruvian.nets.blocks.Style`.
        output_stride: 32, 16 or 8; levels beyond it dilate instead of striding (a trous), which
            leaves the weights interchangeable.
        pool: Whether the stem pools; without it every level is twice as fine.

    Attributes:
        widths: Channels of the four levels.
    """

    def __init__(
        self,
        depth: int = 50,
        *,
        style: Style = "pytorch",
        output_stride: int = 32,
        pool: bool = True,
    ) -> None:
        super().__init__()
        _check(depth, style, output_stride)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        bottleneck = partial(Bottleneck, style=style)
        block, expansion = (BasicBlock, 1) if depth < 50 else (bottleneck, 4)
        self.widths = tuple((64 << level) * expansion for level in range(4))
        self.pool = pool
        inputs, stride, dilation = 64, 4 if pool else 2, 1
        for level, count in enumerate(BLOCKS[depth]):
            width, step, before = 64 << level, (1 if level == 0 else 2), dilation
            if stride * step > output_stride:
                step, dilation = 1, dilation * 2
            stride *= step
            blocks = [block(inputs, width, step, (before, dilation))]
            inputs = self.widths[level]
            blocks += [block(inputs, width, 1, (dilation, dilation)) for _ in range(count - 1)]
            setattr(self, f"layer{level + 1}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """B 3 H W -> levels at stride 4, 8, 16, 32, half of it unpooled (up to output_stride)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        levels = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            levels.append(x)
        return levels


def _check(depth: int, style: str, output_stride: int) -> None:
    if depth not in BLOCKS:
        raise ConfigError(f"no ResNet of depth {depth!r}; depths are {sorted(BLOCKS)}")
    if style not in ("pytorch", "caffe") or (style == "caffe" and depth < 50):
        raise ConfigError(
            f"ResNet style {style!r} for depth {depth}: 'pytorch' fits every depth, "
            "'caffe' only those with bottlenecks (50, 101, 152)"
        )
    if output_stride not in (8, 16, 32):
        raise ConfigError(f"output_stride {output_stride!r}; 8, 16 and 32 are possible")
