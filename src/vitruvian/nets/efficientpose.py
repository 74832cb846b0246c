"""EfficientPose: a detailed and a wide-angle trunk, three passes of dense blocks, fixed upsampling.

Groos, Ramampiaro and Ihlen, "EfficientPose: scalable single-person pose estimation", Applied
Intelligence 2021.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout, rename
from vitruvian.nets.efficientnet import MBConv, batch_norm, init_efficientnet, same_pad

PARTS = {
    "conv1": "expand_conv",
    "conv1_bn": "expand_bn",
    "dconv1": "dwconv",
    "dconv1_bn": "bn",
    "se_se_squeeze_conv": "se_reduce",
    "se_se_excite_conv": "se_expand",
    "conv2": "project_conv",
    "conv2_bn": "project_bn",
}
"""The authors' names for the parts of a block in the passes -> ours."""

_HEAD = r"(pass\d)_(block\d)_(mbconv\d)_[a-z0-9]+"
_LEAF = r"[a-zA-Z]+(_1)?\."

_RULES = (
    (r"stem_(conv|bn)_res1_\w+\.", r"high.stem_\1."),
    (r"stem_(conv|bn)_res2_\w+\.", r"low.stem_\1."),
    (rf"block(\d[a-z])_(\w+)_res1_{_LEAF}", r"high.blocks.\1.\2."),
    (rf"block(\d[a-z])_(\w+)_res2_{_LEAF}", r"low.blocks.\1.\2."),
    *((rf"{_HEAD}_{theirs}_{_LEAF}", rf"\1.\2.\3.{ours}.") for theirs, ours in PARTS.items()),
    (r"pass3_detection2_confs_convolution\.", "confs."),
)

MPII_ORDER = (12, 11, 10, 13, 14, 15, 9, 5, 1, 0, 4, 3, 2, 6, 7, 8)
"""Where the authors' maps, which go from the head down, have MPII's keypoints."""


def _authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' weights under our names, the maps in MPII's order."""
    ours = {}
    for key, value in state.items():
        name = rename(key, _RULES) or key
        if name.startswith("confs.") and len(value) == len(MPII_ORDER):
            value = value[list(MPII_ORDER)]
        ours[name] = value
    return ours


LAYOUTS: dict[str, Layout] = {"authors": _authors}
"""How public checkpoints name the parameters of :class:`EfficientPose`."""


class Trunk(NamedTuple):
    """The first stages of an EfficientNet: channels of the stem, (repeats, channels) of each."""

    stem: int
    stages: tuple[tuple[int, int], ...]


class Variant(NamedTuple):
    """One published size: trunks, channels of the passes, dense blocks in each pass."""

    high: Trunk
    low: Trunk | None
    width: int
    blocks: int


B0, B1 = Trunk(32, ((1, 16), (2, 24))), Trunk(32, ((2, 16), (3, 24)))
VARIANTS = {
    "rt": Variant(Trunk(32, ((1, 16), (2, 24), (2, 40))), None, 40, 1),
    "i": Variant(Trunk(32, ((2, 16), (3, 24), (3, 48))), B0, 48, 1),
    "ii": Variant(Trunk(48, ((2, 24), (4, 32), (4, 56))), B0, 56, 2),
    "iii": Variant(Trunk(48, ((3, 24), (5, 40), (5, 64))), B1, 64, 3),
    "iv": Variant(Trunk(64, ((4, 32), (7, 48), (7, 80))), Trunk(40, ((2, 24), (3, 32))), 80, 4),
}
"""Table 2 of the paper."""

_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6))
"""Kernel, stride and expansion of EfficientNet's first three stages."""


def e_swish(x: Tensor) -> Tensor:
    """1.25 x sigmoid(x) (Alcaide 2018)."""
    return 1.25 * F.silu(x)


