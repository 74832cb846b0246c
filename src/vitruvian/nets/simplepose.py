"""SimplePose: hourglasses that predict keypoints and body parts at five scales each.

Li, Su and Wang, "Simple pose: rethinking and improving a bottom-up approach for multi-person pose
estimation", AAAI 2020 (identity mapping hourglass network, IMHN). There are two public versions of
the network. ``posenet`` belongs to the released weights: bottleneck blocks, dilated stem, channel
attention after the features. ``final`` has plain 3x3 convolutions and the attention before them.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout

Version = Literal["posenet", "final"]

SCALES = 5
"""Resolutions at which every hourglass predicts: stride 4 to 64."""

_DILATIONS = (3, 3, 4, 4, 5, 5)
_NAMES = (
    (r"^posenet\.", ""),
    (r"^hourglass\.(\d+)\.hg\.3\.(?:4(?=\.convBlock)|6)\.", r"hourglasses.\1.bottom."),
    (r"^hourglass\.(\d+)\.hg\.(\d)\.0\.", r"hourglasses.\1.levels.\2.skip."),
    (r"^hourglass\.(\d+)\.hg\.(\d)\.1\.", r"hourglasses.\1.levels.\2.down."),
    (r"^hourglass\.(\d+)\.hg\.(\d)\.2\.", r"hourglasses.\1.levels.\2.up."),
    (r"^hourglass\.(\d+)\.hg\.(\d)\.3\.", r"hourglasses.\1.levels.\2.refine.0."),
    (r"^hourglass\.(\d+)\.hg\.(\d)\.4\.", r"hourglasses.\1.levels.\2.refine.1."),
    (r"\.before_regress\.", "."),
    (r"^outs\.(\d+)\.(\d)\.conv\.", r"heads.\1.\2."),
    (r"^channel_attention\.", "attention."),
    (r"^(merge_\w+\.\d+\.\d)\.conv\.", r"\1."),
    (r"\.convBlock\.", ".body."),
    (r"\.skipConv\.", ".skip."),
)


def _authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in _NAMES:
            key = re.sub(pattern, replacement, key)
        renamed[key] = tensor
    return renamed


LAYOUTS: dict[str, Layout] = {"authors": _authors}
"""How the authors' checkpoints, with ``posenet.`` before every name or without, name things."""


def _conv(
    inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1, relu: bool = True
) -> nn.Sequential:
    pad = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=pad, dilation=dilation, bias=False)
    layers = OrderedDict(conv=conv, bn=nn.BatchNorm2d(outputs))
    return nn.Sequential(layers | {"relu": nn.LeakyReLU(inplace=True)} if relu else layers)


class Residual(nn.Module):
    """1x1 to half the width, 3x3, 1x1 to the full, around a shortcut.

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        sizes = ((inputs, half, 1), (half, half, 3), (half, outputs, 1))
        layers = [layer for size in sizes for layer in _conv(*size)]
        self.body = nn.Sequential(*layers[:-1])
        shortcut = () if inputs == outputs else _conv(inputs, outputs, 1, relu=False)
        self.skip = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs H W -> B outputs H W."""
        return F.leaky_relu(self.body(x) + self.skip(x), inplace=True)


