"""Losses that read several fields of a stage at once, by name.

``loss(stage, targets, weights) -> terms``: all three are tensors by name, on one device; the loss
of the stage is the sum of the terms. What a term is worth is part of the loss, as published.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitruvian.codecs.proposals import STRIDE
from vitruvian.nets.boxes import area, draw, encode, match
from vitruvian.nets.faster_rcnn import WEIGHTS
from vitruvian.nets.mask_rcnn import keypoint_cells
from vitruvian.train.assign import soft_labels

Terms = dict[str, Tensor]


def people_of(targets: Terms, weights: Terms) -> list[Tensor]:
    """The boxes N 4 of each view, of the padded ones (``codecs/points.py``)."""
    pairs = zip(targets["boxes"][:, 0], weights["boxes"][:, 0, :, 0], strict=True)
    return [boxes[real > 0] for boxes, real in pairs]


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union of boxes N 4 and N 4 (Rezatofighi et al. 2019)."""
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).clamp(min=0)
    overlap, hull = shared.prod(dim=1), hull.prod(dim=1).clamp(min=1e-6)
    areas = ((box[:, 2:] - box[:, :2]).prod(dim=1) for box in (a, b))
    union = (sum(areas) - overlap).clamp(min=1e-6)
    return overlap / union - (hull - union) / hull