class EfficientTrunk(nn.Module):
    """Stem at stride 2 and the first stages of an EfficientNet.

    Args:
        trunk: Stem and stages.
        cut: Take what the last block found without the shortcut around it, as the authors' low
            resolution trunks do.
    """

    def __init__(self, trunk: Trunk, *, cut: bool = False) -> None:
        super().__init__()
        self.stem_conv = nn.Conv2d(3, trunk.stem, 3, 2, bias=False)
        self.stem_bn = batch_norm(trunk.stem)
        self.blocks = nn.ModuleDict()
        inputs = trunk.stem
        for stage, (repeats, outputs) in enumerate(trunk.stages):
            kernel, stride, expansion = _STAGES[stage]
            for repeat in range(repeats):
                last = stage == len(trunk.stages) - 1 and repeat == repeats - 1
                self.blocks[f"{stage + 1}{'abcdefg'[repeat]}"] = MBConv(
                    inputs,
                    outputs,
                    expansion=expansion,
                    kernel=kernel,
                    stride=stride if repeat == 0 else 1,
                    residual=not (cut and last),
                )
                inputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B C h w at stride 2 to the number of strided stages plus one."""
        x = F.silu(self.stem_bn(self.stem_conv(same_pad(x, 3, 2))))
        for block in self.blocks.values():
            x = block(x)
        return x


class DenseBlock(nn.Module):
    """Three inverted blocks that hand on all they found (Sec. 3.2)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        block = partial(
            MBConv,
            kernel=5,
            width=6 * width,
            squeeze=width // 4,
            activation=e_swish,
            residual=False,
        )
        self.mbconv1 = block(inputs, width)
        self.mbconv2 = block(width, width)
        self.mbconv3 = block(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B 3*width h w."""
        first = self.mbconv1(x)
        both = torch.cat([self.mbconv2(first), first], dim=1)
        return torch.cat([self.mbconv3(both), both], dim=1)


class Pass(nn.Module):
    """Dense blocks, each added to what came before."""

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        for number in range(blocks):
            block = DenseBlock(3 * width if number else inputs, width)
            self.add_module(f"block{number + 1}", block)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B 3*width h w."""
        first, *others = self.children()
        x = first(x)
        for block in others:
            x = x + block(x)
        return x


class EfficientPose(nn.Module):
    """Limbs first, keypoints in two more passes, all at stride 8; then up to every pixel.

    Args:
        variant: See :data:`VARIANTS`.
        channels: Number of heatmaps K.
        limbs: Number of limbs E whose fields the first pass is asked for while training; 0 leaves
            out the intermediate outputs, as the released weights do.
    """

    def __init__(self, variant: Variant, channels: int, limbs: int = 0) -> None:
        super().__init__()
        self.high = EfficientTrunk(variant.high)
        self.low = EfficientTrunk(variant.low, cut=True) if variant.low else None
        features = sum(t.stages[-1][1] for t in (variant.high, variant.low) if t)
        width = variant.width
        self.pass1 = Pass(features, width, variant.blocks)
        self.pass2 = Pass(features + 3 * width, width, variant.blocks)
        self.pass3 = Pass(features + 3 * width, width, variant.blocks)
        self.confs = nn.Conv2d(3 * width, channels, 1)
        self.limbs = nn.Conv2d(3 * width, 2 * limbs, 1) if limbs else None
        self.early_confs = nn.Conv2d(3 * width, channels, 1) if limbs else None
        init_efficientnet(self)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> last stage {"heatmap": B K H W}; H and W divide by 8.

        With ``limbs`` two stages come before: {"paf": B 2E H W} and {"heatmap": B K H W}.
        """
        require_divisible(x, 8)
        features = self.high(x)
        if self.low is not None:
            features = torch.cat([features, self.low(F.avg_pool2d(x, 2))], dim=1)
        first = self.pass1(features)
        second = self.pass2(torch.cat([first, features], dim=1))
        third = self.pass3(torch.cat([second, features], dim=1))
        last = {"heatmap": upsample(self.confs(third))}
        if self.limbs is None:
            return [last]
        early = {"heatmap": upsample(self.early_confs(second))}
        return [{"paf": upsample(self.limbs(first))}, early, last]


def upsample(x: Tensor) -> Tensor:
    """Three transposed convolutions with bilinear weights: B C h w -> B C 8h 8w.

    Not quite bilinear interpolation: it reads zeros beyond the border.
    """
    taps = x.new_tensor([0.25, 0.75, 0.75, 0.25])
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    for _ in range(3):
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])
    return x


def efficientpose(variant: str = "rt", channels: int = 16, *, limbs: int = 0) -> EfficientPose:
    """EfficientPose ``rt``, ``i``, ``ii``, ``iii`` or ``iv``."""
    if variant not in VARIANTS:
        raise ConfigError(f"no EfficientPose {variant!r}; there are {', '.join(VARIANTS)}")
    return EfficientPose(VARIANTS[variant], channels, limbs)
