"""One small network per joint, slid over the view; priors of body parts weed out what cannot be.

Jain, Tompson, Andriluka, Taylor and Bregler, "Learning human pose estimation features with
convolutional networks", ICLR 2014.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.tompson import TINY, displaced

WINDOW = 64
"""Sides of what a network sees, in pixels."""

STRIDE = 4
"""Pixels between windows, which two poolings give."""

Pairs = tuple[tuple[int, int], ...]


class ContrastNorm(nn.Module):
    """Local contrast normalisation (Jarrett et al. 2009), each channel by itself.

    Args:
        size: Side of the Gaussian window, odd.
    """

    kernel: Tensor

    def __init__(self, size: int = 9) -> None:
        super().__init__()
        steps = torch.arange(size) - size // 2
        bump = torch.exp(-(steps**2) / (2 * (size / 4) ** 2))
        kernel = bump[:, None] * bump
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> the same, local mean 0 and local deviation at most about 1."""
        centred = x - self._mean(x)
        deviation = self._mean(centred.square()).clamp(min=TINY).sqrt()
        return centred / torch.maximum(deviation, deviation.mean(dim=(2, 3), keepdim=True))

    def _mean(self, x: Tensor) -> Tensor:
        """Weighted mean around each pixel, of what lies in the view."""
        channels, reach = x.shape[1], self.kernel.shape[-1] // 2
        kernel = self.kernel.to(x.dtype)
        total = F.conv2d(x, kernel.expand(channels, -1, -1, -1), padding=reach, groups=channels)
        return total / F.conv2d(torch.ones_like(x[:1, :1]), kernel, padding=reach)


class PartDetector(nn.Module):
    """Is the joint in the middle of the window? Linear layers are convolutions, so it slides.

    Args:
        widths: Channels of the three convolutions.
        hidden: Units of the two hidden linear layers.
        dropout: Share of these that are dropped while training.
    """

    def __init__(
        self,
        widths: tuple[int, int, int] = (16, 32, 32),
        hidden: tuple[int, int] = (500, 100),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        (a, b, c), (d, e), relu = widths, hidden, nn.ReLU(inplace=True)
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, a, 5), relu, nn.MaxPool2d(2)),
            *(nn.Conv2d(a, b, 5), relu, nn.MaxPool2d(2)),
            *(nn.Conv2d(b, c, 5), relu),
            *(nn.Conv2d(c, d, 9), relu, nn.Dropout(dropout)),
            *(nn.Conv2d(d, e, 1), relu, nn.Dropout(dropout)),
            nn.Conv2d(e, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> logits B 1 (H - 64) / 4 + 1, (W - 64) / 4 + 1, one per window."""
        return self.layers(x)


class BodyPartPriors(nn.Module):
    """Where a joint can be, seen from its neighbours (section 3.3, Eq. 2 to 5).

    Args:
        channels: Number of joints K.
        pairs: (joint, neighbour) whose displacement has a prior.
        cells: (h, w) of the maps.
    """

    neighbours: Tensor
    gather: Tensor

    def __init__(self, channels: int, pairs: Pairs, cells: tuple[int, int]) -> None:
        super().__init__()
        h, w = cells
        both = [*pairs, *((b, a) for a, b in pairs)]
        gather = torch.zeros(channels, len(both))
        for row, (joint, _) in enumerate(both):
            gather[joint, row] = 1
        neighbours = torch.tensor([neighbour for _, neighbour in both], dtype=torch.long)
        self.register_buffer("gather", gather, persistent=False)
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.priors = nn.Parameter(torch.zeros(len(both), 2 * h, 2 * w))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits B K h w -> the same plus what the neighbours' evidence is above its mean."""
        chance = logits.sigmoid()
        priors = self.priors.flatten(1).softmax(dim=1).view_as(self.priors)
        places = displaced(chance[:, self.neighbours], priors) + TINY
        evidence = torch.log(places / places.mean(dim=(2, 3), keepdim=True))
        return logits + torch.einsum("kp,bphw->bkhw", self.gather.to(evidence.dtype), evidence)


class Jain(nn.Module):
    """Contrast normalisation, a network per joint, priors.

    Args:
        channels: Number of joints K.
        pairs: See :class:`BodyPartPriors`.
        size: (H, W) of the views; the priors are made for it.
        widths: See :class:`PartDetector`.
        hidden: See :class:`PartDetector`.
    """

    def __init__(
        self,
        channels: int,
        pairs: Pairs,
        size: tuple[int, int],
        *,
        widths: tuple[int, int, int] = (16, 32, 32),
        hidden: tuple[int, int] = (500, 100),
    ) -> None:
        super().__init__()
        self.norm = ContrastNorm()
        self.parts = nn.ModuleList(PartDetector(widths, hidden) for _ in range(channels))
        self.priors = BodyPartPriors(channels, pairs, (size[0] // STRIDE, size[1] // STRIDE))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W -> {"heatmap": logits B K H/4 W/4} of the networks, and with the priors.

        The priors teach the networks nothing. H and W are those that they were made for.
        """
        require_divisible(x, STRIDE)
        # The middle of the first window then lies in the middle of the first cell.
        edge = (WINDOW - STRIDE) // 2
        seen = F.pad(self.norm(x), (edge, edge, edge, edge))
        logits = torch.cat([part(seen) for part in self.parts], dim=1)
        return [{"heatmap": logits}, {"heatmap": self.priors(logits.detach())}]


FLIC_CHAIN = ((10, 0), (0, 1), (1, 2), (10, 3), (3, 4), (4, 5))
"""Nose, shoulder, elbow, wrist of either side, in FLIC's order."""


def jain(
    channels: int = 11, pairs: Pairs = FLIC_CHAIN, *, size: tuple[int, int] = (240, 320)
) -> Jain:
    """The published networks, and priors for views of ``size`` (H, W)."""
    return Jain(channels, pairs, size)
