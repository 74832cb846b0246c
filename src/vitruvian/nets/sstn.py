"""SSTN: a pose network between a spatial transformer and its inverse.

Fang, Xie, Tai and Lu, "RMPE: regional multi-person pose estimation", ICCV 2017, section 3.2. The
transformer (STN, Jaderberg et al. 2015) moves the person of a poor box to the middle, the pose
network (SPPE) works there, the inverse (SDTN) brings its maps back. A second pose network of fixed
weights, the parallel SPPE, asks for a person in the middle while training; nothing reads it after.
"""

from collections.abc import Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.lookup import find
from vitruvian.nets.convert import Layout
from vitruvian.nets.resnet import ResNet


def _around(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a pose network in both places; the transformer, which it lacks, is fresh."""
    fresh = {f"stn.{name}": value for name, value in Transformer().state_dict().items()}
    twice = {f"{at}.{name}": x for at in ("pose", "parallel") for name, x in state.items()}
    return fresh | twice


LAYOUTS: dict[str, Layout] = {"pose network": _around}
"""What :class:`SSTN` can be filled from: the same pose network as stands in both its places."""


class Transformer(nn.Module):
    """ResNet-18, mean, one linear layer: an affine map, the identity at first."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = ResNet(18)
        self.linear = nn.Linear(self.trunk.widths[-1], 6)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B 2 3: where in the view, in [-1, 1], each point of the moved view lies."""
        return self.linear(self.trunk(x)[-1].mean(dim=(2, 3))).unflatten(1, (2, 3))


class SSTN(nn.Module):
    """Move the view, estimate, move the maps back.

    Args:
        pose: The pose network; its fields are maps.
        parallel: Another one, or None. Freeze it: ``train.freeze="parallel"``.
    """

    def __init__(self, pose: nn.Module, parallel: nn.Module | None) -> None:
        super().__init__()
        self.stn = Transformer()
        self.pose = pose
        self.parallel = parallel

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W -> stages of the parallel network, named ``centred``; those of the other."""
        theta = self.stn(x)
        moved = sample(x, theta)
        back = inverse(theta)
        stages = [
            {name: sample(maps, back) for name, maps in stage.items()} for stage in self.pose(moved)
        ]
        if self.parallel is None:
            return stages
        centred = [{"centred": stage["heatmap"]} for stage in self.parallel(moved)]
        return centred + stages


def sample(x: Tensor, theta: Tensor) -> Tensor:
    """B C H W as the affine map B 2 3 shows it, bilinear, 0 outside."""
    height, width = x.shape[-2:]
    steps = [
        (2 * torch.arange(side, device=x.device, dtype=x.dtype) + 1) / side - 1
        for side in (height, width)
    ]
    y, x_ = torch.meshgrid(*steps, indexing="ij")
    points = torch.stack([x_, y, torch.ones_like(y)], dim=2)
    grid = torch.einsum("bij,hwj->bhwi", theta.to(x.dtype), points)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def inverse(theta: Tensor) -> Tensor:
    """B 2 3: the map that undoes another (Eq. 4 and 5); a map that is none stays finite."""
    a, b, tx, c, d, ty = theta.flatten(1).unbind(dim=1)
    area = a * d - b * c
    area = torch.where(area.abs() < 1e-4, torch.full_like(area, 1e-4), area)
    first = torch.stack([d, -b, b * ty - d * tx], dim=1)
    second = torch.stack([-c, a, c * tx - a * ty], dim=1)
    return torch.stack([first, second], dim=1) / area[:, None, None]


def sstn(
    pose: str = "fastpose:fastpose",
    channels: int = 17,
    *,
    parallel: bool = True,
    settings: Mapping[str, object] | None = None,
) -> SSTN:
    """SSTN around any pose network whose maps are named ``heatmap``.

    Args:
        pose: Name of the network.
        channels: Number of keypoints K.
        parallel: Has a parallel network of the same kind.
        settings: Further arguments of the network.
    """
    build = partial(find("vitruvian.nets", pose), channels=channels, **(settings or {}))
    return SSTN(build(), build() if parallel else None)