def rtmdet(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Quality focal loss, and GIoU weighed by the overlap, times 2 (Lyu et al. 2022)."""
    strides = [int(name.removeprefix("score")) for name in stage if name.startswith("score")]
    logits = torch.cat([stage[f"score{s}"][:, 0].flatten(1) for s in strides], dim=1)
    sides = torch.cat([stage[f"box{s}"].flatten(2) for s in strides], dim=2).transpose(1, 2)
    grids = [_points(stage[f"score{s}"], s) for s in strides]
    points = torch.cat(grids)
    scales = torch.cat([torch.full_like(g[:, 0], s) for g, s in zip(grids, strides, strict=True)])
    answers = torch.cat([points - sides[..., :2], points + sides[..., 2:]], dim=2)
    sure = torch.cat([_trust(targets["trust"], stage[f"score{s}"]) for s in strides], dim=1)
    label, pairs = torch.zeros_like(logits), []
    for row, boxes in enumerate(people_of(targets, weights)):
        given = soft_labels(points, scales, logits[row], answers[row].detach(), boxes)
        label[row] = given.iou
        taken = (given.person >= 0).nonzero()[:, 0]
        sure[row, taken] = 1
        pairs.append((answers[row, taken], boxes[given.person[taken]], given.iou[taken]))
    gap = (label - logits.sigmoid()).square()
    focal = F.binary_cross_entropy_with_logits(logits, label, reduction="none") * gap * sure
    amount = label.sum().clamp(min=1)
    ours, theirs, overlap = (torch.cat(column) for column in zip(*pairs, strict=True))
    shape = ((1 - giou(ours, theirs)) * overlap).sum()
    return {"score": focal.sum() / amount, "box": 2 * shape / amount}


def two_stage(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Of anchors and proposals alike: is somebody there, and where (Ren et al. 2015, Eq. 1).

    Of the anchors 256 are drawn, at most half of them with people; of the proposals the network
    itself has drawn some. Corrections of boxes are divided by the number drawn (torchvision,
    detectron2).
    """
    anchors, rows = stage["anchor"][0, ..., 0].T, []
    for row, boxes in enumerate(people_of(targets, weights)):
        trust = targets["trust"][row, 0]
        person, _ = match(boxes, anchors, low=0.3, high=0.7, everybody=True)
        sure = torch.where(person >= 0, 1.0, _sure(trust, anchors))
        drawn = torch.cat(draw(person, sure > 0, 256, 0.5))
        logit = stage["anchor_score"][row, 0, drawn, 0]
        there = (person[drawn] >= 0).float()
        score = F.binary_cross_entropy_with_logits(logit, there, sure[drawn], reduction="sum")
        deltas = stage["anchor_box"][row, :, drawn, 0].T
        box = _correction(deltas, person[drawn], anchors[drawn], boxes, (1.0, 1.0, 1.0, 1.0))
        count = max(len(drawn), 1)
        rows.append(torch.stack([score / count, box / count, *_second(stage, row, boxes, trust)]))
    names = ("anchor_score", "anchor_box", "score", "box")
    return dict(zip(names, torch.stack(rows).mean(dim=0), strict=True))


def mask_rcnn(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Both looks, and the cross-entropy of each labelled keypoint's cell (He et al. 2017).

    Boxes that overlap a person by half teach its keypoints that are inside; the sum is divided by
    their number (detectron2).
    """
    views = len(stage["roi"])
    channels = targets["xy"].shape[2]
    maps = stage["keypoint"][..., 0].unflatten(1, (-1, channels))
    side = round(maps.shape[-1] ** 0.5)
    total, count = maps.new_zeros(()), maps.new_zeros(())
    for row, boxes in zip(range(views), people_of(targets, weights), strict=True):
        rois = stage["roi"][row, :, : maps.shape[1], 0].T
        person, _ = match(boxes, rois, low=0.5, high=0.5, everybody=False)
        taken = ((person >= 0) & (area(rois) > 0)).nonzero()[:, 0]
        xy, known = targets["xy"][row][person[taken]], weights["xy"][row, ..., 0][person[taken]]
        cell, inside = keypoint_cells(xy, rois[taken], side)
        asked = inside & (known > 0)
        total = total + F.cross_entropy(maps[row, taken][asked], cell[asked], reduction="sum")
        count = count + asked.sum()
    return two_stage(stage, targets, weights) | {"keypoint": total / count.clamp(min=1)}


def _second(stage: Terms, row: int, boxes: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
    """Losses of the second look at the proposals of one view."""
    rois = stage["roi"][row, ..., 0].T
    real = area(rois) > 0
    person, _ = match(boxes, rois, low=0.5, high=0.5, everybody=False)
    person = person.where(real, -2)
    sure = torch.where(person >= 0, 1.0, _sure(trust, rois)) * real
    logits, label = stage["score"][row, ..., 0].T, (person >= 0).long()
    score = (F.cross_entropy(logits, label, reduction="none") * sure).sum()
    box = _correction(stage["box"][row, 4:8, :, 0].T, person, rois, boxes, WEIGHTS)
    count = real.sum().clamp(min=1)
    return score / count, box / count


def _correction(
    deltas: Tensor, person: Tensor, rois: Tensor, boxes: Tensor, weights: tuple[float, ...]
) -> Tensor:
    """Sum of the smooth L1 errors of those P answers that are for somebody."""
    taken = (person >= 0).nonzero()[:, 0]
    right = encode(boxes[person[taken]], rois[taken], weights)
    return F.smooth_l1_loss(deltas[taken], right, beta=1 / 9, reduction="sum")


def _sure(trust: Tensor, rois: Tensor) -> Tensor:
    """Trust h w in the middle of each box P 4."""
    h, w = trust.shape
    x, y = ((rois[:, :2] + rois[:, 2:]) / (2 * STRIDE)).long().unbind(dim=1)
    return trust[y.clamp(0, h - 1), x.clamp(0, w - 1)]


def _points(maps: Tensor, stride: int) -> Tensor:
    """First corners of the cells of a map B C h w: hw 2, view pixels."""
    h, w = maps.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(h, device=maps.device), torch.arange(w, device=maps.device), indexing="ij"
    )
    return torch.stack([x, y], dim=-1).reshape(-1, 2).float() * stride


def _trust(trust: Tensor, maps: Tensor) -> Tensor:
    """Trust B 1 h w in the cells of a coarser map, the least of what a cell covers: B hw."""
    return -F.adaptive_max_pool2d(-trust, maps.shape[-2:]).flatten(1)
