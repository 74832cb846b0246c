"""HigherHRNet: HRNet that predicts at stride 4 and again, from there, at stride 2.

Cheng, Xiao, Wang, Shi, Huang and Zhang, "HigherHRNet: scale-aware representation learning for
bottom-up human pose estimation", CVPR 2020. Persons are told apart by the tags of Associative
Embedding.
"""

import torch
from torch import Tensor, nn

from vitruvian.nets.blocks import BasicBlock, init_normal, require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.hrnet import IMAGENET as IMAGENET
from vitruvian.nets.hrnet import HRNetTrunk

LAYOUTS: dict[str, Layout] = {
    "authors": ((r"((?:conv|bn)[12]|layer1|transition\d|stage\d)\.", r"trunk.\1."),)
}
"""How the authors' checkpoints name the parameters of :class:`HigherHRNet`."""


class HigherHRNet(nn.Module):
    """Heatmaps and tags at stride 4; from those and the features, finer heatmaps (Fig. 2).

    Args:
        trunk: The four branches of HRNet.
        channels: Number of heatmaps K, and of tag maps.
        width: Channels of the finest branch.
    """

    def __init__(self, trunk: HRNetTrunk, channels: int, *, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.trunk = trunk
        double = nn.ConvTranspose2d(width + 2 * channels, width, 4, 2, 1, bias=False)
        blocks = (nn.Sequential(BasicBlock(width, width)) for _ in range(4))
        up = nn.Sequential(double, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.deconv_layers = nn.ModuleList([nn.Sequential(up, *blocks)])
        self.final_layers = nn.ModuleList(
            [nn.Conv2d(width, 2 * channels, 1), nn.Conv2d(width, channels, 1)]
        )
        init_normal(self)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage; H and W divide by 32.

        It has "heatmap" and "tag", B K H/4 W/4, and "heatmap_fine", B K H/2 W/2.
        """
        require_divisible(x, 32)
        features = self.trunk(x)
        coarse = self.final_layers[0](features)
        finer = self.deconv_layers[0](torch.cat([features, coarse], dim=1))
        return [
            {
                "heatmap": coarse[:, : self.channels],
                "tag": coarse[:, self.channels :],
                "heatmap_fine": self.final_layers[1](finer),
            }
        ]


def higher_hrnet(
    widths: tuple[int, int, int, int] = (32, 64, 128, 256),
    channels: int = 17,
    *,
    modules: tuple[int, int, int] = (1, 4, 3),
    blocks: int = 4,
) -> HigherHRNet:
    """HigherHRNet of any width; see :class:`~vitruvian.nets.hrnet.HRNetTrunk`."""
    return HigherHRNet(HRNetTrunk(widths, modules, blocks), channels, width=widths[0])


def higher_hrnet_w32(channels: int = 17) -> HigherHRNet:
    """The published small network."""
    return higher_hrnet((32, 64, 128, 256), channels)


def higher_hrnet_w48(channels: int = 17) -> HigherHRNet:
    """The published large network."""
    return higher_hrnet((48, 96, 192, 384), channels)
