"""EvoPose2D: seven stages of inverted residuals, their numbers found by evolution.

McNally, Vats, Wong and McPhee, "EvoPose2D: pushing the boundaries of 2D human pose estimation using
accelerated neuroevolution with weight transfer", IEEE Access 2021. A genome has a row for each
stage; a network for larger inputs is the same genome, deeper and wider (Tan and Le 2019).
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.core.genome import Gene
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.efficientnet import MBConv, batch_norm, init_efficientnet

Genome = Sequence[Sequence[int]]
"""A row for each stage: kernel, number of blocks, channels / 8, stride of the first block."""

ANCESTOR: Genome = (
    (3, 1, 2, 1),
    (3, 2, 3, 2),
    (5, 2, 5, 2),
    (3, 3, 10, 2),
    (5, 3, 14, 1),
    (5, 4, 24, 2),
    (3, 1, 40, 1),
)
"""EfficientNet-B0's, from which the search starts."""

SMALL: Genome = (
    (3, 1, 2, 1),
    (3, 3, 3, 2),
    (5, 2, 5, 2),
    (3, 4, 10, 2),
    (5, 2, 14, 1),
    (5, 4, 16, 1),
    (3, 2, 10, 1),
)
"""What the search found: EvoPose2D-S and, for larger inputs, M and L."""

EXTRA_SMALL: Genome = (*SMALL[:5], (5, 4, 16, 2), SMALL[6])
"""The same with the ancestor's stride; maps half as large."""

MAX_STRIDES = 4
"""Stages that may halve what they see."""

_SCALE = 255.0
"""The authors' maps have this peak, ours have 1."""


