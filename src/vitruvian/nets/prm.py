"""Pyramid Residual Modules: an hourglass whose blocks look at several scales each.

Yang, Li, Ouyang, Li and Wang, "Learning feature pyramids for human pose estimation", ICCV 2017.
Variant B is the published network's. What the paper leaves open follows the authors' Torch7 code:
no level at full scale in the pyramid, and evenly spaced regions where it draws them at random.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.hourglass import stages

Variant = Literal["A", "B", "C", "D"]
"""Which pyramid (Fig. 3): levels with inputs of their own, A; with one they share and added up, B;
concatenated instead, C; dilated instead of pooled, D."""


def _conv(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    branches: tuple[int, int] = (1, 1),
    dilation: int = 1,
) -> nn.Conv2d:
    """Convolution of the same size, initialised by Eq. 8 for that many branches in and out.

    The variance is 1 / (a^2 (C_i n_i + C_o n_o)) with a = 1/2 for ReLU, n the size of the kernel
    times the channels and C the branches; with one branch each, that of He et al. 2015 averaged
    over both directions.
    """
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation)
    seen = branches[0] * kernel**2 * inputs + branches[1] * kernel**2 * outputs
    nn.init.normal_(conv.weight, std=(0.25 * seen) ** -0.5)
    nn.init.zeros_(conv.bias)
    return conv


def _act(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()]


def _act_conv(
    inputs: int, outputs: int, kernel: int = 1, *, branches: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    return nn.Sequential(*_act(inputs), _conv(inputs, outputs, kernel, branches=branches))


def pool(x: Tensor, ratio: float) -> Tensor:
    """Fractional max-pooling (Graham 2014) of B C H W by a ratio in (1/2, 1), regions of 2 x 2.

    The first region touches the first side and the last the last; the others lie evenly between.
    """
    for axis in (2, 3):
        side = x.shape[axis]
        count = max(1, int(side * ratio))
        places = [place * (side - 2) // max(1, count - 1) for place in range(count)]
        first = torch.tensor(places, device=x.device)
        x = torch.maximum(x.index_select(axis, first), x.index_select(axis, first + 1))
    return x


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation of B C h w to ``size`` (H, W), corners on corners."""
    if x.is_meta:  # only its shape is asked for; PyTorch would take 15 ms to find it
        return x.new_empty(*x.shape[:2], *size)
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


class Pyramid(nn.Module):
    """Features of several scales, few channels each (Sec. 3.1).

    Args:
        inputs: Channels that come in.
        width: Channels of each level.
        outputs: Channels that come out.
        levels: Number of levels C; level c has 2^(-c/C) of the resolution.
        variant: See :data:`Variant`.
        preact: Whether normalisation and ReLU come before the first convolution.
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, levels: int, variant: Variant, preact: bool
    ) -> None:
        super().__init__()
        own, joined = variant == "A", levels if variant == "C" else 1
        first = _act_conv if preact else _conv
        self.reduce = nn.ModuleList(
            nn.Sequential(first(inputs, width, branches=(1, 1 if own else levels)), *_act(width))
            for _ in range(levels if own else 1)
        )
        self.dilated = variant == "D"
        self.levels = nn.ModuleList(
            _conv(width, width, 3, dilation=level if self.dilated else 1)
            for level in range(1, levels + 1)
        )
        self.concatenated = variant == "C"
        added = 1 if self.concatenated else levels
        self.expand = _act_conv(joined * width, outputs, branches=(added, 1))

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H W."""
        reduced = [reduce(x) for reduce in self.reduce]
        maps = []
        for index, conv in enumerate(self.levels):
            y = reduced[index % len(reduced)]
            if self.dilated:
                maps.append(conv(y))
                continue
            y = conv(pool(y, 2 ** (-(index + 1) / len(self.levels))))
            maps.append(enlarge(y, x.shape[2:]))
        return self.expand(torch.cat(maps, dim=1) if self.concatenated else sum(maps))


class PRM(nn.Module):
    """A 1x1 and a 3x3 convolution beside a pyramid, around a shortcut (Fig. 3).

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out.
        width: Channels of each level of the pyramid.
        levels: See :class:`Pyramid`.
        variant: See :data:`Variant`.
        preact: Whether normalisation and ReLU come first; not after a stem that ends with them.
        project: Have a convolution on the shortcut even where it could be the identity, as where
            the sum of two branches would let the variance grow from block to block (Sec. 3.3).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        levels: int,
        variant: Variant,
        preact: bool = True,
        project: bool = False,
    ) -> None:
        super().__init__()
        half = outputs // 2
        first = _act_conv(inputs, half) if preact else _conv(inputs, half)
        self.plain = nn.Sequential(first, _act_conv(half, half, 3))
        self.pyramid = Pyramid(inputs, width, half, levels, variant, preact)
        self.last = _act_conv(half, outputs, branches=(2, 1))
        self.skip = _shortcut(inputs, outputs, project)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H W."""
        return self.last(self.plain(x) + self.pyramid(x)) + self.skip(x)


