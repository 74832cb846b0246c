"""Convolutional Pose Machines: stages that look at the maps of the stage before.

Wei, Ramakrishna, Kanade and Sheikh, "Convolutional pose machines", CVPR 2016. The person meant is
the one in the middle of the view; every stage but the first is told so by a Gaussian at the centre.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.vgg import IMAGENET as IMAGENET
from vitruvian.nets.vgg import chain, vgg19

CENTRE_SIGMA = 21.0
"""Standard deviation of the Gaussian at the centre, in pixels."""

_CONVS = r"(?:convs\.)?"

LAYOUTS: dict[str, Layout] = {
    "authors": (
        (rf"{_CONVS}(conv\d)_stage1\.", r"first.\1."),
        (rf"{_CONVS}(conv[1-3])_stage2\.", r"trunk.\1."),
        (rf"{_CONVS}conv4_(stage2)\.", r"reduce.\1.conv."),
        (rf"{_CONVS}conv1_(stage\d)\.", r"reduce.\1.conv."),
        (rf"{_CONVS}(conv[1-4]_\d)\.", r"trunk.\1."),
        (rf"{_CONVS}(conv4_\d)_CPM\.", r"features.\1."),
        (rf"{_CONVS}(conv5_\d)_CPM\.", r"first.\1."),
        (rf"{_CONVS}(Mconv\d)_(stage\d)\.", r"refine.\2.\1."),
    )
}
"""How the authors' Caffe models name the parameters of :class:`CPM`."""


class CPM(nn.Module):
    """A first look at the picture, then stages that see features, the maps so far and the centre.

    Args:
        trunk: Picture to stride 8.
        features: From there to the features that all stages but the first share.
        first: Picture to maps; features to maps if ``later``.
        reduce: Features to what a stage takes of them, per stage from the second.
        refine: That, the maps and the centre to maps, per stage from the second.
        later: The order of the authors' later network: see ``first``, and maps before features.
        centre: Whether stages are told where the person is.
    """

    def __init__(
        self,
        trunk: nn.Module,
        features: nn.Module,
        first: nn.Module,
        reduce: dict[str, nn.Module],
        refine: dict[str, nn.Module],
        *,
        later: bool,
        centre: bool,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = features
        self.first = first
        self.reduce = nn.ModuleDict(reduce)
        self.refine = nn.ModuleDict(refine)
        self.later, self.centre = later, centre
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> a stage {"heatmap": B K H/8 W/8} each; H and W divide by 8."""
        require_divisible(x, 8)
        features = self.features(self.trunk(x))
        centre = [centre_map(x)] if self.centre else []
        maps = self.first(features if self.later else x)
        stages = [{"heatmap": maps}]
        for reduce, refine in zip(self.reduce.values(), self.refine.values(), strict=True):
            seen = [maps, reduce(features)] if self.later else [reduce(features), maps]
            maps = refine(torch.cat([*seen, *centre], dim=1))
            stages.append({"heatmap": maps})
        return stages


def centre_map(x: Tensor) -> Tensor:
    """B 1 H/8 W/8: Gaussian one pixel before the middle of the views B C H W, averaged over 9 x 9.

    Its peak, pixel (184, 184) of 368 in the authors' counting from 1, is 1.
    """
    down, across = (_bump(side, x.device) for side in x.shape[2:])
    gaussian = (down[:, None] * across).to(x.dtype)[None, None]
    pooled = F.avg_pool2d(gaussian, 9, 8, ceil_mode=True)
    return pooled.expand(x.shape[0], -1, -1, -1)


def _bump(side: int, device: torch.device) -> Tensor:
    steps = torch.arange(side, device=device) - (side // 2 - 1)
    return torch.exp(-(steps**2) / (2 * CENTRE_SIGMA**2))


def cpm(channels: int = 15, stages: int = 6, *, centre: bool = True) -> CPM:
    """The network of the paper: 9x9 convolutions, then 11x11 ones at stride 8.

    Args:
        channels: Maps: the keypoints', then the background's.
        stages: Number of stages; 6 for MPII and LSP, 4 for FLIC.
        centre: See :class:`CPM`.
    """
    halve, drop = nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(0.5)
    look = [("conv1", 128, 9), halve, ("conv2", 128, 9), halve, ("conv3", 128, 9), halve]
    wide = [("conv4", 32, 5), ("conv5", 512, 9), drop, ("conv6", 512, 1), drop]
    names = [f"stage{stage}" for stage in range(2, stages + 1)]
    large = [(f"Mconv{n}", 128, 11) for n in (1, 2, 3)]
    head = [("Mconv4", 128, 1), ("Mconv5", channels, 1)]
    return CPM(
        chain(3, *look),
        nn.Identity(),
        chain(3, *look, *wide, ("conv7", channels, 1), last=False),
        {name: chain(128, ("conv", 32, 5)) for name in names},
        {name: chain(32 + channels + centre, *large, *head, last=False) for name in names},
        later=False,
        centre=centre,
    )


def cpm_vgg(channels: int = 15, stages: int = 6, *, centre: bool = True) -> CPM:
    """The authors' later network: the beginning of VGG-19, then 7x7 convolutions at stride 8.

    Args:
        channels: See :func:`cpm`.
        stages: Number of stages.
        centre: See :class:`CPM`.
    """
    widths = {3: 256, 4: 256, 5: 256, 6: 256, 7: 128}
    names = [f"stage{stage}" for stage in range(2, stages + 1)]
    large = [(f"Mconv{n}", 128, 7) for n in (1, 2, 3, 4, 5)]
    head = [("Mconv6", 128, 1), ("Mconv7", channels, 1)]
    return CPM(
        chain(3, *vgg19()),
        chain(512, *((f"conv4_{n}", width, 3) for n, width in widths.items())),
        chain(128, ("conv5_1", 512, 1), ("conv5_2", channels, 1), last=False),
        {name: nn.Identity() for name in names},
        {name: chain(128 + channels + centre, *large, *head, last=False) for name in names},
        later=True,
        centre=centre,
    )
