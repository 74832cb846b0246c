"""Heads of published systems on the features of the bundled pose network.

The published networks have 25 to 120 million parameters and learn for days. These have half a
million, of which most come from the bundled pose network's trunk (``nets/vitruvian.py``), and learn
in minutes, so that every part of a system but its size can be tried, taught and shipped: targets,
losses, stages, decoding, suppression.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.efficientpose import VARIANTS, Variant
from vitruvian.nets.vitruvian import Lateral, Pose, Residual

LAYOUTS: dict[str, Layout] = {}
"""Nobody else has these networks."""

IMAGENET: dict[str, Layout] = {"vitruvian pose": ((r"head\.", None),)}
"""How checkpoints name the parameters of :class:`Features`."""


class Features(nn.Module):
    """The bundled pose network up to its last layer.

    Args:
        variant: Size of its trunk.
        width: Channels at stride 4.
    """

    def __init__(self, variant: Variant = VARIANTS["rt"], width: int = 48) -> None:
        super().__init__()
        pose = Pose(1, variant, width)
        self.trunk, self.up, self.lateral, self.mix = pose.trunk, pose.up, pose.lateral, pose.mix
        self.widths = (width, self.trunk.widths[2])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """B 3 H W normalised -> B C h w at stride 4, and at stride 8."""
        require_divisible(x, 8)
        fine, _, deep = self.trunk(x)
        return self.mix(F.relu(self.up(deep) + self.lateral(fine))), deep


def _head(inputs: int, outputs: int) -> nn.Conv2d:
    head = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(head.weight, std=0.001)
    nn.init.zeros_(head.bias)
    return head


class Maps(nn.Module):
    """One block and the maps of one representation (G-RMI; Gaussian heat maps).

    Args:
        outputs: Channels by field name, in the order of the last layer.
        variant: Size of the trunk.
        width: Channels at stride 4.
    """

    def __init__(
        self, outputs: dict[str, int], variant: Variant = VARIANTS["rt"], width: int = 48
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.block = Residual(width, width)
        self.head = _head(width, sum(outputs.values()))
        self.outputs = dict(outputs)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {field: B C H/4 W/4}; H and W divide by 8."""
        maps = self.head(self.block(self.trunk(x)[0]))
        return [dict(zip(self.outputs, maps.split(list(self.outputs.values()), 1), strict=True))]


class Hop(nn.Module):
    """The smallest U: down to half the resolution and up again by a sum.

    Args:
        width: Channels in and out.
        hidden: Channels below.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.down, self.deep = Residual(width, hidden, 2), Residual(hidden, hidden)
        self.lateral, self.up = Lateral(hidden, width), Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        below = self.lateral(self.deep(self.down(x)))
        return self.up(F.relu(x + F.interpolate(below, size=x.shape[-2:], mode="nearest")))


class Stages(nn.Module):
    """U-shapes in a row, each adding to the features of the one before (Newell 2016, MSPN).

    Stage n of N has the output ``fine_{N-n}``, whose labels are so many widths coarser, the last
    one ``heatmap``.

    Args:
        channels: Number of keypoints K.
        stages: Number N of stages.
        variant: Size of the trunk.
        width: Channels at stride 4.
        hidden: Channels at stride 8.
    """

    def __init__(
        self,
        channels: int = 17,
        stages: int = 2,
        variant: Variant = VARIANTS["rt"],
        width: int = 48,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.stages = nn.ModuleList(Hop(width, hidden) for _ in range(stages))
        self.heads = nn.ModuleList(_head(width, channels) for _ in range(stages))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> N stages of one output B K H/4 W/4; H and W divide by 8."""
        feature, found = self.trunk(x)[0], []
        for left, (stage, head) in enumerate(
            zip(self.stages, self.heads, strict=True), start=1 - len(self.stages)
        ):
            feature = feature + stage(feature)
            found.append({f"fine_{-left}" if left else "heatmap": head(feature)})
        return found


class Cascade(nn.Module):
    """Maps from either level of the features, and from both together (CPN's two networks).

    Args:
        channels: Number of keypoints K.
        variant: Size of the trunk.
        width: Channels at stride 4 and of the refining network.
    """

    def __init__(
        self, channels: int = 17, variant: Variant = VARIANTS["rt"], width: int = 48
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.enter = Lateral(self.trunk.widths[1], width)
        self.deep, self.fine = Residual(width, width), Residual(width, width)
        self.coarse = nn.ModuleList(_head(width, channels) for _ in range(2))
        self.mix = Residual(2 * width, width)
        self.head = _head(width, channels)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> GlobalNet's ``coarse_1`` and ``coarse_0``, then ``heatmap``.

        All are B K H/4 W/4; H and W divide by 8.
        """
        fine, deep = self.trunk(x)
        deep = self.deep(F.relu(self.enter(deep)))
        low, high = self.coarse[0](deep), self.coarse[1](fine)
        size = fine.shape[-2:]
        deep, low = (F.interpolate(y, size=size, mode="bilinear") for y in (deep, low))
        both = self.mix(torch.cat([self.fine(fine), deep], dim=1))
        return [{"coarse_1": low, "coarse_0": high}, {"heatmap": self.head(both)}]


def small_disk(channels: int = 17) -> Maps:
    """G-RMI's outputs: K logits of discs and 2 K offsets."""
    return Maps({"heatmap": channels, "offset": 2 * channels})


def small_maps(channels: int = 17) -> Maps:
    """One Gaussian map per keypoint."""
    return Maps({"heatmap": channels})


def small_stages(channels: int = 17, stages: int = 2) -> Stages:
    """MSPN's stages."""
    return Stages(channels, stages)


def small_cascade(channels: int = 17) -> Cascade:
    """CPN's GlobalNet and RefineNet."""
    return Cascade(channels)
