"""Faster R-CNN: boxes proposed from anchors, then looked at again, one by one.

Ren, He, Girshick and Sun, NeurIPS 2015, with feature pyramids (Lin et al. 2017) and RoIAlign (He et
al. 2017); or, as G-RMI has it, on the one dilated map of a ResNet at stride 8 (Papandreou et al.
2017). ``codecs/proposals.py`` reads the outputs; suppression of the final boxes is left to it.

While training, the network is given the people's boxes, adds them to its proposals and looks at
a sample of those; the loss (``train/joint_losses.py``) matches them anew.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.nets.blocks import Style
from vitruvian.nets.boxes import (
    anchor_grid,
    area,
    base_anchors,
    clip,
    decode,
    draw,
    match,
    unsuppressed,
)
from vitruvian.nets.convert import Layout, rename
from vitruvian.nets.resnet import IMAGENET as IMAGENET
from vitruvian.nets.resnet import ResNet
from vitruvian.nets.roi import level_of, roi_align

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Factors on the second look's answers for x, y, width and height."""

DETECTRON2 = (
    (r"pixel_(mean|std)$|proposal_generator\.anchor_generator\.", None),
    (r"backbone\.bottom_up\.stem\.conv1\.norm\.", "trunk.bn1."),
    (r"backbone\.bottom_up\.stem\.", "trunk."),
    *((rf"backbone\.fpn_lateral{n + 2}\.", f"neck.inner.{n}.") for n in range(4)),
    *((rf"backbone\.fpn_output{n + 2}\.", f"neck.outer.{n}.") for n in range(4)),
    *(
        (rf"backbone\.bottom_up\.res{n + 1}\.(\d+)\.{theirs}\.", rf"trunk.layer{n}.\1.{ours}.")
        for n in range(1, 5)
        for theirs, ours in (
            *((rf"conv{k}\.norm", f"bn{k}") for k in (1, 2, 3)),
            *((f"conv{k}", f"conv{k}") for k in (1, 2, 3)),
            (r"shortcut\.norm", "downsample.1"),
            ("shortcut", "downsample.0"),
        )
    ),
    (r"proposal_generator\.rpn_head\.conv\.", "rpn.conv."),
    (r"proposal_generator\.rpn_head\.objectness_logits\.", "rpn.score."),
    (r"proposal_generator\.rpn_head\.anchor_deltas\.", "rpn.box."),
    (r"roi_heads\.box_head\.fc1\.", "head.fc6."),
    (r"roi_heads\.box_head\.fc2\.", "head.fc7."),
    (r"roi_heads\.box_predictor\.cls_score\.", "score."),
    (r"roi_heads\.box_predictor\.bbox_pred\.", "box."),
)
"""detectron2's names; nobody is the last of its classes, the first of ours."""


def detectron2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of detectron2 by our names, with its classes in our order.

    Nobody's correction of a box, which detectron2 does not have and nothing uses, is 0.
    """
    found = {}
    for key, value in state.items():
        name = rename(key, DETECTRON2)
        if name is None:
            continue
        if name.startswith("score."):
            value = value.roll(1, dims=0)
        elif name.startswith("box."):
            value = torch.cat([torch.zeros_like(value[:4]), value])
        found[name] = value
    return found


LAYOUTS: dict[str, Layout] = {
    "detectron2": detectron2,
    "torchvision": (
        (r"backbone\.body\.", "trunk."),
        (r"backbone\.fpn\.inner_blocks\.(\d)\.(0\.)?", r"neck.inner.\1."),
        (r"backbone\.fpn\.layer_blocks\.(\d)\.(0\.)?", r"neck.outer.\1."),
        (r"rpn\.head\.conv\.(0\.0\.)?", "rpn.conv."),
        (r"rpn\.head\.cls_logits\.", "rpn.score."),
        (r"rpn\.head\.bbox_pred\.", "rpn.box."),
        (r"roi_heads\.box_head\.", "head."),
        (r"roi_heads\.box_predictor\.cls_score\.", "score."),
        (r"roi_heads\.box_predictor\.bbox_pred\.", "box."),
    ),
}
"""How public checkpoints name the parameters of :class:`FasterRCNN` on a pyramid."""


class Pyramid(nn.Module):
    """Levels of one width, each the sum of its own and of what is seen farther up (FPN).

    The coarsest map is skipped through once more for the largest anchors.
    """

    def __init__(self, widths: tuple[int, ...], width: int = 256) -> None:
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv2d(inputs, width, 1) for inputs in widths)
        self.outer = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in widths)
        for conv in (*self.inner, *self.outer):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels at stride 4 to 32 -> levels at stride 4 to 64, B width h w."""
        x, found = None, []
        for level, inner, outer in zip(
            levels[::-1], reversed(self.inner), reversed(self.outer), strict=True
        ):
            here = inner(level)
            x = here if x is None else here + F.interpolate(x, size=here.shape[-2:], mode="nearest")
            found.insert(0, outer(x))
        return [*found, F.max_pool2d(found[-1], 1, 2)]


