"""RTMPose: CSPNeXt, keypoints as tokens through one gated attention unit, two classifications.

Jiang, Lu, Zhang, Ma, Han, Lyu, Li and Chen, "RTMPose: real-time multi-person pose estimation based
on MMPose", arXiv 2303.07399.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.convert import Layout
from vitruvian.nets.cspnext import CSPNeXt
from vitruvian.nets.simcc import require_size

VARIANTS = {
    "t": (0.375, 0.167),
    "s": (0.5, 0.33),
    "m": (0.75, 0.67),
    "l": (1.0, 1.0),
    "x": (1.25, 1.33),
}
"""Factors on the trunk's channels and blocks."""

LAYOUTS: dict[str, Layout] = {
    "mmpose": (
        (r"backbone\.", "trunk."),
        (r"head\.", ""),
        (r"data_preprocessor\.", None),
    )
}
"""How public checkpoints name the parameters of :class:`RTMPose`."""

IMAGENET: dict[str, Layout] = {
    "mmpose": ((r"backbone\.", ""), (r"(head|neck|data_preprocessor)\.", None))
}
"""How checkpoints of other tasks name the trunk."""


class ScaleNorm(nn.Module):
    """Tokens of one length, learnt (Nguyen and Salazar 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor = width**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """B K C -> B K C."""
        length = x.norm(dim=-1, keepdim=True) * self.factor
        return x / length.clamp(min=1e-5) * self.g


class Scale(nn.Module):
    """A learnt factor per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """B K C -> B K C."""
        return x * self.scale


class GatedAttention(nn.Module):
    """Gated attention unit: squared-ReLU attention between tokens, and gates (Hua et al. 2022).

    Args:
        width: Channels of a token.
        query: Channels of queries and keys.
    """

    def __init__(self, width: int, query: int = 128) -> None:
        super().__init__()
        self.split = (2 * width, 2 * width, query)
        self.gamma = nn.Parameter(torch.rand(2, query))
        self.beta = nn.Parameter(torch.rand(2, query))
        self.uv = nn.Linear(width, sum(self.split), bias=False)
        self.o = nn.Linear(2 * width, width, bias=False)
        self.ln = ScaleNorm(width)
        self.res_scale = Scale(width)
        nn.init.xavier_uniform_(self.uv.weight)

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        """B K C -> B K C; ``position`` K query is added to queries and keys."""
        gate, value, base = F.silu(self.uv(self.ln(x))).split(self.split, dim=2)
        query, key = (base[:, :, None, :] * self.gamma + self.beta).unbind(dim=2)
        if position is not None:
            query, key = query + position, key + position
        attention = F.relu(query @ key.transpose(1, 2) / self.split[2] ** 0.5).square()
        return self.res_scale(x) + self.o(gate * (attention @ value))


class RTMPose(nn.Module):
    """A map per keypoint, flattened to a token; attention; a linear layer per axis.

    Args:
        trunk: Its last stage is read.
        channels: Number of keypoints K.
        size: (H, W) of the only input that the network takes, in pixels.
        split: Bins per pixel.
        width: Channels of a token.
        query: Channels of queries and keys.
    """

    def __init__(
        self,
        trunk: CSPNeXt,
        channels: int,
        *,
        size: tuple[int, int],
        split: float = 2.0,
        width: int = 256,
        query: int = 128,
    ) -> None:
        super().__init__()
        self.trunk, self.size = trunk, size
        height, wide = size
        cells = (height // 32) * (wide // 32)
        self.final_layer = nn.Conv2d(trunk.widths[-1], channels, 7, padding=3)
        self.mlp = nn.Sequential(ScaleNorm(cells), nn.Linear(cells, width, bias=False))
        self.gau = GatedAttention(width, query)
        self.cls_x = nn.Linear(width, round(wide * split), bias=False)
        self.cls_y = nn.Linear(width, round(height * split), bias=False)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        nn.init.zeros_(self.final_layer.bias)
        for layer in (self.mlp[1], self.cls_x, self.cls_y):
            nn.init.normal_(layer.weight, std=0.01)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {"simcc_x": B K 1 W*split, "simcc_y": B K H*split 1}."""
        require_divisible(x, 32)
        require_size(x, self.size)
        tokens = self.gau(self.mlp(self.final_layer(self.trunk(x)[-1]).flatten(2)))
        return [
            {
                "simcc_x": self.cls_x(tokens)[:, :, None, :],
                "simcc_y": self.cls_y(tokens)[:, :, :, None],
            }
        ]


def rtmpose(
    variant: str = "m",
    channels: int = 17,
    *,
    size: tuple[int, int] = (256, 192),
    split: float = 2.0,
) -> RTMPose:
    """RTMPose ``t``, ``s``, ``m``, ``l`` or ``x``."""
    if variant not in VARIANTS:
        raise ConfigError(f"no RTMPose {variant!r}; there are {', '.join(VARIANTS)}")
    return RTMPose(CSPNeXt(*VARIANTS[variant]), channels, size=size, split=split)
