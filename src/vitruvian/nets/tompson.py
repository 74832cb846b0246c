"""A convolutional network at several resolutions, and a spatial model of how joints lie together.

Tompson, Jain, LeCun and Bregler, "Joint training of a convolutional network and a graphical model
for human pose estimation", NIPS 2014. The paper leaves sizes open; these are those of a public
reproduction, max-andr/joint-cnn-mrf.
"""

from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible

SHARPNESS = 5.0
"""Of the softplus that keeps energies, maps and biases positive."""

TINY = 1e-6
"""Keeps logarithms finite."""

STRIDE = 8
"""View pixels per cell of the maps."""


class Bank(nn.Module):
    """Four convolutions, each followed by ReLU and normalisation; the first three shrink by two.

    Args:
        widths: Channels of the four.
    """

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d = widths
        pool = nn.MaxPool2d(2, ceil_mode=True)
        self.layers = nn.Sequential(
            _layer(3, a, 5, 2), pool, _layer(a, b, 5), pool, _layer(b, c, 5), _layer(c, d, 9)
        )

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B widths[3] H/8 W/8."""
        return self.layers(x)


def _layer(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.ReLU(inplace=True), nn.BatchNorm2d(outputs))


class SpatialModel(nn.Module):
    """Every joint's map, corrected by where each other joint says that it could be (Eq. 2 and 3).

    Args:
        channels: Number of joints K.
        cells: (h, w) of the maps.
    """

    pairs: Tensor

    def __init__(self, channels: int, cells: tuple[int, int]) -> None:
        super().__init__()
        h, w = cells
        pairs = list(permutations(range(channels), 2))
        self.register_buffer("pairs", torch.tensor(pairs).reshape(-1, 2), persistent=False)
        self.energies = nn.Parameter(torch.zeros(len(pairs), 2 * h, 2 * w))
        self.biases = nn.Parameter(torch.full((len(pairs), h, w), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """B K h w of any sign -> logarithms, up to a constant, of the same shape."""
        likely = F.softplus(x, SHARPNESS)
        places = displaced(likely[:, self.pairs[:, 1]], F.softplus(self.energies, SHARPNESS))
        advice = torch.log(places + F.softplus(self.biases, SHARPNESS) + TINY)
        rows = advice.unflatten(1, (x.shape[1], -1))  # pairs are in order of the own joint
        return torch.log(likely + TINY) + rows.sum(dim=2)


def displaced(x: Tensor, kernels: Tensor) -> Tensor:
    """Maps B P h w, each convolved with what lies where from there, P 2h 2w.

    The middle of a kernel is no displacement. There are h + 1 x w + 1 shifts, resized to h x w.
    """
    h, w = x.shape[-2:]
    kernels = kernels.flip(1, 2)[:, None]
    shifts = F.conv2d(x, kernels, padding=(h, w), groups=len(kernels))
    return _resized(_resized(shifts, h, -2), w, -1)


def _resized(x: Tensor, cells: int, axis: int) -> Tensor:
    """Linear along one axis, stepping evenly from the first cell, as TensorFlow 1 does."""
    last = x.shape[axis] - 1
    at = torch.arange(cells, device=x.device) * ((last + 1) / cells)
    low = at.long()
    share = (at - low).to(x.dtype)
    share = share[:, None] if axis == -2 else share
    first, second = (x.index_select(axis, (low + i).clamp(max=last)) for i in (0, 1))
    return first * (1 - share) + second * share


class Tompson(nn.Module):
    """Banks over a pyramid of the view, their mean, two convolutions; then the spatial model.

    Args:
        channels: Number of joints K.
        size: (H, W) of the views; the spatial model is made for it.
        widths: Channels of the five hidden layers.
        banks: Resolutions, each half of the one before.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512),
        banks: int = 3,
    ) -> None:
        super().__init__()
        *bank, last = widths
        self.banks = nn.ModuleList(Bank(tuple(bank)) for _ in range(banks))
        self.head = nn.Sequential(
            _layer(bank[-1], last, 9), nn.Conv2d(last, channels, 9, padding=4)
        )
        self.norm = nn.BatchNorm2d(channels)
        self.spatial = SpatialModel(channels, (size[0] // STRIDE, size[1] // STRIDE))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> {"heatmap": B K H/8 W/8} of the banks, and of both parts.

        Logits of a softmax over the map. H and W are those that the network was made for.
        """
        require_divisible(x, STRIDE)
        features, view = [], x
        for index, bank in enumerate(self.banks):
            view = F.avg_pool2d(view, 2, ceil_mode=True) if index else view
            features.append(bank(view))
        size = features[0].shape[-2:]
        even = [F.interpolate(y, size=size, mode="bilinear", align_corners=False) for y in features]
        parts = self.head(torch.stack(even).mean(dim=0))
        return [{"heatmap": parts}, {"heatmap": self.spatial(self.norm(parts))}]


def tompson(channels: int = 11, size: tuple[int, int] = (480, 720)) -> Tompson:
    """The reproduction's network for views of ``size`` (H, W).

    Raises:
        ConfigError: The sides do not divide by 8.
    """
    if size[0] % STRIDE or size[1] % STRIDE:
        raise ConfigError(f"views of {size[0]} x {size[1]}; both sides must divide by {STRIDE}")
    return Tompson(channels, size)
