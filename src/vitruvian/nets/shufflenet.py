"""ShuffleNetV2K: ShuffleNetV2 with 5 x 5 kernels, wider, and without pooling, as PifPaf uses it.

Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture
design", ECCV 2018; Kreiss, Bertoni and Alahi, "OpenPifPaf", T-ITS 2021.
"""

import torch
from torch import Tensor, nn

from vitruvian.nets.blocks import conv_bn

SHAPES = {
    16: ((4, 8, 4), (24, 348, 696, 1392)),
    20: ((5, 10, 5), (32, 512, 1024, 2048)),
    30: ((8, 16, 6), (32, 512, 1024, 2048)),
    44: ((12, 24, 8), (32, 512, 1024, 2048)),
}
"""Units of the three stages, and channels of the stem and the stages."""


class ShuffleUnit(nn.Module):
    """Half of the channels pass, the others are convolved; then the halves are interleaved.

    With a stride both halves see all channels and both are convolved (Ma et al. 2018, Fig. 3 c, d).

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out, even.
        stride: 1 (then ``inputs`` = ``outputs``) or 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        width, self.stride = outputs // 2, stride
        if stride > 1:
            self.branch1 = nn.Sequential(
                *_depthwise(inputs, stride), *conv_bn(inputs, width, kernel=1)
            )
        self.branch2 = nn.Sequential(
            *conv_bn(inputs if stride > 1 else width, width, kernel=1),
            *_depthwise(width, stride),
            *conv_bn(width, width, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H/stride W/stride."""
        if self.stride > 1:
            halves = self.branch1(x), self.branch2(x)
        else:
            kept, changed = x.chunk(2, dim=1)
            halves = kept, self.branch2(changed)
        return torch.stack(halves, dim=2).flatten(1, 2)


def _depthwise(width: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, 5, stride, 2, groups=width, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width))


class ShuffleNetK(nn.Module):
    """Stem, three stages and a 1 x 1 convolution; stride 16.

    Args:
        counts: Units of the three stages.
        channels: Channels of the stem and the stages.

    Attributes:
        widths: Channels of the output, as a trunk with one level.
    """

    def __init__(self, counts: tuple[int, int, int], channels: tuple[int, int, int, int]) -> None:
        super().__init__()
        stem, *widths = channels
        self.widths = (widths[-1],)
        self.input_block = conv_bn(3, stem, 3, 2)
        inputs = stem
        for level, (count, width) in enumerate(zip(counts, widths, strict=True)):
            units = [ShuffleUnit(inputs, width, 2)]
            units += [ShuffleUnit(width, width) for _ in range(count - 1)]
            setattr(self, f"stage{level + 2}", nn.Sequential(*units))
            inputs = width
        self.conv5 = conv_bn(inputs, inputs, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """B 3 H W -> one level at stride 16."""
        x = self.stage4(self.stage3(self.stage2(self.input_block(x))))
        return [self.conv5(x)]
