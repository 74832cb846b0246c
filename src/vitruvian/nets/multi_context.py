"""Hourglasses that attend: to the body first, then to each part.

Chu, Yang, Ouyang, Ma, Yuille and Wang, "Multi-context attention for human pose estimation", CVPR
2017. What the paper leaves open follows the authors' Torch7 code. That code has no attention from
several resolutions; ``resolutions`` builds it as we read the paper.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.hourglass import DEPTH, Residual


class HourglassResidual(nn.Module):
    """A residual block with a third branch, which halves its input and doubles it (Sec. 4.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = Residual(width, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """B width H W -> the same; H and W are even."""
        y = self.conv1(F.max_pool2d(F.relu(self.bn1(x)), 2))
        y = self.conv2(F.relu(self.bn2(y)))
        return self.residual(x) + F.interpolate(y, scale_factor=2.0)


class Hourglass(nn.Module):
    """Keep a copy, halve, recurse, double, add the copy, which saw wider the finer it is.

    Args:
        depth: Times to halve; the copy passes ``depth - 1`` blocks and at least one, all after the
            first with a third branch.
        width: Channels everywhere.
    """

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        wider = (HourglassResidual(width) for _ in range(depth - 2))
        self.up1 = nn.Sequential(Residual(width, width), *wider)
        self.low1 = Residual(width, width)
        self.low2 = Hourglass(depth - 1, width) if depth > 1 else Residual(width, width)
        self.low3 = Residual(width, width)

    def forward(self, x: Tensor) -> list[Tensor]:
        """B width H W -> features on the way up, coarsest first, H W last."""
        low = self.low2(self.low1(F.max_pool2d(x, 2)))
        lower = low if isinstance(low, list) else [low]
        up = F.interpolate(self.low3(lower[-1]), scale_factor=2.0)
        return [*lower, self.up1(x) + up]


class Attention(nn.Module):
    """Maps in (0, 1) by mean-field steps of a conditional random field (Eq. 3-5).

    Args:
        inputs: Channels that come in.
        maps: Number of maps; each has its own weights.
        kernel: Neighbourhood of a cell, odd; its weights are the same in all steps.
        steps: Mean-field steps.
    """

    def __init__(self, inputs: int, maps: int = 1, *, kernel: int, steps: int = 3) -> None:
        super().__init__()
        self.unary = nn.Conv2d(inputs, maps, 3, padding=1)
        self.pairwise = nn.Conv2d(maps, maps, kernel, padding=kernel // 2, groups=maps)
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B maps h w."""
        q = unary = self.unary(x)
        for _ in range(self.steps):
            q = torch.sigmoid(self.pairwise(q) + unary)
        return q


class Parts(nn.Module):
    """A heatmap per keypoint from features that its own map attends to (Sec. 4.4).

    ``1x1(features x map) + bias`` is ``map x 1x1(features) + bias``, which never holds K copies of
    the features.
    """

    def __init__(self, inputs: int, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.attention = Attention(inputs, channels, kernel=kernel)
        self.conv = nn.Conv2d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B channels h w."""
        bias = self.conv.bias.view(1, -1, 1, 1)
        return self.attention(x) * F.conv2d(x, self.conv.weight) + bias


class Stack(nn.Module):
    """One hourglass, its attention and its prediction.

    Args:
        width: Channels of the hourglass.
        features: Channels of what is attended to.
        channels: Number of heatmaps K.
        kernel: See :class:`Attention`.
        resolutions: Resolutions that attention is computed at, the finest and coarser ones.
        parts: Whether every keypoint has an attention of its own, too.
    """

    def __init__(
        self,
        width: int,
        features: int,
        channels: int,
        *,
        kernel: int,
        resolutions: int,
        parts: bool,
    ) -> None:
        super().__init__()
        self.hourglass = Hourglass(DEPTH, width)
        self.linear = nn.Sequential(_linear(width, features), _linear(features, features))
        self.attention = Attention(features, kernel=kernel)
        coarser = (Attention(width, kernel=kernel) for _ in range(resolutions - 1))
        self.coarser = nn.ModuleList(coarser)
        head = Parts(features, channels, kernel=kernel)
        self.head = head if parts else nn.Conv2d(features, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """B width h w -> features attended to, B features h w; heatmaps, B channels h w."""
        *lower, finest = self.hourglass(x)
        features = self.linear(finest)
        attention = self.attention(features)
        for module, low in zip(self.coarser, reversed(lower), strict=False):
            attention = attention + F.interpolate(module(low), attention.shape[2:])
        features = features * attention
        return features, self.head(features)


class MultiContext(nn.Module):
    """Stem at full resolution, stacks; the first half attends to the body, the rest to parts too.

    Args:
        stacks: Number of hourglasses, and of stages.
        channels: Number of heatmaps K.
        width: Channels of every hourglass; the last one's features are twice as wide.
        kernel: See :class:`Attention`.
        resolutions: See :class:`Stack`.
    """

    def __init__(
        self, stacks: int, channels: int, width: int, *, kernel: int, resolutions: int
    ) -> None:
        super().__init__()
        narrow, half = width // 4, width // 2
        first = nn.Conv2d(3, narrow, 7, padding=3)
        self.stem = nn.Sequential(
            nn.Sequential(first, nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)),
            Residual(narrow, narrow),
            nn.MaxPool2d(2),
            Residual(narrow, narrow),
            Residual(narrow, half),
            nn.MaxPool2d(2),
            Residual(half, half),
            Residual(half, half),
            Residual(half, width),
        )
        each, merged = range(stacks), range(stacks - 1)
        self.stacks = nn.ModuleList(
            Stack(
                width,
                2 * width if index == stacks - 1 else width,
                channels,
                kernel=kernel,
                resolutions=resolutions,
                parts=index >= stacks // 2,
            )
            for index in each
        )
        self.merge_features = nn.ModuleList(_linear(width, width) for _ in merged)
        self.merge_preds = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in merged)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage {"heatmap": B K H/4 W/4} each; H and W divide by 64."""
        require_divisible(x, 64)
        x = self.stem(x)
        stages = []
        for index, stack in enumerate(self.stacks):
            features, heatmap = stack(x)
            stages.append({"heatmap": heatmap})
            if index < len(self.merge_preds):
                x = x + self.merge_preds[index](heatmap) + self.merge_features[index](features)
        return stages


def _linear(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 1)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def multi_context(
    stacks: int = 8,
    channels: int = 16,
    *,
    width: int = 256,
    kernel: int = 11,
    resolutions: int = 1,
) -> MultiContext:
    """The authors' network; the paper's with ``resolutions=4``.

    Raises:
        ConfigError: No stack, an even kernel, or resolutions that an hourglass has not.
    """
    if stacks < 1 or kernel % 2 != 1 or not 1 <= resolutions <= DEPTH + 1:
        raise ConfigError(
            f"{stacks} stacks, attention over {kernel} cells at {resolutions} resolutions; at "
            f"least one stack, an odd kernel and 1 to {DEPTH + 1} resolutions are accepted"
        )
    return MultiContext(stacks, channels, width, kernel=kernel, resolutions=resolutions)
