"""CPN: a feature pyramid finds the easy keypoints, a refinement of all its levels the hard ones.

Chen, Wang, Peng, Zhang, Yu and Sun, "Cascaded pyramid network for multi-person pose estimation",
CVPR 2018. The authors' TensorFlow program and the PyTorch port that most people use are not the
same network; both are here.
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import conv_bn, require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.inception_resnet import IMAGENET as IMAGENET_INCEPTION
from vitruvian.nets.inception_resnet import InceptionResNet
from vitruvian.nets.resnet import IMAGENET as IMAGENET_RESNET
from vitruvian.nets.resnet import ResNet
from vitruvian.nets.slim import bottleneck_place, from_slim, resnet_place

Variant = Literal["authors", "port"]


def _tensorflow(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The variables of the authors' checkpoint under our names and in PyTorch's layout."""
    return from_slim(state, _scope)


def _scope(scope: str) -> tuple[str, str]:
    """Our names of the convolution and of the normalisation of a TensorFlow scope."""
    match scope.split("/"):
        case ["lateral", level]:
            return f"{_level(level)}.lateral.0", f"{_level(level)}.lateral.1"
        case ["merge", level]:
            return f"levels.{4 - int(level[-1])}.up.0", ""
        case ["tmp", level]:
            return f"{_level(level)}.squeeze.0", f"{_level(level)}.squeeze.1"
        case ["pyramid", level]:
            return f"{_level(level)}.predict", f"{_level(level)}.norm"
        case [level, refine, part] if refine.startswith("refine_conv"):
            return bottleneck_place(f"refine.cascade.{5 - int(level[-1])}.{refine[-1]}", part)
        case ["final_bottleneck", part]:
            return bottleneck_place("refine.fuse", part)
        case ["refine_out"]:
            return "refine.predict", "refine.norm"
    return resnet_place(scope)


def _level(name: str) -> str:
    """``res5`` is the coarsest, our 0."""
    return f"levels.{5 - int(name[-1])}"


LAYOUTS: dict[str, Layout] = {
    "tensorflow": _tensorflow,
    "port": (
        (r"resnet\.", "trunk."),
        (r"global_net\.laterals\.(\d)\.", r"levels.\1.lateral."),
        (r"global_net\.upsamples\.(\d)\.1\.", r"levels.\1.up.0."),
        (r"global_net\.upsamples\.(\d)\.2\.", r"levels.\1.up.1."),
        (r"global_net\.predict\.(\d)\.([01])\.", r"levels.\1.squeeze.\2."),
        (r"global_net\.predict\.(\d)\.3\.", r"levels.\1.predict."),
        (r"global_net\.predict\.(\d)\.5\.", r"levels.\1.norm."),
        (r"refine_net\.cascade\.", "refine.cascade."),
        (r"refine_net\.final_predict\.0\.", "refine.fuse."),
        (r"refine_net\.final_predict\.1\.", "refine.predict."),
        (r"refine_net\.final_predict\.2\.", "refine.norm."),
    ),
}
"""How public checkpoints name the parameters of :class:`CPN`."""

IMAGENET: dict[str, Layout] = {**IMAGENET_RESNET, **IMAGENET_INCEPTION}


def _resize(x: Tensor, size: tuple[int, int], variant: Variant) -> Tensor:
    """Bilinear, to a multiple of the size; TensorFlow 1 steps evenly from the first cell."""
    if variant == "port":
        return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
    height, width = size
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    x = F.interpolate(x, size=(height + 1, width + 1), mode="bilinear", align_corners=True)
    return x[..., :height, :width]