def _keras(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our names and axes of what Keras keeps as ``layer/layer/variable:0``."""
    found = {}
    for key, tensor in state.items():
        layer, _, variable = key.removesuffix(":0").rpartition("/")
        module = _module(layer.rpartition("/")[2])
        if module is None or variable not in _VARIABLES:
            found[key] = tensor
            continue
        name, axes = _VARIABLES[variable]
        tensor = tensor.permute(axes) if axes else tensor
        found[f"{module}.{name}"] = tensor / _SCALE if module == "final_conv" else tensor
    return found


_VARIABLES: dict[str, tuple[str, tuple[int, ...]]] = {
    "kernel": ("weight", (3, 2, 0, 1)),
    "depthwise_kernel": ("weight", (2, 3, 0, 1)),
    "bias": ("bias", ()),
    "gamma": ("weight", ()),
    "beta": ("bias", ()),
    "moving_mean": ("running_mean", ()),
    "moving_variance": ("running_var", ()),
}


def _module(layer: str) -> str | None:
    if layer in ("stem_conv", "stem_bn", "final_conv"):
        return layer
    if block := re.fullmatch(r"block(\d)([a-z])_(\w+)", layer):
        return f"blocks.{int(block[1]) - 1}.{ord(block[2]) - ord('a')}.{block[3]}"
    if head := re.fullmatch(r"head_block(\d)_(\w+)", layer):
        return f"head.{int(head[1]) - 1}.{head[2]}"
    return None


LAYOUTS: dict[str, Layout] = {"keras": _keras}
"""How the authors' checkpoints name the parameters of :class:`EvoPose2D`."""


class Doubling(nn.Module):
    """Transposed 3x3 convolution to twice the size, normalisation, swish.

    TensorFlow's SAME leaves the last row and column of the full answer out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, 2, bias=False)
        self.bn = batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs 2h 2w."""
        return F.silu(self.bn(self.conv(x)[..., :-1, :-1]))


class EvoPose2D(nn.Module):
    """Stem, seven stages, three doublings, maps.

    Args:
        genome: See :data:`Genome`.
        channels: Number of heatmaps K.
        depth: Factor on the number of blocks, rounded up.
        width: Factor on all channels, rounded to 8.
        drop: Chance of a block to be skipped in training, rising from 0 towards this.
        last: Kernel of the last convolution.
    """

    def __init__(
        self,
        genome: Genome,
        channels: int,
        *,
        depth: float,
        width: float,
        drop: float,
        last: int,
    ) -> None:
        super().__init__()
        stem, head = _filters(32, width), _filters(128, width)
        counts = [math.ceil(depth * repeats) for _, repeats, _, _ in genome]
        outputs = [_filters(8 * filters, width) for _, _, filters, _ in genome]
        first = [0, *accumulate(counts)]
        self.divisor = 2 * math.prod(stride for *_, stride in genome)
        self.stem_conv = nn.Conv2d(3, stem, 3, 2, bias=False)
        self.stem_bn = batch_norm(stem)
        self.blocks = nn.ModuleList()
        for stage, (kernel, _, _, stride) in enumerate(genome):
            inputs = outputs[stage - 1] if stage else stem
            self.blocks.append(
                nn.Sequential(
                    *(
                        MBConv(
                            outputs[stage] if block else inputs,
                            outputs[stage],
                            expansion=6 if stage else 1,
                            kernel=kernel,
                            stride=1 if block else stride,
                            drop=drop * (first[stage] + block) / first[-1],
                        )
                        for block in range(counts[stage])
                    )
                )
            )
        self.head = nn.Sequential(
            Doubling(outputs[-1], head), Doubling(head, head), Doubling(head, head)
        )
        self.final_conv = nn.Conv2d(head, channels, last, padding=last // 2)
        init_efficientnet(self)
        with torch.no_grad():
            self.final_conv.weight /= _SCALE

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K h w}; sides divide by ``divisor``."""
        require_divisible(x, self.divisor)
        x = F.silu(self.stem_bn(self.stem_conv(F.pad(x, (0, 1, 0, 1)))))
        for stage in self.blocks:
            x = stage(x)
        return [{"heatmap": self.final_conv(self.head(x))}]


def _filters(wanted: float, width: float) -> int:
    """The multiple of 8 that is nearest to ``width * wanted``, never below 90 % of it."""
    wanted *= width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def genes(genome: Genome = ANCESTOR, **_: object) -> dict[str, object]:
    """Ranges of a search from ``genome`` (Sec. III-B): no stage becomes wider than there."""
    return {
        "genome": tuple(
            (
                Gene(options=(3, 5)),
                Gene(options=(1, 2, 3, 4), step=True),
                Gene(options=tuple(range(1, filters + 1))),
                Gene(options=(1, 2) if stage > 3 else (), step=True),
            )
            for stage, (_, _, filters, _) in enumerate(genome)
        )
    }


def evopose2d(
    genome: Genome = SMALL, channels: int = 17, *, resolution: float = 224.0, last: int = 1
) -> EvoPose2D:
    """A point of the search space, scaled for an input.

    Args:
        genome: See :data:`Genome`.
        channels: Number of heatmaps K.
        resolution: Mean of the input's height and width in pixels; the genome as it is is for 224.
        last: Kernel of the last convolution; 3 in the search, 1 in the published networks.

    Raises:
        ConfigError: The genome is outside the space that is searched.
    """
    for row in genome:
        if len(row) != 4 or row[0] % 2 != 1 or min(row) < 1 or row[3] > 2:
            raise ConfigError(
                f"genome row {row!r}: kernel (odd), blocks, channels / 8, stride (1 or 2) expected"
            )
    strides = sum(row[3] == 2 for row in genome)
    if not genome or strides > MAX_STRIDES:
        raise ConfigError(
            f"genome of {len(genome)} stages, {strides} of them with stride 2; at least one stage "
            f"and at most {MAX_STRIDES} strides are accepted"
        )
    phi = math.log(resolution / 224) / math.log(1.15)
    drop = 0.2 if resolution <= 240 else 0.3 if resolution <= 300 else 0.4
    return EvoPose2D(
        genome,
        channels,
        depth=1.2**phi,
        width=1.1**phi,
        drop=drop if resolution <= 456 else 0.5,
        last=last,
    )


def evopose2d_ancestor(genome: Genome = ANCESTOR, channels: int = 17) -> EvoPose2D:
    """What the paper's search starts from; stride 4."""
    return evopose2d(genome, channels, last=3)


def evopose2d_xs(genome: Genome = EXTRA_SMALL, channels: int = 17) -> EvoPose2D:
    """EvoPose2D-XS, for 256 x 192; stride 4."""
    return evopose2d(genome, channels)


def evopose2d_s(genome: Genome = SMALL, channels: int = 17) -> EvoPose2D:
    """EvoPose2D-S, for 256 x 192; stride 2."""
    return evopose2d(genome, channels)


def evopose2d_m(genome: Genome = SMALL, channels: int = 17) -> EvoPose2D:
    """EvoPose2D-M, for 384 x 288; stride 2."""
    return evopose2d(genome, channels, resolution=336)


def evopose2d_l(genome: Genome = SMALL, channels: int = 17) -> EvoPose2D:
    """EvoPose2D-L, for 512 x 384; stride 2."""
    return evopose2d(genome, channels, resolution=448)