class Attention(nn.Module):
    """Factors in [0, 1] per channel from the channels' means (Hu et al. 2018).

    Args:
        width: Channels in and out.
        reduction: Channels per hidden one.
    """

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = width // reduction
        self.fc = nn.Sequential(
            nn.Linear(width, hidden), nn.LeakyReLU(), nn.Linear(hidden, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> the same."""
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]


class Level(nn.Module):
    """One resolution of an hourglass: a copy stays, the rest goes down and comes back.

    Args:
        width: Channels here.
        lower: Channels at half the resolution.
        version: See the module.
    """

    def __init__(self, width: int, lower: int, version: Version) -> None:
        super().__init__()
        plain = version == "final"
        block = _conv if plain else Residual
        self.skip = _conv(width, width, relu=False) if plain else Residual(width, width)
        self.down = block(width, lower)
        self.up = block(lower, width)
        self.refine = nn.Sequential(_conv(width, width))
        if plain:
            self.refine.append(_conv(width, width, relu=False))
        self.relu = plain

    def merge(self, skip: Tensor, low: Tensor) -> Tensor:
        """The copy and what comes up from half the resolution."""
        x = skip + self.refine(F.interpolate(self.up(low), scale_factor=2.0))
        return F.leaky_relu(x, inplace=True) if self.relu else x


class Hourglass(nn.Module):
    """Down to the last of the widths and up again; the maps of every resolution come out.

    Args:
        widths: Channels at each resolution, the finest first.
        version: See the module.
    """

    def __init__(self, widths: tuple[int, ...], version: Version) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(a, b, version) for a, b in pairwise(widths))
        self.bottom = (_conv if version == "final" else Residual)(widths[-1], widths[-1])

    def forward(self, x: Tensor) -> list[Tensor]:
        """B widths[0] H W -> B widths[s] H/2^s W/2^s for every scale s."""
        skips = []
        for level in self.levels:
            skips.append(level.skip(x))
            x = level.down(F.max_pool2d(x, 2))
        maps = [self.bottom(x)]
        for level, skip in zip(reversed(self.levels), reversed(skips), strict=True):
            maps.append(level.merge(skip, maps[-1]))
        return maps[::-1]


class Stem(nn.Module):
    """From the picture to stride 4.

    Args:
        width: Channels that come out.
        version: See the module.
    """

    def __init__(self, width: int, version: Version) -> None:
        super().__init__()
        half = 128 if version == "final" else width // 2
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.res1 = Residual(64, half)
        self.res2 = Residual(half, half)
        if version == "final":
            self.res3 = Residual(half, width)
        else:
            self.dilation = nn.Sequential(*(_conv(half, half, dilation=d) for d in _DILATIONS))
        self.dilated = version == "posenet"

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B width H/4 W/4."""
        x = F.leaky_relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.res2(F.max_pool2d(self.res1(x), 2))
        return torch.cat([x, self.dilation(x)], dim=1) if self.dilated else self.res3(x)


class SimplePose(nn.Module):
    """Hourglasses in a row; what one predicts and sees at a scale is added to the next one there.

    Args:
        stacks: Number of hourglasses.
        limbs: Number of body parts E.
        channels: Number of keypoints K.
        widths: Channels at each of the scales, the finest first.
        version: See the module.
    """

    def __init__(
        self, stacks: int, limbs: int, channels: int, widths: tuple[int, ...], version: Version
    ) -> None:
        super().__init__()
        self.fields = {"limb": limbs, "heatmap": channels, "person": 1, "foreground": 1}
        self.final = version == "final"
        self.divisor = 4 << (len(widths) - 1)
        width, outputs = widths[0], sum(self.fields.values())
        each, merged = range(stacks), range(stacks - 1)

        def per_scale(make):
            return nn.ModuleList(map(make, widths))

        def features(inputs):
            if self.final:
                layers = [_conv(inputs, width, 1), _conv(width, width), _conv(width, width)]
            else:
                layers = [_conv(inputs, width), _conv(width, width), Attention(width)]
            return nn.Sequential(*layers)

        self.pre = Stem(width, version)
        self.hourglasses = nn.ModuleList(Hourglass(widths, version) for _ in each)
        if self.final:
            self.attention = nn.ModuleList(per_scale(Attention) for _ in each)
        self.features = nn.ModuleList(per_scale(features) for _ in each)
        self.heads = nn.ModuleList(per_scale(lambda _: nn.Conv2d(width, outputs, 1)) for _ in each)
        self.merge_features = nn.ModuleList(
            per_scale(lambda c: _conv(width, c, 1, relu=False)) for _ in merged
        )
        self.merge_preds = nn.ModuleList(
            per_scale(lambda c: _conv(outputs, c, 1, relu=False)) for _ in merged
        )
        _init(self)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W, BGR in [0, 1] -> stages {"limb", "heatmap", "person", "foreground"}.

        Every hourglass gives five of them, from stride 64 to stride 4. H and W divide by 64.
        """
        require_divisible(x, self.divisor)
        x, cache = self.pre(x), None
        stages = []
        for index, hourglass in enumerate(self.hourglasses):
            maps = hourglass(x)
            if self.final:
                maps = [see(m) for see, m in zip(self.attention[index], maps, strict=True)]
            if cache is not None:
                maps = [m + c for m, c in zip(maps, cache, strict=True)]
            seen = [look(m) for look, m in zip(self.features[index], maps, strict=True)]
            found = [head(s) for head, s in zip(self.heads[index], seen, strict=True)]
            stages += [self._stage(maps) for maps in reversed(found)]
            if index < len(self.merge_preds):
                merges = zip(
                    self.merge_preds[index], found, self.merge_features[index], seen, strict=True
                )
                cache = [predicted(f) + looked(s) for predicted, f, looked, s in merges]
                x = x + cache[0]
        return stages

    def _stage(self, maps: Tensor) -> dict[str, Tensor]:
        parts = maps.split(tuple(self.fields.values()), dim=1)
        return dict(zip(self.fields, parts, strict=True))


def _init(net: nn.Module) -> None:
    """What the authors start from."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.001 if isinstance(module, nn.Conv2d) else 0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def simplepose(
    stacks: int = 4,
    limbs: int = 30,
    channels: int = 18,
    *,
    version: Version = "posenet",
    width: int = 256,
    growth: int = 128,
) -> SimplePose:
    """The network of the released weights, or its other version.

    Args:
        stacks: Number of hourglasses; 2, 3 and 4 are published.
        limbs: Number of body parts.
        channels: Number of keypoints.
        version: See the module.
        width: Channels at stride 4.
        growth: Channels more at each halving.

    Raises:
        ConfigError: There is no such version, or less than one stack.
    """
    if version not in ("posenet", "final") or stacks < 1:
        raise ConfigError(
            f"SimplePose of {stacks!r} stacks, version {version!r}; at least 1 stack, versions are "
            "'posenet' and 'final'"
        )
    widths = tuple(accumulate((width, *(growth for _ in range(SCALES - 1)))))
    return SimplePose(stacks, limbs, channels, widths, version)


def simplepose_final(
    stacks: int = 4, limbs: int = 30, channels: int = 18, *, width: int = 256, growth: int = 128
) -> SimplePose:
    """The other published version, without bottlenecks."""
    return simplepose(stacks, limbs, channels, version="final", width=width, growth=growth)
