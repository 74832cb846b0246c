"""The bundled networks: U-shaped stages of plain 3x3 residual blocks.

Why this shape. The default model runs on the CPU of whoever installs it and was trained on two CPU
cores, which reward dense convolutions and punish depth-wise ones: a training step of 4.7 M dense
parameters costs less there than one of 1.3 M in inverted residuals. Residual U-shapes (Newell et
al. 2016) learn from little data; a space-to-depth stem (Shi et al. 2016 in reverse) spends nothing
at full resolution.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS, DEPTHS = (32, 64, 128, 256), (1, 2, 4, 3)
"""Levels of the bundled networks' U."""

IMAGENET = {
    "vitruvian pose": (
        (r"stages\.0\.(lateral|up)\.0\.", None),
        *((rf"stages\.0\.(lateral|up)\.{i}\.", rf"stage.\1.{i - 1}.") for i in range(1, 4)),
        (r"stages\.0\.", "stage."),
        (r"heads\.", None),
    )
}
"""How a pose checkpoint names the parameters of a detector's trunk (see nets/convert.py)."""


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
        finest: Level at which the way up ends.
    """

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], finest: int = 0) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        previous = widths[0]
        for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [Residual(previous, width, 1 if level == 0 else 2)]
            blocks += [Residual(width, width) for _ in range(depth - 1)]
            self.down.append(nn.Sequential(*blocks))
            previous = width
        pairs = list(pairwise(widths[finest:]))
        self.lateral = nn.ModuleList(Lateral(below, above) for above, below in pairs)
        self.up = nn.ModuleList(Residual(above, above) for above, _ in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C' h' w', C' = ``widths[finest]`` at that level's resolution."""
        levels = []
        for down in self.down:
            x = down(x)
            levels.append(x)
        levels = levels[-len(self.up) - 1 :]
        for skip, lateral, up in zip(
            levels[-2::-1], reversed(self.lateral), reversed(self.up), strict=True
        ):
            x = up(F.relu(skip + F.interpolate(lateral(x), size=skip.shape[-2:], mode="nearest")))
        return x


def stem(width: int) -> nn.Sequential:
    """Space to depth by 4, then one convolution."""
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        nn.Conv2d(48, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


class Vitruvian(nn.Module):
    """Stem at stride 4, then stages whose heatmaps are all supervised.

    Args:
        channels: Number of heatmaps K.
        stages: (widths, depths) of each U; all stages share ``widths[0]``.
    """

    def __init__(
        self,
        channels: int = 17,
        stages: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ((WIDTHS, DEPTHS),),
    ) -> None:
        super().__init__()
        width = stages[0][0][0]
        self.stem = stem(width)
        self.stages = nn.ModuleList(Stage(widths, depths) for widths, depths in stages)
        self.heads = nn.ModuleList(nn.Conv2d(width, channels, 1) for _ in stages)
        self.back = nn.ModuleList(Lateral(channels, width) for _ in stages[1:])
        for head in self.heads:
            nn.init.normal_(head.weight, std=0.001)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> per stage {"heatmap": B K H/4 W/4}; H and W divide by 4."""
        x = self.stem(x)
        outputs = []
        for index, (stage, head) in enumerate(zip(self.stages, self.heads, strict=True)):
            feature = stage(x)
            heatmap = head(feature)
            outputs.append({"heatmap": heatmap})
            if index < len(self.back):
                x = F.relu(x + feature + self.back[index](heatmap))
        return outputs


def pose_s(channels: int = 17) -> Vitruvian:
    """The bundled pose network."""
    return Vitruvian(channels)


class Trunk(nn.Module):
    """The pose network's stem and first U, up to stride 8."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = stem(widths[0])
        self.stage = Stage(widths, depths, finest=1)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W normalised -> B C H/8 W/8, C = ``widths[1]``."""
        return self.stage(self.stem(x))


class Spotter(nn.Module):
    """A trunk that knows people from pose training, with the heads of codecs/centres.py."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, depths: tuple[int, ...] = DEPTHS) -> None:
        super().__init__()
        self.trunk = Trunk(widths, depths)
        self.centre = nn.Conv2d(widths[1], 1, 1)
        self.box = nn.Conv2d(widths[1], 4, 1)
        for head, bias in ((self.centre, -3.0), (self.box, 1.5)):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"centre": B 1 H/8 W/8, "box": B 4 H/8 W/8}."""
        feature = self.trunk(x)
        return [{"centre": self.centre(feature), "box": self.box(feature)}]


def person_s() -> Spotter:
    """The bundled person detector."""
    return Spotter()
