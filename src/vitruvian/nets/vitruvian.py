"""The bundled networks: EfficientPose's real-time trunk with heads of our own.

Why this trunk. Little data is at hand and less time, so what the networks know of people has to
come from somewhere: the authors of EfficientPose (Groos et al. 2021) publish weights that learnt
26,000 people of MPII, under Apache-2.0, of a network that is small enough for any processor. The
pose network goes on from them at stride 4, with a distribution per keypoint in place of their
bilinear maps; the detector adds a U of plain 3x3 residual blocks that sees the whole picture.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets import efficientpose
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.efficientnet import same_pad
from vitruvian.nets.efficientpose import VARIANTS, EfficientTrunk, Pass, Variant


def _authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An EfficientPose, the authors' or ours, without its last layer."""
    (rename,) = efficientpose.LAYOUTS.values()
    assert callable(rename)
    return {k: v for k, v in rename(state).items() if not k.startswith("confs.")}


IMAGENET = {
    "EfficientPose": _authors,
    "vitruvian pose": ((r"(up|lateral|mix|head|trunk\.pass3)\.", None), (r"trunk\.", "")),
}
"""How checkpoints name the parameters of a trunk (see nets/convert.py)."""


class Residual(nn.Module):
    """Basic block (He et al. 2016): two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.short = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.short = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B C' H/stride W/stride."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.short(x))


class Lateral(nn.Sequential):
    """1x1 convolution and normalisation, to the width of the level above."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Stage(nn.Module):
    """One U: down through ``widths`` with ``depths`` blocks a level, up again by sums.

    Args:
        widths: Channels of each level; a level halves the resolution.
        depths: Blocks of each level on the way down.
    """

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        previous = widths[0]
        for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [Residual(previous, width, 1 if level == 0 else 2)]
            blocks += [Residual(width, width) for _ in range(depth - 1)]
            self.down.append(nn.Sequential(*blocks))
            previous = width
        pairs = list(pairwise(widths))
        self.lateral = nn.ModuleList(Lateral(below, above) for above, below in pairs)
        self.up = nn.ModuleList(Residual(above, above) for above, _ in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w, C = ``widths[0]``."""
        levels = []
        for down in self.down:
            x = down(x)
            levels.append(x)
        for skip, lateral, up in zip(
            levels[-2::-1], reversed(self.lateral), reversed(self.up), strict=True
        ):
            x = up(F.relu(skip + F.interpolate(lateral(x), size=skip.shape[-2:], mode="nearest")))
        return x


class Trunk(nn.Module):
    """EfficientPose up to its last features, with those of stride 4 beside them.

    Args:
        variant: Size of the EfficientPose; one without a low-resolution trunk.
        passes: How many of its three passes.
    """

    def __init__(self, variant: Variant, passes: int) -> None:
        super().__init__()
        self.high = EfficientTrunk(variant.high)
        shallow, wide = variant.high.stages[-1][1], 3 * variant.width
        for number in range(1, passes + 1):
            inputs = shallow + (wide if number > 1 else 0)
            self.add_module(f"pass{number}", Pass(inputs, variant.width, variant.blocks))
        self.passes = passes
        self.widths = (variant.high.stages[1][1], shallow, wide)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """B 3 H W normalised -> B C h w at stride 4, at stride 8, and after the passes (8)."""
        x = F.silu(self.high.stem_bn(self.high.stem_conv(same_pad(x, 3, 2))))
        fine = x
        for name, block in self.high.blocks.items():
            x = block(x)
            if name.startswith("2"):
                fine = x
        deep = self.pass1(x)
        for number in range(2, self.passes + 1):
            deep = self.get_submodule(f"pass{number}")(torch.cat([deep, x], dim=1))
        return fine, x, deep


class Pose(nn.Module):
    """The trunk, and one map of logits per keypoint at stride 4.

    Args:
        channels: Number of keypoints K.
        variant: Size of the trunk.
        width: Channels at stride 4.
    """

    def __init__(
        self, channels: int = 17, variant: Variant = VARIANTS["rt"], width: int = 48
    ) -> None:
        super().__init__()
        self.trunk = Trunk(variant, passes=3)
        fine, _, deep = self.trunk.widths
        self.up = nn.Sequential(
            nn.Conv2d(deep, 4 * width, 1, bias=False), nn.PixelShuffle(2), nn.BatchNorm2d(width)
        )
        self.lateral = Lateral(fine, width)
        self.mix = Residual(width, width)
        self.head = nn.Conv2d(width, channels, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"heatmap": B K H/4 W/4}; H and W divide by 8."""
        require_divisible(x, 8)
        fine, _, deep = self.trunk(x)
        feature = F.relu(self.up(deep) + self.lateral(fine))
        return [{"heatmap": self.head(self.mix(feature))}]


class Spotter(nn.Module):
    """The trunk, a U that sees the whole picture, and the heads of codecs/centres.py.

    Args:
        variant: Size of the trunk.
        widths: Channels of the U's levels, from stride 8.
        depths: Blocks of its levels.
    """

    def __init__(
        self,
        variant: Variant = VARIANTS["rt"],
        widths: tuple[int, ...] = (56, 96, 160),
        depths: tuple[int, ...] = (1, 2, 2),
    ) -> None:
        super().__init__()
        self.trunk = Trunk(variant, passes=2)
        _, shallow, deep = self.trunk.widths
        self.enter = Lateral(shallow + deep, widths[0])
        self.stage = Stage(widths, depths)
        self.centre = nn.Conv2d(widths[0], 1, 1)
        self.box = nn.Conv2d(widths[0], 4, 1)
        for head, bias in ((self.centre, -3.0), (self.box, 1.5)):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"centre": B 1 H/8 W/8, "box": B 4 H/8 W/8}."""
        require_divisible(x, 8)
        _, shallow, deep = self.trunk(x)
        feature = self.stage(F.relu(self.enter(torch.cat([shallow, deep], dim=1))))
        return [{"centre": self.centre(feature), "box": self.box(feature)}]


def pose_s(channels: int = 17) -> Pose:
    """The bundled pose network."""
    return Pose(channels)


def person_s() -> Spotter:
    """The bundled person detector."""
    return Spotter()
