"""RTMDet: CSPNeXt, a path down and up again through its levels, and a light head on each.

Lyu, Zhang, Huang, Zhou, Wang, Liu, Zhang and Chen, "RTMDet: an empirical study of designing
real-time object detectors", arXiv 2212.07784. ``codecs/points.py`` reads the outputs.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.cspnext import ConvUnit, CSPLayer, CSPNeXt, Separable, conv3

STRIDES = (8, 16, 32)
VARIANTS = {
    "nano": (0.25, 0.33, 64, 1),
    "tiny": (0.375, 0.167, 96, 1),
    "s": (0.5, 0.33, 128, 1),
    "m": (0.75, 0.67, 192, 2),
    "l": (1.0, 1.0, 256, 3),
}
"""Factors on the trunk's channels and blocks; channels of the head; blocks of a neck's layer."""

LAYOUTS: dict[str, Layout] = {
    "mmdetection": (
        (r"backbone\.", "trunk."),
        # Where levels share a convolution, it is stored once per level.
        (r"bbox_head\.(cls|reg)_convs\.[12]\.\d\.conv\.", None),
        (r"bbox_head\.(cls|reg)_convs\.0\.(\d)\.conv\.", r"\1.convs.\2."),
        (r"bbox_head\.(cls|reg)_convs\.(\d)\.(\d)\.bn\.", r"\1.norms.\2.\3."),
        (r"bbox_head\.(cls|reg)_convs\.(\d)\.(\d)\.", r"\1.levels.\2.\3."),
        (r"bbox_head\.rtm_(cls|reg)\.", r"\1.out."),
        (r"data_preprocessor\.", None),
    )
}
"""How public checkpoints name the parameters of :class:`RTMDet`."""

IMAGENET: dict[str, Layout] = {
    "mmdetection": ((r"backbone\.", ""), (r"(head|neck|data_preprocessor)\.", None))
}
"""How checkpoints of classifiers name the trunk."""


class Neck(nn.Module):
    """Features of a level meet those of coarser ones, then those of finer ones (PAFPN)."""

    def __init__(
        self, widths: tuple[int, ...], width: int, blocks: int, *, separable: bool
    ) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int) -> CSPLayer:
            return CSPLayer(
                inputs, outputs, blocks, shortcut=False, separable=separable, attention=False
            )

        fine, middle, coarse = widths
        self.reduce_layers = nn.ModuleList([ConvUnit(coarse, middle, 1), ConvUnit(middle, fine, 1)])
        self.top_down_blocks = nn.ModuleList([layer(2 * middle, middle), layer(2 * fine, fine)])
        self.downsamples = nn.ModuleList(
            conv3(inputs, inputs, 2, separable=separable) for inputs in (fine, middle)
        )
        self.bottom_up_blocks = nn.ModuleList([layer(2 * fine, middle), layer(2 * middle, coarse)])
        self.out_convs = nn.ModuleList(
            conv3(inputs, width, separable=separable) for inputs in widths
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels at stride 8, 16 and 32 -> the same, all B width h w."""
        x, reduced = levels[-1], []
        for lateral, reduce, block in zip(
            levels[-2::-1], self.reduce_layers, self.top_down_blocks, strict=True
        ):
            reduced.append(reduce(x))
            up = F.interpolate(reduced[-1], scale_factor=2.0, mode="nearest")
            x = block(torch.cat([up, lateral], dim=1))
        found = [x]
        for below, down, block in zip(
            reversed(reduced), self.downsamples, self.bottom_up_blocks, strict=True
        ):
            found.append(block(torch.cat([down(found[-1]), below], dim=1)))
        return [conv(x) for conv, x in zip(self.out_convs, found, strict=True)]


class Shared(nn.Module):
    """Two convolutions for all levels, which normalise each for itself; an output per level."""

    def __init__(self, width: int, outputs: int, depth: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(depth)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth)) for _ in STRIDES
        )
        self.out = nn.ModuleList(nn.Conv2d(width, outputs, 1) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """B width h w each -> B outputs h w each."""
        found = []
        for x, norms, out in zip(levels, self.norms, self.out, strict=True):
            for conv, norm in zip(self.convs, norms, strict=True):
                x = F.silu(norm(conv(x)))
            found.append(out(x))
        return found


class Own(nn.Module):
    """Two separable convolutions and an output per level."""

    def __init__(self, width: int, outputs: int, depth: int = 2) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(*(Separable(width, width, 3) for _ in range(depth))) for _ in STRIDES
        )
        self.out = nn.ModuleList(nn.Conv2d(width, outputs, 1) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """B width h w each -> B outputs h w each."""
        towers = zip(levels, self.levels, self.out, strict=True)
        return [out(tower(x)) for x, tower, out in towers]


class RTMDet(nn.Module):
    """At each cell of three grids: is a person there, and how far are the sides of the box.

    Args:
        trunk: Its last three stages are read.
        width: Channels of the head.
        blocks: Blocks of a layer of the neck.
        classes: Number of classes.
        separable: Separable convolutions throughout, and a head of its own on every level.
        exponential: Distances are exponentials, as in the larger networks.
    """

    def __init__(
        self,
        trunk: CSPNeXt,
        width: int,
        blocks: int = 1,
        *,
        classes: int = 1,
        separable: bool = False,
        exponential: bool = False,
    ) -> None:
        super().__init__()
        self.trunk, self.exponential = trunk, exponential
        self.neck = Neck(trunk.widths[1:], width, blocks, separable=separable)
        head = Own if separable else Shared
        self.cls, self.reg = head(width, classes), head(width, 4)
        for out in self.cls.out:  # a cell scores 0.01 at first (Lin et al. 2017)
            nn.init.normal_(out.weight, std=0.01)
            nn.init.constant_(out.bias, -math.log(99))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage of logits and distances at stride S = 8, 16, 32.

        ``scoreS``: B classes H/S W/S. ``boxS``: B 4 H/S W/S, pixels from a cell's point to left,
        top, right and bottom.
        """
        require_divisible(x, 32)
        levels = self.neck(self.trunk(x)[1:])
        sides = self.reg(levels)
        if self.exponential:
            sides = [side.exp() for side in sides]
        stage = {f"score{s}": logit for s, logit in zip(STRIDES, self.cls(levels), strict=True)}
        stage |= {f"box{s}": side * s for s, side in zip(STRIDES, sides, strict=True)}
        return [stage]


def rtmdet(variant: str = "nano", classes: int = 1) -> RTMDet:
    """RTMDet ``nano``, ``tiny``, ``s``, ``m`` or ``l``."""
    if variant not in VARIANTS:
        raise ConfigError(f"no RTMDet {variant!r}; there are {', '.join(VARIANTS)}")
    widen, deepen, width, blocks = VARIANTS[variant]
    separable = variant == "nano"
    return RTMDet(
        CSPNeXt(widen, deepen, separable=separable),
        width,
        blocks,
        classes=classes,
        separable=separable,
        exponential=variant in ("m", "l"),
    )
