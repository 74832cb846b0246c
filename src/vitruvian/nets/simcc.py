"""SimCC: any heatmap network whose maps are not read but classified, bin by bin.

Li et al., "SimCC: a simple coordinate classification perspective for human pose estimation",
ECCV 2022.
"""

import torch
from torch import Tensor, nn

from vitruvian.core.errors import InputError
from vitruvian.nets.convert import Layout
from vitruvian.nets.hrnet import IMAGENET as IMAGENET_HRNET
from vitruvian.nets.hrnet import hrnet
from vitruvian.nets.resnet import IMAGENET as IMAGENET_RESNET
from vitruvian.nets.simplebaselines import simplebaselines

LAYOUTS: dict[str, Layout] = {
    "authors": (
        (r"mlp_head_", "mlp_head_"),
        (r"((?:conv|bn)\d|layer\d|transition\d|stage\d)\.", r"body.trunk.\1."),
        (r"(deconv_layers|final_layer)\.", r"body.\1."),
    ),
    "mmpose": (
        (r"backbone\.", "body.trunk."),
        (r"head\.mlp_head_", "mlp_head_"),
        (r"head\.(deconv_head\.)?", "body."),
        (r"data_preprocessor\.", None),
    ),
}
"""How public checkpoints name the parameters of :class:`SimCC`."""

IMAGENET: dict[str, Layout] = {**IMAGENET_RESNET, "hrnet": IMAGENET_HRNET["authors"]}
"""How ImageNet checkpoints name the trunk."""


class SimCC(nn.Module):
    """Two linear layers, shared by the keypoints, on the flattened maps of each.

    Args:
        body: A network with one stage of one field, a few maps per keypoint at ``stride``.
        channels: Number of keypoints K.
        maps: Maps per keypoint.
        stride: Of the maps.
        size: (H, W) of the only input that the network takes, in pixels.
        split: Bins per pixel.
    """

    def __init__(
        self,
        body: nn.Module,
        channels: int,
        *,
        maps: int,
        stride: int,
        size: tuple[int, int],
        split: float,
    ) -> None:
        super().__init__()
        self.body, self.channels, self.size = body, channels, size
        height, width = size
        values = maps * (height // stride) * (width // stride)
        self.mlp_head_x = nn.Linear(values, round(width * split))
        self.mlp_head_y = nn.Linear(values, round(height * split))

    @property
    def trunk(self) -> nn.Module:
        """That of the heatmap network."""
        return self.body.trunk

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"simcc_x": B K 1 W*split, "simcc_y": B K H*split 1}."""
        require_size(x, self.size)
        (maps,) = self.body(x)[-1].values()
        tokens = maps.unflatten(1, (self.channels, -1)).flatten(2)
        return [
            {
                "simcc_x": self.mlp_head_x(tokens)[:, :, None, :],
                "simcc_y": self.mlp_head_y(tokens)[:, :, :, None],
            }
        ]


def require_size(x: Tensor, size: tuple[int, int]) -> None:
    """Refuse an input of another size than the one that a network was built for.

    Raises:
        InputError: As said.
    """
    if not torch.compiler.is_compiling() and tuple(x.shape[-2:]) != tuple(size):
        raise InputError(
            f"input of {x.shape[-2]} x {x.shape[-1]} (height x width): this network was built for "
            f"{size[0]} x {size[1]} and takes no other; build it with size=({x.shape[-2]}, "
            f"{x.shape[-1]})"
        )


def simcc_res(
    depth: int = 50,
    channels: int = 17,
    *,
    size: tuple[int, int] = (256, 192),
    split: float = 2.0,
    maps: int = 0,
) -> SimCC:
    """On SimpleBaselines of ``depth``; or, with ``maps`` per keypoint, without its deconvolutions.

    The authors take 28 maps per keypoint at 256 x 192.
    """
    if maps:
        body = simplebaselines(depth, channels * maps, widths=(), kernels=())
    else:
        body = simplebaselines(depth, channels)
    stride = 32 if maps else 4
    return SimCC(body, channels, maps=maps or 1, stride=stride, size=size, split=split)


def simcc_hrnet(
    width: int = 32,
    channels: int = 17,
    *,
    size: tuple[int, int] = (256, 192),
    split: float = 2.0,
) -> SimCC:
    """On HRNet of ``width`` 32 or 48."""
    body = hrnet((width, 2 * width, 4 * width, 8 * width), channels)
    return SimCC(body, channels, maps=1, stride=4, size=size, split=split)
