"""Stacked Hourglass: from stride 4 down to stride 64 and back up, again and again.

Newell, Yang and Deng, "Stacked hourglass networks for human pose estimation", ECCV 2016. Two public
ports to PyTorch differ in the stem; every stack is the same in both. The one of the authors' group
(``princeton``) also carries a 1x1 convolution on shortcuts that need none; nothing ever reads it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout

Port = Literal["princeton", "bearpaw"]

DEPTH = 4
"""Times that an hourglass halves its input."""

_LEAF = r"(bn\d|conv\d|skip)(?:_layer)?\.(?:conv\.)?"
_PARTS = enumerate(("up1", "low1", "low3", "low2"))

LAYOUTS: dict[str, Layout] = {
    "princeton": (
        (r"pre\.0\.conv\.", "stem.0.0."),
        (r"pre\.0\.bn\.", "stem.0.1."),
        (rf"pre\.(\d)\.{_LEAF}", r"stem.\1.\2."),
        (rf"hgs\.(\d+)\.0\.(.*)(up1|low\d)\.{_LEAF}", r"hourglasses.\1.\2\3.0.\4."),
        (rf"features\.(\d+)\.0\.{_LEAF}", r"features.\1.0.0.\2."),
        (r"features\.(\d+)\.1\.conv\.", r"features.\1.1.0."),
        (r"features\.(\d+)\.1\.bn\.", r"features.\1.1.1."),
        (r"outs\.(\d+)\.conv\.", r"heads.\1."),
        (r"(merge_(?:features|preds)\.\d+)\.conv\.conv\.", r"\1."),
    ),
    "bearpaw": (
        (r"conv1\.", "stem.0.0."),
        (r"bn1\.", "stem.0.1."),
        (r"layer1\.0\.downsample\.0\.", "stem.1.skip."),
        (r"layer2\.0\.downsample\.0\.", "stem.3.skip."),
        (r"layer1\.0\.", "stem.1."),
        (r"layer2\.0\.", "stem.3."),
        (r"layer3\.0\.", "stem.4."),
        *(
            (rf"hg\.(\d+)\.hg\.{level}\.{index}\.", rf"hourglasses.\1.{'low2.' * inner}{part}.")
            for index, part in _PARTS
            for inner, level in enumerate(reversed(range(DEPTH)))
        ),
        (r"res\.(\d+)\.", r"features.\1.0."),
        (r"fc\.(\d+)\.", r"features.\1.1."),
        (r"score\.", "heads."),
        (r"fc_\.", "merge_features."),
        (r"score_\.", "merge_preds."),
    ),
}
"""How public checkpoints name the parameters of :class:`StackedHourglass`."""


class Residual(nn.Module):
    """1x1 to half the width, 3x3, 1x1 to the full; normalisation and ReLU before each (Fig. 4).

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out.
        idle_skip: Carry a convolution on the shortcut even where it is the identity. It is frozen.
    """

    def __init__(self, inputs: int, outputs: int, *, idle_skip: bool = False) -> None:
        super().__init__()
        half = outputs // 2
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, half, 1)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, half, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv3 = nn.Conv2d(half, outputs, 1)
        self.identity = inputs == outputs
        if not self.identity or idle_skip:
            self.skip = nn.Conv2d(inputs, outputs, 1).requires_grad_(not self.identity)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H W."""
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return y + (x if self.identity else self.skip(x))


class Hourglass(nn.Module):
    """Keep a copy, halve, go on with the rest of the widths, double, add the copy (Fig. 3).

    Args:
        widths: Channels at each resolution, the finest first; at least two.
        block: Makes what stands at each place from the channels in and out.
    """

    def __init__(self, widths: Sequence[int], block: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        width, lower = widths[:2]
        self.up1 = block(width, width)
        self.low1 = block(width, lower)
        self.low2 = Hourglass(widths[1:], block) if len(widths) > 2 else block(lower, lower)
        self.low3 = block(lower, width)

    def forward(self, x: Tensor) -> Tensor:
        """B widths[0] H W -> the same; H and W divide by 2^(number of widths - 1)."""
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + F.interpolate(low, scale_factor=2.0)


def residuals(inputs: int, outputs: int, count: int = 1, idle_skip: bool = False) -> nn.Sequential:
    """``count`` residual blocks in a row."""
    pairs = pairwise([inputs, *(outputs for _ in range(count))])
    return nn.Sequential(*(Residual(a, b, idle_skip=idle_skip) for a, b in pairs))


class StackedHourglass(nn.Module):
    """Hourglasses in a row; each predicts, and its maps go back into what the next one sees.

    Args:
        stacks: Number of hourglasses, and of stages.
        channels: Number of heatmaps K.
        width: Channels of every hourglass at stride 4.
        growth: Channels more at all lower resolutions.
        blocks: Residual blocks in a row at each place.
        stem: Channels after each of the three residual blocks before the first hourglass.
        idle_skip: See :class:`Residual`.
    """

    def __init__(
        self,
        stacks: int,
        channels: int,
        *,
        width: int,
        growth: int,
        blocks: int,
        stem: tuple[int, int, int],
        idle_skip: bool,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 64, 7, 2, 3)
        self.stem = nn.Sequential(
            nn.Sequential(conv, nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
            Residual(64, stem[0], idle_skip=idle_skip),
            nn.MaxPool2d(2),
            Residual(stem[0], stem[1], idle_skip=idle_skip),
            Residual(stem[1], stem[2], idle_skip=idle_skip),
        )
        block = partial(residuals, count=blocks, idle_skip=idle_skip)
        widths = (width, *(width + growth for _ in range(DEPTH)))
        each, merged = range(stacks), range(stacks - 1)
        self.hourglasses = nn.ModuleList(Hourglass(widths, block) for _ in each)
        self.features = nn.ModuleList(
            nn.Sequential(block(width, width), _linear(width)) for _ in each
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, channels, 1) for _ in each)
        self.merge_features = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in merged)
        self.merge_preds = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in merged)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W -> a stage {"heatmap": B K H/4 W/4} per hourglass; H and W divide by 64."""
        require_divisible(x, 64)
        return stages(self, self.stem(x))


def stages(net: nn.Module, x: Tensor) -> list[dict[str, Tensor]]:
    """What each hourglass of ``net`` predicts; its maps and features go to the next one too."""
    found = []
    for index, hourglass in enumerate(net.hourglasses):
        features = net.features[index](hourglass(x))
        heatmap = net.heads[index](features)
        found.append({"heatmap": heatmap})
        if index < len(net.merge_preds):
            x = x + net.merge_preds[index](heatmap) + net.merge_features[index](features)
    return found


def _linear(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def hourglass(
    stacks: int = 8,
    channels: int = 16,
    *,
    port: Port = "princeton",
    width: int = 256,
    growth: int = 0,
    blocks: int = 1,
) -> StackedHourglass:
    """The published network, as one of its two public ports builds it.

    Raises:
        ConfigError: There is no such port, or less than one stack or block.
    """
    if port not in ("princeton", "bearpaw") or stacks < 1 or blocks < 1:
        raise ConfigError(
            f"hourglass of {stacks!r} stacks and {blocks!r} blocks, port {port!r}; "
            "at least 1 of each, ports are 'princeton' and 'bearpaw'"
        )
    theirs = port == "princeton"
    return StackedHourglass(
        stacks,
        channels,
        width=width,
        growth=growth,
        blocks=blocks,
        stem=(128, 128, width) if theirs else (128, width, width),
        idle_skip=theirs,
    )
