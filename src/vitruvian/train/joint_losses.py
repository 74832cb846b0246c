"""Losses that read several fields of a stage at once, by name.

``loss(stage, targets, weights) -> terms``: all three are tensors by name, on one device; the loss
of the stage is the sum of the terms. What a term is worth is part of the loss, as published.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitruvian.codecs.proposals import STRIDE
from vitruvian.nets.boxes import area, draw, encode, match, pair_iou
from vitruvian.nets.faster_rcnn import WEIGHTS
from vitruvian.nets.mask_rcnn import keypoint_cells
from vitruvian.train.assign import Assignment, pose_similarity, similar_poses, soft_labels

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
    """Both looks, and the keypoints in the second one's boxes (He et al. 2017)."""
    return two_stage(stage, targets, weights) | roi_keypoints(stage, targets, weights)


def roi_keypoints(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Cross-entropy of each labelled keypoint's cell of a box (He et al. 2017).

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
    return {"keypoint": total / count.clamp(min=1)}


def rtmo(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Scores, boxes, visibilities and keypoints, the latter twice (Lu et al. 2024, first stage).

    Varifocal loss of the score against the root of the keypoints' similarity; squared overlap,
    times 5; similarity of the keypoints that the cell regresses, times 30; cross-entropy of
    visibilities; likelihood of the keypoints' bins.
    """
    x, y, stride = stage["point"][0, ..., 0]
    points, terms = torch.stack([x, y], dim=1), []
    for row, boxes in enumerate(people_of(targets, weights)):
        here = {name: maps[row if len(maps) > 1 else 0, ..., 0].T for name, maps in stage.items()}
        xy, known = targets["xy"][row, : len(boxes)], weights["xy"][row, : len(boxes), :, 0]
        proxy = here["proxy"].unflatten(1, (-1, 2))
        given = similar_poses(
            points, stride, here["score"][:, 0], here["box"], proxy.detach(), boxes, xy, known
        )
        terms.append(_rtmo_terms(here, given, boxes, xy, known, targets["trust"][row, 0]))
    sums = torch.stack(terms).sum(dim=0)
    count = sums[-1].clamp(min=1)
    names = ("score", "box", "proxy", "visible", "keypoint")
    factors = sums.new_tensor([1, 5, 30, 1, 1])
    return dict(zip(names, factors * sums[:-1] / count, strict=True))


def _rtmo_terms(
    here: Terms, given: Assignment, boxes: Tensor, xy: Tensor, known: Tensor, trust: Tensor
) -> Tensor:
    """Sums over the cells of a view, and how many cells have a person: 6."""
    taken = (given.person >= 0).nonzero()[:, 0]
    of, logit = given.person[taken], here["score"][:, 0]
    label = given.iou.sqrt()
    sure = torch.where(given.person >= 0, 1.0, _sure(trust, here["box"].detach()))
    focus = torch.where(given.person >= 0, label, 0.75 * logit.detach().sigmoid().square())
    score = F.binary_cross_entropy_with_logits(logit, label, reduction="none") * focus * sure
    overlap = pair_iou(here["box"][taken][:, None], boxes[of][:, None])[:, 0, 0]
    proxy = here["proxy"][taken].unflatten(1, (-1, 2))
    alike = pose_similarity(proxy[:, None], xy[of][:, None], boxes[of][:, None], known[of][:, None])
    seen = F.binary_cross_entropy_with_logits(
        here["visible"][taken], known[of], reduction="none"
    ).mean(dim=1)
    sums = [score, 1 - overlap.square(), 1 - alike[:, 0], seen]
    found = [part.sum() for part in sums]
    return torch.stack(
        [*found, _bin_likelihood(here, given, boxes, xy, known), found[0].new_tensor(len(taken))]
    )


def _bin_likelihood(
    here: Terms, given: Assignment, boxes: Tensor, xy: Tensor, known: Tensor
) -> Tensor:
    """Negative logarithm of the chance of the keypoints' bins, a sum over located cells.

    A bin at distance d from the keypoint counts exp(-d / (2 s sigma)) / sigma, s the root of the
    person's area and sigma what the network says of its own error (Lu et al. 2024, Eq. 5-7).
    """
    person = given.person[here["index"][:, 0].long()]
    some = (person >= 0).nonzero()[:, 0]
    of, frame, sigma = person[some], here["frame"][some], here["sigma"][some]
    scale = area(boxes[of]).sqrt()[:, None, None]
    likelihood = 1.0
    for axis, name in enumerate(("bins_x", "bins_y")):
        logits = here[name][some].unflatten(1, (sigma.shape[1], -1))
        step = torch.linspace(-0.5, 0.5, logits.shape[-1], device=logits.device)
        place = frame[:, axis, None] + frame[:, 2 + axis, None] * step
        far = (place[:, None] - xy[of][..., axis, None]).abs()
        profile = torch.exp(-far / (2 * scale * sigma[..., None])) / sigma[..., None]
        likelihood = likelihood * (logits.softmax(dim=-1) * profile).sum(dim=-1)
    loss = -(likelihood + 1e-4).log() * known[of]
    return (loss.sum(dim=1) / known[of].sum(dim=1).clamp(min=1)).sum()


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


def multibox(stage: Terms, targets: Terms, weights: Terms) -> Terms:
    """Classes of boxes with people and of the hardest without, 3 : 1, and smooth L1 of the boxes.

    Liu et al. 2016 (SSD), Eq. 1-3: both are sums, divided by the number of boxes with people.
    """
    names = [name for name in targets if name.startswith("score")]
    there = torch.cat([_rows(targets[name], 1) for name in names], dim=1)[..., 0]
    sure = torch.cat([_rows(weights[name], 1) for name in names], dim=1)[..., 0]
    classes = stage[names[0]].shape[1] // targets[names[0]].shape[1]
    logits = torch.cat([_rows(stage[name], classes) for name in names], dim=1)
    loss = F.cross_entropy(logits.transpose(1, 2), there.long(), reduction="none") * sure
    nobody = (there == 0) & (sure > 0)
    hardest = loss.detach().masked_fill(~nobody, -1).argsort(dim=1, descending=True).argsort(dim=1)
    people = there.sum(dim=1, keepdim=True)
    taken = (there > 0) | (nobody & (hardest < (3 * people).clamp(min=1)))
    boxes = torch.zeros_like(people).sum()
    for name in (name.replace("score", "box") for name in names):
        error = F.smooth_l1_loss(stage[name], targets[name], reduction="none")
        boxes = boxes + (error * weights[name]).sum()
    count = people.sum().clamp(min=1)
    return {"score": (loss * taken).sum() / count, "box": boxes / count}


def _rows(maps: Tensor, channels: int) -> Tensor:
    """Maps B AC h w as rows B hwA C."""
    return maps.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, channels))
