"""ViTPose: a plain vision transformer and two deconvolutions, or one convolution.

Xu, Zhang, Zhang and Tao, "ViTPose: simple vision transformer baselines for human pose estimation",
NeurIPS 2022; ViTPose++, TPAMI 2023, whose blocks end in experts, one per data set.
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.convert import Layout, rename
from vitruvian.nets.simcc import require_size

PATCH = 16
"""Side of a token, in pixels."""

VARIANTS = {
    "s": (384, 12, 12, 0.1),
    "b": (768, 12, 12, 0.3),
    "l": (1024, 24, 16, 0.5),
    "h": (1280, 32, 16, 0.55),
}
"""Channels, blocks, heads of attention, chance that the last block is skipped in training."""

PARTS = {"s": 192, "b": 192, "l": 256, "h": 320}
"""Channels that an expert of ViTPose++ gives."""

_ORIGINAL = (
    (r"backbone\.cls_token", None),
    (r"backbone\.", "trunk."),
    (r"keypoint_head\.", ""),
    (r"associate_keypoint_heads\.", None),
)
_MMPOSE = (
    (r"backbone\.patch_embed\.projection\.", "trunk.patch_embed.proj."),
    (r"backbone\.layers\.(\d+)\.ln(\d)\.", r"trunk.blocks.\1.norm\2."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.", r"trunk.blocks.\1.mlp.fc1."),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.1\.", r"trunk.blocks.\1.mlp.fc2."),
    (r"backbone\.layers\.(\d+)\.", r"trunk.blocks.\1."),
    (r"backbone\.ln1\.", "trunk.last_norm."),
    (r"backbone\.pos_embed", "trunk.pos_embed"),
    (r"head\.", ""),
    (r"data_preprocessor\.", None),
)
_LAYER = r"backbone\.encoder\.layer\.(\d+)\."
_HUGGING_FACE = (
    (r"backbone\.embeddings\.position_embeddings", "trunk.pos_embed"),
    (r"backbone\.embeddings\.patch_embeddings\.projection\.", "trunk.patch_embed.proj."),
    (rf"{_LAYER}layernorm_before\.", r"trunk.blocks.\1.norm1."),
    (rf"{_LAYER}layernorm_after\.", r"trunk.blocks.\1.norm2."),
    (rf"{_LAYER}attention\.attention\.query\.", r"trunk.blocks.\1.attn.qkv."),
    (rf"{_LAYER}attention\.output\.dense\.", r"trunk.blocks.\1.attn.proj."),
    (rf"{_LAYER}mlp\.", r"trunk.blocks.\1.mlp."),
    (r"backbone\.layernorm\.", "trunk.last_norm."),
    (r"head\.deconv1\.", "deconv_layers.0."),
    (r"head\.batchnorm1\.", "deconv_layers.1."),
    (r"head\.deconv2\.", "deconv_layers.3."),
    (r"head\.batchnorm2\.", "deconv_layers.4."),
    (r"head\.conv\.", "final_layer."),
)


def _mmpose(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """MMPose drops the class token's position; ours adds it to all others, so it is nothing."""
    ours = {rename(key, _MMPOSE) or key: value for key, value in state.items()}
    if "trunk.pos_embed" in ours:
        positions = ours["trunk.pos_embed"]
        ours["trunk.pos_embed"] = F.pad(positions, (0, 0, 1, 0))
    return ours


