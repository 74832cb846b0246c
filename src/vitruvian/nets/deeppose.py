"""DeepPose: regress all joints from the view, then each one again from a closer look at it.

Toshev and Szegedy, "DeepPose: human pose estimation via deep neural networks", CVPR 2014. The
layers are AlexNet's (Krizhevsky et al. 2012) without its two groups.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError

Pairs = tuple[tuple[int, int], ...]


class AlexNet(nn.Module):
    """Five convolutions, three poolings, three linear layers.

    Args:
        outputs: Numbers that come out.
        size: (H, W) of what comes in.
        widths: Channels of the convolutions.
        hidden: Units of the linear layers.
        dropout: Share of these that are dropped while training.
    """

    def __init__(
        self,
        outputs: int,
        size: tuple[int, int],
        *,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        a, b, c, d, e = widths
        pool, norm = nn.MaxPool2d(3, 2, ceil_mode=True), nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)
        relu = nn.ReLU(inplace=True)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, a, 11, 4, 1), relu, pool, norm),
            *(nn.Conv2d(a, b, 5, padding=2), relu, pool, norm),
            *(nn.Conv2d(b, c, 3, padding=1), relu),
            *(nn.Conv2d(c, d, 3, padding=1), relu),
            *(nn.Conv2d(d, e, 3, padding=1), relu, pool),
        )
        height, width = (_cells(side) for side in size)
        self.regressor = nn.Sequential(
            *(nn.Linear(e * height * width, hidden), relu, nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), relu, nn.Dropout(dropout)),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W of the size that it was made for -> B outputs."""
        return self.regressor(self.features(x).flatten(1))


def _cells(side: int) -> int:
    """Cells along a side after the first convolution and three poolings."""
    cells = (side + 2 - 11) // 4 + 1
    for _ in range(3):
        cells = -(-(cells - 3) // 2) + 1
    return cells


class DeepPose(nn.Module):
    """A cascade of AlexNets; from the second on, one crop around each joint.

    Args:
        channels: Number of joints K.
        torso: Pairs of joints, opposite shoulder and hip, whose mean distance is the diameter.
        sigma: Side of a crop, in diameters.
        crop: (H, W) that views and crops are resized to.
        widths: See :class:`AlexNet`.
        hidden: See :class:`AlexNet`.
        stages: Networks of the cascade.
    """

    torso: Tensor

    def __init__(
        self,
        channels: int,
        torso: Pairs,
        *,
        sigma: float,
        crop: tuple[int, int] = (220, 220),
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
        stages: int = 3,
    ) -> None:
        super().__init__()
        self.channels, self.sigma, self.crop = channels, sigma, crop
        self.register_buffer("torso", torch.tensor(torso).reshape(-1, 2), persistent=False)
        self.regressors = nn.ModuleList(
            AlexNet(2 * channels, crop, widths=widths, hidden=hidden) for _ in range(stages)
        )

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> {"xy": B K 2 1} per network, in sides of the view from its middle.

        A network learns from where the one before it is, which does not learn from it (Eq. 6).
        """
        first, *others = self.regressors
        shown = F.interpolate(x, self.crop, mode="bilinear", align_corners=False)
        xy = first(shown).unflatten(1, (self.channels, 2))
        stages = [xy]
        for regressor in others:
            middle, side = xy.detach(), self._side(xy.detach(), x)
            crops = self._crops(x, middle, side)
            answers = regressor(crops.flatten(0, 1)).unflatten(0, crops.shape[:2])
            # Of the joints that a crop's answer speaks of, only its own is read.
            moves = answers.unflatten(2, (self.channels, 2)).diagonal(dim1=1, dim2=2).mT
            xy = middle + moves * side[:, None]
            stages.append(xy)
        return [{"xy": stage[..., None]} for stage in stages]

    def _side(self, xy: Tensor, x: Tensor) -> Tensor:
        """B 2: sides of the square crops, in sides of the view."""
        sides = x.new_tensor([x.shape[3], x.shape[2]])
        across = (xy[:, self.torso[:, 0]] - xy[:, self.torso[:, 1]]) * sides
        diameter = across.square().sum(dim=2).sqrt().mean(dim=1, keepdim=True)
        return self.sigma * diameter / sides

    def _crops(self, x: Tensor, middle: Tensor, side: Tensor) -> Tensor:
        """B K 3 h w: the view around each joint, 0 outside of it."""
        height, width = self.crop
        steps = [(torch.arange(n, device=x.device).to(x) + 0.5) / n - 0.5 for n in (height, width)]
        y, x_ = torch.meshgrid(*steps, indexing="ij")
        grid = middle[:, :, None, None] + side[:, None, None, None] * torch.stack([x_, y], dim=2)
        rows = F.grid_sample(
            x, 2 * grid.flatten(1, 2), mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return rows.unflatten(2, (self.channels, height)).movedim(2, 1)


def deeppose(
    channels: int = 14,
    torso: Pairs = ((9, 2), (8, 3)),
    *,
    sigma: float = 2.0,
    stages: int = 3,
) -> DeepPose:
    """The published cascade; joints are those of LSP unless told otherwise.

    Raises:
        ConfigError: There is no stage.
    """
    if stages < 1:
        raise ConfigError(f"a cascade of {stages} stages; at least 1")
    return DeepPose(channels, torso, sigma=sigma, stages=stages)