class Residual(nn.Module):
    """1x1 to half the width, 3x3, 1x1 to the full, around a shortcut; for low resolutions."""

    def __init__(self, inputs: int, outputs: int, *, project: bool = False) -> None:
        super().__init__()
        half = outputs // 2
        self.body = nn.Sequential(
            _act_conv(inputs, half), _act_conv(half, half, 3), _act_conv(half, outputs)
        )
        self.skip = _shortcut(inputs, outputs, project)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H W."""
        return self.body(x) + self.skip(x)


class Hourglass(nn.Module):
    """Keep a copy, halve, recurse, double, add the copy; pyramids where there is room for them.

    Args:
        depth: Times to halve; pyramids stand on the copy from 2 on, below it from 3 on.
        width: Channels everywhere.
        pyramid: Makes a :class:`PRM` of that width.
    """

    def __init__(self, depth: int, width: int, pyramid: Callable[..., nn.Module]) -> None:
        super().__init__()
        small = partial(Residual, width, width)
        copy, low = (pyramid if depth >= least else small for least in (2, 3))
        self.up1 = copy()
        self.low1 = low()
        self.low2 = Hourglass(depth - 1, width, pyramid) if depth > 1 else small()
        self.low3 = low(project=True)

    def forward(self, x: Tensor) -> Tensor:
        """B width H W -> the same; H and W divide by 2^depth."""
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + F.interpolate(low, scale_factor=2.0)


def _shortcut(inputs: int, outputs: int, project: bool) -> nn.Module:
    return _act_conv(inputs, outputs) if project or inputs != outputs else nn.Identity()


class PyraNet(nn.Module):
    """Hourglasses in a row; each predicts, and its maps go back into what the next one sees.

    Args:
        stacks: Number of hourglasses, and of stages.
        channels: Number of heatmaps K.
        features: Channels of every hourglass.
        block: Makes a :class:`PRM` from the channels in and out.
    """

    def __init__(
        self, stacks: int, channels: int, features: int, block: Callable[..., nn.Module]
    ) -> None:
        super().__init__()
        half = features // 2
        self.stem = nn.Sequential(
            nn.Sequential(_conv(3, 64, 7, stride=2), *_act(64)),
            block(64, half, preact=False),
            nn.MaxPool2d(2),
            block(half, half),
            block(half, features),
        )
        each, merged = range(stacks), range(stacks - 1)
        pyramid = partial(block, features, features)
        self.hourglasses = nn.ModuleList(Hourglass(4, features, pyramid) for _ in each)
        self.features = nn.ModuleList(
            nn.Sequential(_act_conv(features, features), *_act(features)) for _ in each
        )
        self.heads = nn.ModuleList(_conv(features, channels) for _ in each)
        self.merge_features = nn.ModuleList(_conv(features, features) for _ in merged)
        self.merge_preds = nn.ModuleList(_conv(channels, features) for _ in merged)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage {"heatmap": B K H/4 W/4} each; H and W divide by 64."""
        require_divisible(x, 64)
        return stages(self, self.stem(x))


def prm(
    stacks: int = 8,
    channels: int = 16,
    *,
    variant: Variant = "B",
    levels: int = 4,
    base: int = 9,
    features: int = 256,
) -> PyraNet:
    """The published network.

    Args:
        stacks: Number of hourglasses.
        channels: Number of heatmaps K.
        variant: See :data:`Variant`.
        levels: Levels of each pyramid; the paper tries 3, 4 and 5.
        base: A level of a block has 1 / base of its channels, rounded down.
        features: Channels of every hourglass.

    Raises:
        ConfigError: There is no such variant, or nothing would be left of a level.
    """
    if variant not in ("A", "B", "C", "D") or levels < 1 or features // 2 < base:
        raise ConfigError(
            f"PRM-{variant} of {levels} levels with 1/{base} of {features // 2} channels; variants "
            "are A, B, C and D, and at least one level of one channel must be left"
        )

    def block(inputs: int, outputs: int, **how: bool) -> PRM:
        return PRM(inputs, outputs, width=outputs // base, levels=levels, variant=variant, **how)

    return PyraNet(stacks, channels, features, block)