def _hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Transformers keeps queries, keys and values apart."""
    ours = {}
    for key, value in state.items():
        if ".attention.attention.query." in key:
            parts = (key.replace(".query.", f".{part}.") for part in ("query", "key", "value"))
            value = torch.cat([state[part] for part in parts if part in state])
        elif ".attention.attention." in key:
            continue
        ours[rename(key, _HUGGING_FACE) or key] = value
    return ours


LAYOUTS: dict[str, Layout] = {
    "authors": _ORIGINAL,
    "mmpose": _mmpose,
    "hugging face": _hugging_face,
}
"""How public checkpoints name the parameters of :class:`ViTPose`."""


def _mae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A masked autoencoder (He et al. 2022) as the trunk for 256 x 192: 14 x 14 tokens, enlarged.

    Patches of 14 pixels (ViT-H) get a border of zeros.
    """
    ours = {}
    for key, value in state.items():
        if key.startswith(("decoder", "mask_token", "cls_token", "fc_norm.", "head.")):
            continue
        if key == "pos_embed":
            tokens = value[:, 1:].unflatten(1, (14, 14)).permute(0, 3, 1, 2)
            tokens = F.interpolate(tokens, size=(16, 12), mode="bicubic", align_corners=False)
            value = torch.cat([value[:, :1], tokens.flatten(2).transpose(1, 2)], dim=1)
        if key == "patch_embed.proj.weight":
            value = F.pad(value, 4 * ((PATCH - value.shape[-1]) // 2,))
        ours[key.replace("norm.", "last_norm.") if key.startswith("norm.") else key] = value
    return ours


IMAGENET: dict[str, Layout] = {"mae": _mae}
"""How pretrained checkpoints name the trunk."""


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B N C -> B N C."""
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.proj(found.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two layers; with experts, the last ``part`` channels come from one of them."""

    def __init__(self, width: int, experts: int, part: int, expert: int) -> None:
        super().__init__()
        self.expert = expert
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width - part if experts else width)
        self.experts = nn.ModuleList(nn.Linear(4 * width, part) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """B N C -> B N C."""
        x = F.gelu(self.fc1(x))
        y = self.fc2(x)
        return torch.cat([y, self.experts[self.expert](x)], dim=2) if self.experts else y


class Block(nn.Module):
    """Attention, then two layers, each on normalised tokens and added to them."""

    def __init__(self, width: int, heads: int, mlp: Mlp, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = mlp
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """B N C -> B N C."""
        x = x + self._survivors(self.attn(self.norm1(x)))
        return x + self._survivors(self.mlp(self.norm2(x)))

    def _survivors(self, y: Tensor) -> Tensor:
        """The branch, which some samples skip in training (Huang et al. 2016)."""
        if not (self.training and self.drop):
            return y
        keep = y.new_empty(y.shape[0], 1, 1).bernoulli_(1 - self.drop)
        return y * keep / (1 - self.drop)


class Patches(nn.Module):
    """Pixels to tokens; two pixels of border, which leave their number alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B C H/16 W/16."""
        return self.proj(x)


class ViT(nn.Module):
    """Blocks on patches, to a map.

    ``pos_embed`` begins with the position of a class token, which pretraining had and which is
    added to all others.

    Args:
        width: Channels C.
        depth: Blocks.
        heads: Of the attention.
        cells: (h, w) tokens.
        drop: Chance that the last block is skipped in training; linear from 0 at the first.
        experts: Experts at the end of every block; 0 for none.
        part: Channels of an expert.
        expert: Which one answers.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        cells: tuple[int, int],
        *,
        drop: float = 0.0,
        experts: int = 0,
        part: int = 0,
        expert: int = 0,
    ) -> None:
        super().__init__()
        self.patch_embed = Patches(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + cells[0] * cells[1], width))
        self.blocks = nn.ModuleList(
            Block(width, heads, Mlp(width, experts, part, expert), drop * index / max(1, depth - 1))
            for index in range(depth)
        )
        self.last_norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B C H/16 W/16."""
        x = self.patch_embed(x)
        height, width = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x).transpose(1, 2).unflatten(2, (height, width))


class ViTPose(nn.Module):
    """A map per keypoint from a transformer's map.

    Args:
        trunk: The transformer.
        width: Its channels.
        channels: Number of heatmaps K.
        decoder: ``classic``, two deconvolutions; or ``simple``, enlarged and one convolution.
        size: (H, W) of the only input that the network takes, in pixels.
    """

    def __init__(
        self,
        trunk: ViT,
        width: int,
        channels: int,
        *,
        decoder: Literal["classic", "simple"],
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.trunk, self.size = trunk, size
        self.deconv_layers = None
        if decoder == "classic":
            layers: list[nn.Module] = []
            for inputs in (width, 256):
                layers += [nn.ConvTranspose2d(inputs, 256, 4, 2, 1, bias=False)]
                layers += [nn.BatchNorm2d(256), nn.ReLU(inplace=True)]
            self.deconv_layers = nn.Sequential(*layers)
            self.final_layer = nn.Conv2d(256, channels, 1)
        else:
            self.final_layer = nn.Conv2d(width, channels, 3, padding=1)
        for name, module in self.named_modules():
            if not name.startswith("trunk") and isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.001)
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised, of the network's size -> one stage {"heatmap": B K H/4 W/4}."""
        require_size(x, self.size)
        x = self.trunk(x)
        if self.deconv_layers is not None:
            return [{"heatmap": self.final_layer(self.deconv_layers(x))}]
        x = F.interpolate(F.relu(x), scale_factor=4, mode="bilinear", align_corners=False)
        return [{"heatmap": self.final_layer(x)}]

    def layers_above(self, name: str) -> int:
        """How many layers stand above a parameter, for rates that fall from layer to layer."""
        depth = len(self.trunk.blocks)
        if name.startswith("trunk.blocks."):
            return depth - int(name.split(".")[2])
        return depth + 1 if name.startswith(("trunk.pos_embed", "trunk.patch_embed.")) else 0


def vitpose(
    variant: str = "b",
    channels: int = 17,
    *,
    decoder: Literal["classic", "simple"] = "classic",
    size: tuple[int, int] = (256, 192),
    experts: int = 0,
    expert: int = 0,
) -> ViTPose:
    """ViTPose ``s``, ``b``, ``l`` or ``h``; with six experts and the ``expert`` to ask, ViTPose++.

    The experts of ViTPose++ are COCO, AIC, MPII, AP-10K, APT-36K and COCO-WholeBody.

    Raises:
        ConfigError: There is no such variant, decoder or expert, or patches do not tile the size.
    """
    if variant not in VARIANTS or decoder not in ("classic", "simple"):
        raise ConfigError(
            f"no ViTPose {variant!r} with decoder {decoder!r}; there are {', '.join(VARIANTS)}, "
            "'classic' and 'simple'"
        )
    if experts and not 0 <= expert < experts:
        raise ConfigError(f"expert {expert} of {experts}; give 0 to {experts - 1}")
    if size[0] % PATCH or size[1] % PATCH:
        fits = " x ".join(str(max(1, round(side / PATCH)) * PATCH) for side in size)
        raise ConfigError(
            f"a ViTPose of size {size[0]} x {size[1]} (height x width): both sides must divide by "
            f"{PATCH}; the nearest size is {fits}"
        )
    width, depth, heads, drop = VARIANTS[variant]
    trunk = ViT(
        width,
        depth,
        heads,
        (size[0] // PATCH, size[1] // PATCH),
        drop=drop,
        experts=experts,
        part=PARTS[variant],
        expert=expert,
    )
    return ViTPose(trunk, width, channels, decoder=decoder, size=size)