class Proposer(nn.Module):
    """At each anchor of each level: is it somebody, and where exactly (RPN)."""

    def __init__(self, inputs: int, anchors: int, width: int = 256) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, padding=1)
        self.score = nn.Conv2d(width, anchors, 1)
        self.box = nn.Conv2d(width, 4 * anchors, 1)
        for conv in (self.conv, self.score, self.box):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.zeros_(conv.bias)

    def forward(self, levels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Per level: logits B hwA and answers B hwA 4."""
        found = []
        for x in levels:
            x = F.relu(self.conv(x))
            answers = self.box(x).unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2)
            found.append((self.score(x).permute(0, 2, 3, 1).flatten(1), answers.flatten(1, 3)))
        return found


class Head(nn.Module):
    """Two linear layers over the features of a box."""

    def __init__(self, inputs: int, width: int = 1024) -> None:
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """M C size size -> M width."""
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class FasterRCNN(nn.Module):
    """Proposals from the pyramid of a ResNet, or from its third level alone, and a second look.

    Args:
        trunk: ``output_stride`` 8 where there is no pyramid.
        classes: Number of classes, nobody among them as the first.
        pyramid: Whether there is a pyramid; without one, the trunk's last level is the head.
        width: Channels of the pyramid.
        hidden: Channels of the head.
        proposals: Number of boxes that are looked at again.
        before: Most anchors of a level that are considered for them.
        sample: Number of boxes that a view teaches from, and the largest share with people.
        sizes: Anchors' roots of area, one tuple per level.
        frozen: Normalisation of the trunk stays as it was trained elsewhere.
        aligned: Boxes are read, and anchors are not rounded, as in detectron2.
    """

    looks_at = ("boxes",)
    """Targets that :meth:`forward` is given while training."""

    def __init__(
        self,
        trunk: ResNet,
        classes: int = 2,
        *,
        pyramid: bool = True,
        width: int = 256,
        hidden: int = 1024,
        proposals: int = 1000,
        before: int = 1000,
        sample: tuple[int, float] = (512, 0.25),
        sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,)),
        frozen: bool = True,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.trunk, self.pyramid, self.frozen, self.sample = trunk, pyramid, frozen, sample
        self.aligned = aligned
        self.proposals, self.before = proposals, before
        self.strides = (4, 8, 16, 32, 64) if pyramid else (8,)
        ratios = (0.5, 1.0, 2.0)
        for level, row in enumerate(sizes):
            anchors = base_anchors(row, ratios, whole=pyramid and not aligned)
            self.register_buffer(f"anchors{level}", anchors, persistent=False)
        inputs = width if pyramid else trunk.widths[2]
        self.rpn = Proposer(inputs, len(ratios) * len(sizes[0]), inputs if pyramid else width)
        if pyramid:
            self.neck, self.head = Pyramid(trunk.widths, width), Head(49 * width, hidden)
        else:
            hidden = trunk.widths[3]
            _undilate(trunk.layer4)
        self.score, self.box = nn.Linear(hidden, classes), nn.Linear(hidden, 4 * classes)
        if frozen:
            for norm in self._norms():
                norm.requires_grad_(False)

    def _norms(self) -> list[nn.Module]:
        return [m for m in self.trunk.modules() if isinstance(m, nn.BatchNorm2d)]

    def train(self, mode: bool = True) -> "FasterRCNN":
        """Training mode, but for normalisation that is frozen."""
        super().train(mode)
        for norm in self._norms() if self.frozen else ():
            norm.eval()
        return self

    def forward(self, x: Tensor, boxes: Tensor | None = None) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage, for R = ``proposals`` boxes of each view.

        ``roi``: B 4 R 1 xyxy, without area where there are fewer. ``score``: B C R 1 logits.
        ``box``: B 4C R 1, x, y, width and height for each class, relative to the box.
        Training, also the anchors' own: ``anchor``: 1 4 P 1, ``anchor_score``: B 1 P 1,
        ``anchor_box``: B 4 P 1.

        Args:
            x: Views.
            boxes: While training, B 1 M 4 of the people, without area where there are fewer.
        """
        stage, _, _ = self.look(x, boxes)
        return [stage]

    def look(
        self, x: Tensor, boxes: Tensor | None
    ) -> tuple[dict[str, Tensor], list[Tensor], Tensor]:
        """The stage, the maps that boxes are read from, and the boxes B R 4."""
        levels = self.levels(x)
        answers, grids = self.rpn(levels), self.grids(levels)
        rois = self.propose(answers, grids, x.shape[-2:])
        if boxes is not None:
            rois = self.teach(rois, boxes[:, 0])
        levels = levels[:4]
        pooled = self.read(levels, rois, 7 if self.pyramid else 14).flatten(0, 1)
        hidden = self.head(pooled) if self.pyramid else self._tail(pooled)
        stage = {"roi": _column(rois)}
        for name, layer in (("score", self.score), ("box", self.box)):
            stage[name] = _column(layer(hidden).unflatten(0, rois.shape[:2]))
        if self.training:
            logits, deltas = (torch.cat(part, dim=1) for part in zip(*answers, strict=True))
            stage["anchor"] = _column(torch.cat(grids)[None])
            stage |= {"anchor_score": _column(logits[..., None]), "anchor_box": _column(deltas)}
        return stage, levels, rois

    def levels(self, x: Tensor) -> list[Tensor]:
        """Maps that proposals come from."""
        if self.pyramid:
            return self.neck(self.trunk(x))
        x = F.relu(self.trunk.bn1(self.trunk.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1)
        return [self.trunk.layer3(self.trunk.layer2(self.trunk.layer1(x)))]

    def grids(self, levels: list[Tensor]) -> list[Tensor]:
        """Anchors P 4 of each level."""
        return [
            anchor_grid(getattr(self, f"anchors{i}"), x.shape[-2:], stride)
            for i, (x, stride) in enumerate(zip(levels, self.strides, strict=True))
        ]

    @torch.no_grad()
    def propose(
        self, answers: list[tuple[Tensor, Tensor]], grids: list[Tensor], size: tuple[int, int]
    ) -> Tensor:
        """The best boxes of all levels without duplicates of their level: B R 4."""
        boxes, scores = [], []
        for (logits, deltas), grid in zip(answers, grids, strict=True):
            best, index = logits.float().topk(min(self.before, logits.shape[1]), dim=1)
            picked = deltas.float().gather(1, index[..., None].expand(-1, -1, 4))
            found = clip(decode(picked, grid[index], (1.0, 1.0, 1.0, 1.0)), size)
            good = unsuppressed(found, 0.7) & (found[..., 2:] - found[..., :2] >= 1e-3).all(-1)
            boxes.append(found)
            scores.append(best.masked_fill(~good, -torch.inf))
        boxes, scores = torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
        best, index = scores.topk(min(self.proposals, scores.shape[1]), dim=1)
        found = boxes.gather(1, index[..., None].expand(-1, -1, 4))
        found = found * (best > -torch.inf)[..., None]
        return F.pad(found, (0, 0, 0, self.proposals - found.shape[1]))

    @torch.no_grad()
    def teach(self, rois: Tensor, boxes: Tensor) -> Tensor:
        """A sample of the proposals and of the people's own boxes: B R 4, R of ``sample``."""
        count, share = self.sample
        rows = []
        for some, people in zip(torch.cat([rois, boxes.to(rois)], dim=1), boxes, strict=True):
            some = some[area(some) > 0]
            person, _ = match(
                people[area(people) > 0].to(some), some, low=0.5, high=0.5, everybody=False
            )
            drawn = some[torch.cat(draw(person, torch.ones_like(person) > 0, count, share))]
            rows.append(F.pad(drawn, (0, 0, 0, count - len(drawn))))
        return torch.stack(rows)

    def read(self, levels: list[Tensor], rois: Tensor, size: int) -> Tensor:
        """Features of boxes B R 4: B R C size size."""
        level = level_of(rois, len(levels))
        strides = self.strides[: len(levels)]
        return roi_align(levels, rois, level, strides, size, aligned=self.aligned)

    def _tail(self, x: Tensor) -> Tensor:
        return self.trunk.layer4(F.max_pool2d(x, 2)).mean(dim=(2, 3))


def _column(x: Tensor) -> Tensor:
    """B R C as a field of R rows: B C R 1."""
    return x.transpose(1, 2)[..., None]


def _undilate(level: nn.Module) -> None:
    """Boxes are small: what is dilated on a whole map is not on them."""
    for module in level.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.dilation = module.padding = (1, 1)


def faster_rcnn_fpn(
    depth: int = 50,
    classes: int = 2,
    proposals: int = 1000,
    style: Style = "pytorch",
    aligned: bool = False,
) -> FasterRCNN:
    """On the pyramid of a ResNet, as torchvision has it; detectron2: ``caffe`` and ``aligned``."""
    trunk = ResNet(depth, style=style)
    return FasterRCNN(trunk, classes, proposals=proposals, aligned=aligned)


def faster_rcnn_atrous(depth: int = 101, classes: int = 2, proposals: int = 300) -> FasterRCNN:
    """On one map at stride 8, G-RMI's; proposals and anchors of TensorFlow's object detection."""
    trunk = ResNet(depth, output_stride=8)
    return FasterRCNN(
        trunk,
        classes,
        pyramid=False,
        width=512,
        proposals=proposals,
        before=6000,
        sample=(64, 0.25),
        sizes=((64, 128, 256, 512),),
    )
