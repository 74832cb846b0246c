"""Heads of published systems on the features of the bundled pose network.

The published networks have 25 to 120 million parameters and learn for days. These have half a
million, of which most come from the bundled pose network's trunk (``nets/vitruvian.py``), and learn
in minutes, so that every part of a system but its size can be tried, taught and shipped: targets,
losses, stages, decoding, suppression.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.boxes import area, clip, unsuppressed
from vitruvian.nets.convert import Layout
from vitruvian.nets.efficientpose import VARIANTS, Variant
from vitruvian.nets.mask_rcnn import KeypointHead
from vitruvian.nets.roi import roi_align
from vitruvian.nets.vitruvian import Lateral, Pose, Residual, Spotter

LAYOUTS: dict[str, Layout] = {}
"""Nobody else has these networks."""

IMAGENET: dict[str, Layout] = {"vitruvian pose": ((r"head\.", None),)}
"""How checkpoints name the parameters of :class:`Features`."""


class Features(nn.Module):
    """The bundled pose network up to its last layer.

    Args:
        variant: Size of its trunk.
        width: Channels at stride 4.
    """

    def __init__(self, variant: Variant = VARIANTS["rt"], width: int = 48) -> None:
        super().__init__()
        pose = Pose(1, variant, width)
        self.trunk, self.up, self.lateral, self.mix = pose.trunk, pose.up, pose.lateral, pose.mix
        self.widths = (width, self.trunk.widths[2])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """B 3 H W normalised -> B C h w at stride 4, and at stride 8."""
        require_divisible(x, 8)
        fine, _, deep = self.trunk(x)
        return self.mix(F.relu(self.up(deep) + self.lateral(fine))), deep


def _head(inputs: int, outputs: int) -> nn.Conv2d:
    head = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(head.weight, std=0.001)
    nn.init.zeros_(head.bias)
    return head


class Maps(nn.Module):
    """One block and the maps of one representation (G-RMI; Gaussian heat maps).

    Args:
        outputs: Channels by field name, in the order of the last layer.
        variant: Size of the trunk.
        width: Channels at stride 4.
    """

    def __init__(
        self, outputs: dict[str, int], variant: Variant = VARIANTS["rt"], width: int = 48
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.block = Residual(width, width)
        self.head = _head(width, sum(outputs.values()))
        self.outputs = dict(outputs)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage {field: B C H/4 W/4}; H and W divide by 8."""
        maps = self.head(self.block(self.trunk(x)[0]))
        return [dict(zip(self.outputs, maps.split(list(self.outputs.values()), 1), strict=True))]


class Hop(nn.Module):
    """The smallest U: down to half the resolution and up again by a sum.

    Args:
        width: Channels in and out.
        hidden: Channels below.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.down, self.deep = Residual(width, hidden, 2), Residual(hidden, hidden)
        self.lateral, self.up = Lateral(hidden, width), Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        below = self.lateral(self.deep(self.down(x)))
        return self.up(F.relu(x + F.interpolate(below, size=x.shape[-2:], mode="nearest")))


class Stages(nn.Module):
    """U-shapes in a row, each adding to the features of the one before (Newell 2016, MSPN).

    Stage n of N has the output ``fine_{N-n}``, whose labels are so many widths coarser, the last
    one ``heatmap``.

    Args:
        channels: Number of keypoints K.
        stages: Number N of stages.
        variant: Size of the trunk.
        width: Channels at stride 4.
        hidden: Channels at stride 8.
    """

    def __init__(
        self,
        channels: int = 17,
        stages: int = 2,
        variant: Variant = VARIANTS["rt"],
        width: int = 48,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.stages = nn.ModuleList(Hop(width, hidden) for _ in range(stages))
        self.heads = nn.ModuleList(_head(width, channels) for _ in range(stages))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> N stages of one output B K H/4 W/4; H and W divide by 8."""
        feature, found = self.trunk(x)[0], []
        for left, (stage, head) in enumerate(
            zip(self.stages, self.heads, strict=True), start=1 - len(self.stages)
        ):
            feature = feature + stage(feature)
            found.append({f"fine_{-left}" if left else "heatmap": head(feature)})
        return found


