"""MSPN: U-shaped stages on ResNets, each handing its features to the next.

Li, Wang, Yin, Peng, Du, Xiao, Yu, Lu, Wei and Sun, "Rethinking on multi-stage networks for human
pose estimation", arXiv 1901.00148; Megvii's entry to the COCO 2018 keypoint challenge.
"""

import re
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import BLOCKS

LAYOUTS: dict[str, Layout] = {}
"""Our names are those of the authors."""


def _torchvision(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A torchvision ResNet as :attr:`MSPN.trunk`, whose convolutions have biases, here 0."""
    ours = {}
    for key, value in state.items():
        if key.startswith("fc."):
            continue
        name = key.replace("downsample.0.", "downsample.conv.")
        name = name.replace("downsample.1.", "downsample.bn.")
        name = re.sub(r"^(conv|bn)1\.", r"top.conv.\1.", name)
        name = re.sub(r"^(layer\d\.\d+\.)(conv|bn)(\d)\.", r"\1conv_bn_relu\3.\2.", name)
        name = re.sub(r"^layer", "downsample.layer", name)
        ours[name] = value
        if name.endswith(".conv.weight"):
            ours[name.replace(".weight", ".bias")] = value.new_zeros(len(value))
    return ours


IMAGENET: dict[str, Layout] = {"torchvision": _torchvision}
"""How ImageNet checkpoints name the trunk, which is that of the first stage."""


class ConvBN(nn.Module):
    """Convolution with bias, "same" padding; normalisation; ReLU unless told otherwise."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h/stride w/stride."""
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up by four, around a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv_bn_relu1 = ConvBN(inputs, width, 1)
        self.conv_bn_relu2 = ConvBN(width, width, 3, stride)
        self.conv_bn_relu3 = ConvBN(width, outputs, 1, relu=False)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = ConvBN(inputs, outputs, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B 4*width h/stride w/stride."""
        y = self.conv_bn_relu3(self.conv_bn_relu2(self.conv_bn_relu1(x)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Top(nn.Module):
    """Stem at stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvBN(3, 64, 7, 2)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B 64 H/4 W/4."""
        return F.max_pool2d(self.conv(x), 3, 2, 1)


class Down(nn.Module):
    """The four levels of a ResNet; features of the stage before are added to them.

    Args:
        blocks: Bottlenecks of each level.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        inputs = 64
        for level, count in enumerate(blocks):
            width, stride = 64 << level, 1 if level == 0 else 2
            chain = [Bottleneck(inputs, width, stride)]
            chain += [Bottleneck(4 * width, width, 1) for _ in range(count - 1)]
            setattr(self, f"layer{level + 1}", nn.Sequential(*chain))
            inputs = 4 * width

    def forward(self, x: Tensor, skips: list[Tensor] | None) -> list[Tensor]:
        """B 64 h w and the sums to add, finest first -> the levels, finest first."""
        levels = []
        for level, layer in enumerate((self.layer1, self.layer2, self.layer3, self.layer4)):
            x = layer(x)
            if skips is not None:
                x = x + skips[level]
            levels.append(x)
        return levels


class Up(nn.Module):
    """One level on the way up: add the coarser level, put out maps (Fig. 4 of the paper).

    Args:
        inputs: Channels of the level on the way down.
        width: Channels on the way up.
        channels: Number of heatmaps K.
        coarsest: There is no coarser level.
        gives: Hand features to the next stage (Sec. 3.2, cross stage feature aggregation).
        crosses: Hand the stem of the next stage on, from the finest level.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        channels: int,
        *,
        coarsest: bool,
        gives: bool,
        crosses: bool,
    ) -> None:
        super().__init__()
        self.u_skip = ConvBN(inputs, width, 1, relu=False)
        self.up_conv = None if coarsest else ConvBN(width, width, 1, relu=False)
        self.skip1 = ConvBN(inputs, inputs, 1) if gives else None
        self.skip2 = ConvBN(width, inputs, 1) if gives else None
        self.cross_conv = ConvBN(width, 64, 1) if crosses else None
        self.res_conv1 = ConvBN(width, width, 1)
        self.res_conv2 = ConvBN(width, channels, 3, relu=False)

    def forward(self, x: Tensor, coarser: Tensor | None) -> Tensor:
        """B inputs h w and B width h/2 w/2 -> B width h w."""
        y = self.u_skip(x)
        if self.up_conv is not None:
            y = y + self.up_conv(_resize(coarser, x.shape[-2:]))
        return F.relu(y)

    def maps(self, y: Tensor, size: tuple[int, int]) -> Tensor:
        """B width h w -> B K ``size``."""
        return _resize(self.res_conv2(self.res_conv1(y)), size)

    def given(self, x: Tensor, y: Tensor) -> Tensor:
        """What the next stage adds to its level: B inputs h w."""
        return self.skip1(x) + self.skip2(y)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class Stage(nn.Module):
    """Down a ResNet and up again, maps at every level on the way up."""

    def __init__(
        self, blocks: tuple[int, ...], width: int, channels: int, *, gives: bool, last: bool
    ) -> None:
        super().__init__()
        self.downsample = Down(blocks)
        self.upsample = nn.ModuleDict()
        for number in range(1, 5):
            self.upsample[f"up{number}"] = Up(
                4 * 64 << (4 - number),
                width,
                channels,
                coarsest=number == 1,
                gives=gives and not last,
                crosses=number == 4 and not last,
            )

    def forward(
        self, x: Tensor, skips: list[Tensor] | None
    ) -> tuple[list[Tensor], Tensor | None, list[Tensor] | None]:
        """Maps, coarsest first, each B K h w; stem and sums for the next stage, if there is one."""
        levels = self.downsample(x, skips)
        size, y, maps, given = levels[0].shape[-2:], None, [], []
        for up, level in zip(self.upsample.values(), reversed(levels), strict=True):
            y = up(level, y)
            maps.append(up.maps(y, size))
            if up.skip1 is not None:
                given.append(up.given(level, y))
        stem = up.cross_conv(y) if up.cross_conv is not None else None
        return maps, stem, given[::-1] or None


class MSPN(nn.Module):
    """Stages in a row; maps of four levels from each.

    Args:
        channels: Number of heatmaps K.
        stages: Bottlenecks of each level, for each stage.
        width: Channels on the way up.
        cross_stage: Hand features of every level to the next stage, not only the finest.
        coarse_to_fine: Ask the last stage for narrower maps than those before it (Sec. 3.3).
    """

    def __init__(
        self,
        channels: int,
        stages: tuple[tuple[int, ...], ...],
        *,
        width: int,
        cross_stage: bool,
        coarse_to_fine: bool,
    ) -> None:
        super().__init__()
        self.top = Top()
        self.count, self.coarse_to_fine = len(stages), coarse_to_fine
        for index, blocks in enumerate(stages):
            last = index == len(stages) - 1
            stage = Stage(blocks, width, channels, gives=cross_stage, last=last)
            self.add_module(f"stage{index}", stage)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    @property
    def trunk(self) -> nn.Module:
        """Stem and ResNet of the first stage, which may start from ImageNet weights."""
        return nn.ModuleDict({"top": self.top, "downsample": self.stage0.downsample})

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> two entries per stage, all maps B K H/4 W/4.

        The first entry holds the three coarser levels, named after how many label widths they are
        coarser than the last map, ``coarse_3``, ``coarse_2``, ``coarse_1`` in the last stage; the
        second holds the finest level, ``heatmap`` in the last stage. Where stages go from coarse to
        fine those before it are one width coarser: ``coarse_4`` to ``coarse_2`` and ``fine_1``.
        H and W divide by 4.
        """
        require_divisible(x, 4)
        x, skips, outputs = self.top(x), None, []
        for index in range(self.count):
            maps, x, skips = getattr(self, f"stage{index}")(x, skips)
            coarser = int(self.coarse_to_fine and index < self.count - 1)
            coarse = {f"coarse_{3 - i + coarser}": level for i, level in enumerate(maps[:-1])}
            outputs += [coarse, {f"fine_{coarser}" if coarser else "heatmap": maps[-1]}]
        return outputs


def mspn(
    stages: int = 4,
    channels: int = 17,
    *,
    depth: int = 50,
    blocks: tuple[int, ...] = (),
    width: int = 256,
    cross_stage: bool = True,
    coarse_to_fine: bool = True,
) -> MSPN:
    """MSPN of any number of stages.

    Args:
        stages: 1 to 4 were published.
        channels: Number of heatmaps K.
        depth: Of the ResNet in each stage: 50, 101 or 152.
        blocks: Bottlenecks of each level instead, (4, 8, 16, 3) in Megvii's report.
        width: See :class:`MSPN`.
        cross_stage: See :class:`MSPN`.
        coarse_to_fine: See :class:`MSPN`.
    """
    if stages < 1 or depth not in (50, 101, 152):
        raise ConfigError(f"MSPN of {stages} stages on ResNet-{depth}; give 1 or more, 50/101/152")
    return MSPN(
        channels,
        (blocks or BLOCKS[depth],) * stages,
        width=width,
        cross_stage=cross_stage,
        coarse_to_fine=coarse_to_fine,
    )