class Level(nn.Module):
    """One level of GlobalNet: add the coarser level, put out maps.

    Args:
        inputs: Channels of the trunk's level.
        width: Channels of the pyramid.
        channels: Number of heatmaps K.
        variant: The authors' or the port's.
        finest: There is no finer level to hand features to.
    """

    def __init__(
        self, inputs: int, width: int, channels: int, variant: Variant, *, finest: bool
    ) -> None:
        super().__init__()
        self.variant: Variant = variant
        self.lateral = conv_bn(inputs, width, 1)
        self.squeeze = conv_bn(width, width, 1)
        self.predict = nn.Conv2d(width, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.up = None
        if not finest and variant == "port":
            self.up = conv_bn(width, width, 1, relu=False)
        elif not finest:
            self.up = nn.Sequential(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, coarser: Tensor | None) -> Tensor:
        """B inputs h w and what the coarser level handed up -> B width h w."""
        x = self.lateral(x)
        return x if coarser is None else x + coarser

    def hand_up(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """B width h w -> B width ``size``, for the finer level."""
        return self.up(_resize(x, size, self.variant))

    def maps(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """B width h w -> B K ``size``; the port normalises after it has enlarged the maps."""
        y = self.predict(self.squeeze(x))
        if self.variant == "port":
            return self.norm(_resize(y, size, self.variant))
        return _resize(self.norm(y), size, self.variant)


class RefineBlock(nn.Module):
    """Bottleneck that widens by two; the port projects its shortcut even where it need not."""

    def __init__(self, inputs: int, width: int, variant: Variant) -> None:
        super().__init__()
        outputs = 2 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Identity()
        if variant == "port" or inputs != outputs:
            self.downsample = conv_bn(inputs, outputs, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B 2*width h w."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x), inplace=True)


class RefineNet(nn.Module):
    """All levels of the pyramid, the coarser the more deeply processed, at one resolution."""

    def __init__(self, width: int, channels: int, variant: Variant) -> None:
        super().__init__()
        self.variant: Variant = variant
        self.cascade = nn.ModuleList(
            nn.Sequential(*(RefineBlock(width, width // 2, variant) for _ in range(count)))
            for count in (3, 2, 1, 0)
        )
        self.fuse = RefineBlock(4 * width, width // 2, variant)
        self.predict = nn.Conv2d(width, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """The levels, coarsest first -> B K h w of the finest."""
        size = levels[-1].shape[-2:]
        pairs = zip(self.cascade, levels, strict=True)
        found = [_resize(blocks(x), size, self.variant) for blocks, x in pairs]
        return self.norm(self.predict(self.fuse(torch.cat(found, dim=1))))


class CPN(nn.Module):
    """GlobalNet on a trunk, then RefineNet.

    Args:
        trunk: Gives four levels, at stride 4 to 32, and has their ``widths``.
        channels: Number of heatmaps K.
        variant: The authors' or the port's.
        width: Channels of the pyramid.
    """

    def __init__(
        self,
        trunk: ResNet | InceptionResNet,
        channels: int,
        variant: Variant = "port",
        width: int = 256,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.variant: Variant = variant
        self.levels = nn.ModuleList(
            Level(inputs, width, channels, variant, finest=index == 3)
            for index, inputs in enumerate(reversed(trunk.widths))
        )
        self.refine = RefineNet(width, channels, variant)
        if variant == "authors":
            self._set_eps()
        for module in (*self.levels.modules(), *self.refine.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _set_eps(self) -> None:
        """The authors' 1e-9; an Inception's normalisations keep the 1e-3 that they learnt with."""
        learnt = isinstance(self.trunk, InceptionResNet)
        for part in (self.levels, self.refine) if learnt else (self,):
            for module in part.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = 1e-9

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> {"coarse_3" … "coarse_0"} and {"heatmap"}, each B K H/4 W/4.

        The first stage is GlobalNet's; a name says how many label widths a map is coarser than
        RefineNet's, which is the second stage. The port asks the finest level for the narrowest
        labels, ``coarse_0``; the authors ask the coarsest level for them. H and W divide by 32.
        """
        require_divisible(x, 32)
        features = self.trunk(x)
        size, found, coarser = features[0].shape[-2:], [], None
        for level, feature in zip(self.levels, reversed(features), strict=True):
            found.append(level(feature, coarser))
            if level.up is not None:
                coarser = level.hand_up(found[-1], features[3 - len(found)].shape[-2:])
        steps = range(3, -1, -1) if self.variant == "port" else range(4)
        triples = zip(steps, self.levels, found, strict=True)
        easy = {f"coarse_{step}": level.maps(y, size) for step, level, y in triples}
        return [easy, {"heatmap": self.refine(found)}]


def cpn(depth: int = 50, channels: int = 17, *, variant: Variant = "port") -> CPN:
    """CPN on a ResNet of ``depth`` 50 or 101, as the authors or as the PyTorch port built it."""
    if variant not in ("authors", "port"):
        raise ConfigError(f"no CPN variant {variant!r}; there are 'authors' and 'port'")
    return CPN(ResNet(depth), channels, variant)


def cpn_inception(channels: int = 17) -> CPN:
    """The authors' pyramid on an Inception-ResNet-v2, the trunk of their best entries."""
    return CPN(InceptionResNet(), channels, "authors")