class Cascade(nn.Module):
    """Maps from either level of the features, and from both together (CPN's two networks).

    Args:
        channels: Number of keypoints K.
        variant: Size of the trunk.
        width: Channels at stride 4 and of the refining network.
    """

    def __init__(
        self, channels: int = 17, variant: Variant = VARIANTS["rt"], width: int = 48
    ) -> None:
        super().__init__()
        self.trunk = Features(variant, width)
        self.enter = Lateral(self.trunk.widths[1], width)
        self.deep, self.fine = Residual(width, width), Residual(width, width)
        self.coarse = nn.ModuleList(_head(width, channels) for _ in range(2))
        self.mix = Residual(2 * width, width)
        self.head = _head(width, channels)

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> GlobalNet's ``coarse_1`` and ``coarse_0``, then ``heatmap``.

        All are B K H/4 W/4; H and W divide by 8.
        """
        fine, deep = self.trunk(x)
        deep = self.deep(F.relu(self.enter(deep)))
        low, high = self.coarse[0](deep), self.coarse[1](fine)
        size = fine.shape[-2:]
        deep, low = (F.interpolate(y, size=size, mode="bilinear") for y in (deep, low))
        both = self.mix(torch.cat([self.fine(fine), deep], dim=1))
        return [{"coarse_1": low, "coarse_0": high}, {"heatmap": self.head(both)}]


class Rois(nn.Module):
    """Boxes of people, and a map of each keypoint in every box (Mask R-CNN's two looks).

    The first look is the bundled detector's, with its own trunk; the second reads the features of
    the pose network, which sees the whole picture once. Its maps are those that the pose network's
    last layer gives in a box, and what convolutions over the box add to them.

    Args:
        channels: Number of keypoints K.
        people: Number of boxes D whose keypoints are looked for.
        spotter: The detector; None for the bundled one's size.
        variant: Size of the trunk.
        width: Channels of the features at stride 4.
        hidden: Channels of the head's three convolutions.
        threshold: What is less likely is nobody.
        grow: Features are read in boxes so many times as wide and high, cut at the view.
        shake: While training, corners of boxes are moved by so much of the sides (deviation).
    """

    looks_at = ("boxes",)
    """Targets that :meth:`forward` is given while training."""

    def __init__(
        self,
        channels: int = 17,
        people: int = 10,
        *,
        spotter: Spotter | None = None,
        variant: Variant = VARIANTS["rt"],
        width: int = 48,
        hidden: int = 64,
        threshold: float = 0.3,
        grow: float = 1.1,
        shake: float = 0.06,
    ) -> None:
        super().__init__()
        self.spotter = Spotter(variant) if spotter is None else spotter
        self.trunk = Features(variant, width)
        self.direct = _head(width, channels)
        self.keypoints = KeypointHead(width, channels, hidden, depth=3)
        nn.init.zeros_(self.keypoints.up.weight)
        self.people, self.threshold = people, threshold
        self.grow, self.shake = grow, shake

    def forward(self, x: Tensor, boxes: Tensor | None = None) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage, for the D best people of each view.

        ``person``: B 4 D 1 xyxy, without area where there are fewer. ``chance``: B 1 D 1 in [0, 1].
        ``keypoint``: B DK S^2 1, logits of the S x S cells of each box, row by row.
        Training, ``roi`` for ``person``: the people's boxes B 1 M 4, shaken, if they are given.
        """
        size = (x.shape[-2], x.shape[-1])
        features = self.trunk(x)[0]
        if boxes is not None:
            rois = self.shaken(boxes[:, 0], size)
            return [{"roi": _rows(rois), "keypoint": self.maps(self.read(features, rois))}]
        found, chance = self.found(self.spotter(x)[0], size)
        maps = self.maps(self.read(features, found))
        return [{"person": _rows(found), "chance": chance[:, None, :, None], "keypoint": maps}]

    def found(self, stage: dict[str, Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """B D 4 and B D: the best boxes as ``codecs/centres.py`` reads them, and their chances."""
        logit, stride = stage["centre"].float(), 8
        top = (logit == F.max_pool2d(logit, 3, 1, 1)).flatten(1)
        chance, cell = (logit.flatten(1).sigmoid() * top).topk(4 * self.people, dim=1)
        sides = stride * stage["box"].float().flatten(2).exp().transpose(1, 2)
        sides = sides.gather(1, cell[..., None].expand(-1, -1, 4))
        columns = logit.shape[-1]
        cells = torch.stack([cell % columns, cell // columns], dim=-1)
        middle = (cells + 0.5) * stride - 0.5
        boxes = torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], dim=-1)
        chance = chance * unsuppressed(boxes, 0.5) * (chance > self.threshold)
        chance, index = chance.topk(self.people, dim=1)
        boxes = clip(boxes.gather(1, index[..., None].expand(-1, -1, 4)), size)
        return self._grown(boxes, size) * (chance > 0)[..., None], chance

    @torch.no_grad()
    def shaken(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes B M 4 of at most D people, as a detector might have found them."""
        boxes = boxes[:, : self.people]
        sides = (boxes[..., 2:] - boxes[..., :2]).repeat(1, 1, 2)
        moved = boxes + self.shake * torch.randn_like(boxes) * sides
        return self._grown(moved, size) * (area(boxes) > 0)[..., None]

    def read(self, features: Tensor, rois: Tensor) -> Tensor:
        """Features B C h w in boxes B R 4: B R C 14 14."""
        level = torch.zeros_like(rois[..., 0], dtype=torch.long)
        return roi_align([features], rois, level, (4,), 14)

    def logits(self, read: Tensor) -> Tensor:
        """M C 14 14 -> M K S S."""
        direct = F.interpolate(self.direct(read), scale_factor=4.0, mode="bilinear")
        return direct + self.keypoints(read)

    def maps(self, read: Tensor) -> Tensor:
        """B R C 14 14 -> B RK S^2 1."""
        maps = self.logits(read.flatten(0, 1))
        return maps.unflatten(0, read.shape[:2]).flatten(1, 2).flatten(2)[..., None]

    def _grown(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
        half = half * self.grow
        return clip(torch.cat([middle - half, middle + half], dim=-1), size)


def _rows(boxes: Tensor) -> Tensor:
    """B R 4 as a field of R rows: B 4 R 1."""
    return boxes.transpose(1, 2)[..., None]


def small_disk(channels: int = 17) -> Maps:
    """G-RMI's outputs: K logits of discs and 2 K offsets."""
    return Maps({"heatmap": channels, "offset": 2 * channels})


def small_maps(channels: int = 17) -> Maps:
    """One Gaussian map per keypoint."""
    return Maps({"heatmap": channels})


def small_stages(channels: int = 17, stages: int = 2) -> Stages:
    """MSPN's stages."""
    return Stages(channels, stages)


def small_cascade(channels: int = 17) -> Cascade:
    """CPN's GlobalNet and RefineNet."""
    return Cascade(channels)


def small_rois(channels: int = 17, people: int = 10) -> Rois:
    """Mask R-CNN's boxes and keypoints."""
    return Rois(channels, people)


def small_paf(channels: int = 18, limbs: int = 19) -> Maps:
    """OpenPose's outputs: K Gaussian maps and the background's, and two fields per limb."""
    return Maps({"heatmap": channels + 1, "paf": 2 * limbs})
