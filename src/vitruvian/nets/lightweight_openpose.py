"""Lightweight OpenPose: OpenPose on a MobileNet, its branches merged and its kernels small.

Osokin, "Real-time 2D multi-person pose estimation on CPU: lightweight OpenPose", ICPRAM 2019.
"""

import torch
from torch import Tensor, nn

from vitruvian.nets.blocks import conv_bn, require_divisible
from vitruvian.nets.convert import Layout

LAYOUTS: dict[str, Layout] = {"authors": ((r"model\.", "trunk."),)}
"""How the authors' checkpoints name the parameters of :class:`LightweightOpenPose`."""

IMAGENET: dict[str, Layout] = {
    "pytorch-mobilenet": ((r"(?:model\.)?1[2-9]\.|fc\.", None), (r"model\.", ""))
}
"""How the ImageNet checkpoint that the author starts from names the trunk."""

_MOBILENET = (
    (64, 1, 1),
    (128, 2, 1),
    (128, 1, 1),
    (256, 2, 1),
    (256, 1, 1),
    (512, 1, 1),
    (512, 1, 2),
    *[(512, 1, 1)] * 4,
)
"""Channels, stride and dilation of each block; the sixth strides no more, so the next dilates."""


def _conv(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.ReLU(inplace=True))


def _separable(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Sequential:
    """3x3 on each channel alone, then 1x1 (Howard et al. 2017, MobileNets)."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, groups=inputs, bias=False)
    bn, relu = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
    return nn.Sequential(depthwise, bn, relu, *conv_bn(inputs, outputs, 1))


def _separable_elu(width: int) -> nn.Sequential:
    depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
    pointwise = nn.Conv2d(width, width, 1, bias=False)
    return nn.Sequential(depthwise, nn.ELU(inplace=True), pointwise, nn.ELU(inplace=True))


def _heads(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    last = nn.Sequential(nn.Conv2d(hidden, outputs, 1))
    return nn.Sequential(_conv(inputs, hidden), last)


class Bridge(nn.Module):
    """From the trunk's width to that of the stages."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.align = _conv(inputs, width)
        self.trunk = nn.Sequential(*(_separable_elu(width) for _ in range(3)))
        self.conv = _conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B width h w."""
        x = self.align(x)
        return self.conv(x + self.trunk(x))


class Refinement(nn.Module):
    """1x1, then two 3x3, the second dilated, around a shortcut; sees what a 7x7 sees (Fig. 4)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.initial = _conv(inputs, width)
        self.trunk = nn.Sequential(_dilated(width, 1), _dilated(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B width h w."""
        x = self.initial(x)
        return x + self.trunk(x)


def _dilated(width: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class Stage(nn.Module):
    """What both branches share, then a head for each."""

    def __init__(self, trunk: nn.Module, width: int, hidden: int, channels: int, fields: int):
        super().__init__()
        self.trunk = trunk
        self.heatmaps = _heads(width, hidden, channels)
        self.pafs = _heads(width, hidden, fields)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Features -> {"heatmap": B C h w, "paf": B F h w}."""
        x = self.trunk(x)
        return {"heatmap": self.heatmaps(x), "paf": self.pafs(x)}


class LightweightOpenPose(nn.Module):
    """A first stage on the features, then refinements that also see the maps so far.

    Args:
        refinements: Stages after the first.
        channels: Heatmaps: the keypoints', then the background's.
        fields: Two per limb, x and y.
        width: Channels of every stage.
    """

    def __init__(self, refinements: int, channels: int, fields: int, width: int) -> None:
        super().__init__()
        blocks, inputs = [conv_bn(3, 32, 3, 2)], 32
        for outputs, stride, dilation in _MOBILENET:
            blocks.append(_separable(inputs, outputs, stride, dilation))
            inputs = outputs
        self.trunk = nn.Sequential(*blocks)
        self.cpm = Bridge(inputs, width)
        shared = nn.Sequential(*(_conv(width, width, 3) for _ in range(3)))
        self.initial_stage = Stage(shared, width, 512, channels, fields)
        seen = (width + channels + fields, *[width] * 4)
        self.refinement_stages = nn.ModuleList(
            Stage(
                nn.Sequential(*(Refinement(inputs, width) for inputs in seen)),
                width,
                width,
                channels,
                fields,
            )
            for _ in range(refinements)
        )

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage {"heatmap": B C H/8 W/8, "paf": B F H/8 W/8} each.

        H and W divide by 8.
        """
        require_divisible(x, 8)
        features = self.cpm(self.trunk(x))
        stages = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            stages.append(stage(torch.cat([features, *stages[-1].values()], dim=1)))
        return stages


def lightweight_openpose(
    refinements: int = 1, channels: int = 19, fields: int = 38, *, width: int = 128
) -> LightweightOpenPose:
    """The published network; its weights were trained with 3 refinements and are used with 1."""
    return LightweightOpenPose(refinements, channels, fields, width)
