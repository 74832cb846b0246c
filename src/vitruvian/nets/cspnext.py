"""CSPNeXt, the trunk of RTMPose and RTMDet.

Lyu, Zhang, Huang, Zhou, Wang, Liu, Zhang and Chen, "RTMDet: an empirical study of designing
real-time object detectors", arXiv 2212.07784. Attribute names are those of the public checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((64, 128, 3, True), (128, 256, 6, True), (256, 512, 6, True), (512, 1024, 3, False))
"""Channels in and out, blocks, and whether blocks have shortcuts, before scaling."""


class ConvUnit(nn.Module):
    """Convolution without bias, "same" padding; normalisation; SiLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h/stride w/stride."""
        return F.silu(self.bn(self.conv(x)), inplace=True)


class Separable(nn.Module):
    """A depth-wise kernel, then 1x1, each normalised and activated."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvUnit(inputs, inputs, kernel, stride, groups=inputs)
        self.pointwise_conv = ConvUnit(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h/stride w/stride."""
        return self.pointwise_conv(self.depthwise_conv(x))


def conv3(inputs: int, outputs: int, stride: int = 1, *, separable: bool) -> nn.Module:
    """A 3x3 convolution, dense or (in the smallest networks) separable."""
    return (Separable if separable else ConvUnit)(inputs, outputs, 3, stride)


class Block(nn.Module):
    """3x3, then a large separable kernel (Fig. 3b of RTMDet); no activation after the sum."""

    def __init__(self, width: int, *, shortcut: bool, separable: bool = False) -> None:
        super().__init__()
        self.conv1 = conv3(width, width, separable=separable)
        self.conv2 = Separable(width, width, 5)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class ChannelAttention(nn.Module):
    """Each channel times a gate of the means of all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        return x * F.hardsigmoid(self.fc(x.mean(dim=(2, 3), keepdim=True)))


class CSPLayer(nn.Module):
    """Half of the channels through blocks, half past them (Wang et al. 2020).

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out.
        blocks: Number of blocks.
        shortcut: Whether blocks have shortcuts.
        separable: See :func:`conv3`.
        attention: Whether the channels are weighed at the end.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        blocks: int,
        *,
        shortcut: bool,
        separable: bool = False,
        attention: bool = True,
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.main_conv = ConvUnit(inputs, half, 1)
        self.short_conv = ConvUnit(inputs, half, 1)
        self.final_conv = ConvUnit(2 * half, outputs, 1)
        self.blocks = nn.Sequential(
            *(Block(half, shortcut=shortcut, separable=separable) for _ in range(blocks))
        )
        self.attention = ChannelAttention(2 * half) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h w."""
        both = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1)
        return self.final_conv(self.attention(both))


class SPP(nn.Module):
    """Maxima over windows of 5, 9 and 13 cells beside the features (He et al. 2014)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvUnit(width, width // 2, 1)
        self.conv2 = ConvUnit(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, kernel, 1, kernel // 2) for kernel in (5, 9, 13)]
        return self.conv2(torch.cat([x, *pooled], dim=1))


class CSPNeXt(nn.Module):
    """Stem and four stages.

    Args:
        widen: Factor on the channels.
        deepen: Factor on the number of blocks.
        separable: See :func:`conv3`; the stem stays dense.

    Attributes:
        widths: Channels of the four stages.
    """

    def __init__(self, widen: float, deepen: float, *, separable: bool = False) -> None:
        super().__init__()
        width = int(64 * widen)
        self.stem = nn.Sequential(
            ConvUnit(3, width // 2, 3, 2),
            ConvUnit(width // 2, width // 2, 3),
            ConvUnit(width // 2, width, 3),
        )
        self.widths = tuple(int(outputs * widen) for _, outputs, _, _ in STAGES)
        for number, (inputs, outputs, blocks, shortcut) in enumerate(STAGES, 1):
            inputs, outputs = int(inputs * widen), int(outputs * widen)
            layers: list[nn.Module] = [conv3(inputs, outputs, 2, separable=separable)]
            if number == len(STAGES):
                layers.append(SPP(outputs))
            count = max(round(blocks * deepen), 1)
            layers.append(CSPLayer(outputs, outputs, count, shortcut=shortcut, separable=separable))
            setattr(self, f"stage{number}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        """B 3 H W -> the stages, at stride 4, 8, 16 and 32."""
        x, levels = self.stem(x), []
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)
            levels.append(x)
        return levels
