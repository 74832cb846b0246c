"""Which of a detector's answers are for whom. Torch, on the device where the answers are."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vitruvian.nets.boxes import area, pair_iou


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who each of P answers is for.

    Attributes:
        person: P, index into the people; -1 for nobody.
        iou: P, overlap of the answer with the person's box, or likeness; 0 for nobody.
    """

    person: Tensor
    iou: Tensor


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """P N: whether a point P 2 is strictly inside a box N 4."""
    after = points[:, None] > boxes[None, :, :2]
    before = points[:, None] < boxes[None, :, 2:]
    return (after & before).all(dim=-1)


@torch.no_grad()
def soft_labels(
    points: Tensor,
    strides: Tensor,
    logits: Tensor,
    answers: Tensor,
    boxes: Tensor,
    *,
    top: int = 13,
) -> Assignment:
    """Dynamic soft label assignment (Lyu et al. 2022, Eq. 1-3).

    A point may answer for anybody if it is inside any box. What it costs: the class error against
    the overlap as soft label, the logarithm of the overlap, and the distance to the middle of the
    box in cells. As many points answer for a person as their ``top`` best overlaps sum up to.

    Args:
        points: P 2 view pixels.
        strides: P pixels.
        logits: P.
        answers: P 4 xyxy.
        boxes: N 4 xyxy of the people.
        top: See above.
    """
    person = torch.full_like(points[:, 0], -1, dtype=torch.long)
    candidates = _inside(points, boxes).any(dim=1).nonzero()[:, 0]
    if not len(candidates):
        return Assignment(person=person, iou=torch.zeros_like(logits))
    overlap = pair_iou(answers[candidates], boxes)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    far = (points[candidates, None] - middle).norm(dim=-1) / strides[candidates, None]
    logit = logits[candidates, None].expand_as(overlap)
    error = F.binary_cross_entropy_with_logits(logit, overlap, reduction="none")
    cost = error * (overlap - logit.sigmoid()).square()
    cost = cost - 3 * torch.log(overlap + 1e-7) + 10 ** (far - 3)
    chosen = cheapest(cost, overlap, top)
    iou = torch.zeros_like(logits)
    person[candidates] = chosen
    taken = (chosen >= 0).nonzero()[:, 0]
    iou[candidates[taken]] = overlap[taken, chosen[taken]]
    return Assignment(person=person, iou=iou)


def cheapest(cost: Tensor, overlap: Tensor, top: int) -> Tensor:
    """P: who each candidate answers for, -1 for nobody, from costs and overlaps P N.

    Person n gets the k cheapest candidates, k the sum of its ``top`` largest overlaps and at least
    1; a candidate wanted by several answers for the one that it is cheapest for (Ge et al. 2021,
    SimOTA).
    """
    best = overlap.topk(min(top, len(overlap)), dim=0).values
    counts = best.sum(dim=0).int().clamp(min=1)
    wanted = torch.zeros_like(cost, dtype=torch.bool)
    for person, count in enumerate(counts.tolist()):
        wanted[cost[:, person].topk(min(count, len(cost)), largest=False).indices, person] = True
    person = cost.masked_fill(~wanted, torch.inf).argmin(dim=1)
    several = wanted.sum(dim=1) > 1
    person[several] = cost[several].argmin(dim=1)
    return person.where(wanted.any(dim=1), -1)


SIGMA = 0.07
"""Spread of a keypoint as a share of the root of the area: about the mean of COCO's. A loss does
not know the skeleton, so that all keypoints count alike."""


def pose_similarity(ours: Tensor, theirs: Tensor, boxes: Tensor, known: Tensor) -> Tensor:
    """Object keypoint similarity over labelled keypoints, ``...``; 0 where there is none.

    Args:
        ours: ``... K 2`` view pixels.
        theirs: ``... K 2``, of the people.
        boxes: ``... 4``, of the people.
        known: ``... K``, 1 where a keypoint is labelled.
    """
    size = area(boxes).clamp(min=1)[..., None]
    alike = torch.exp(-(ours - theirs).square().sum(dim=-1) / (2 * size * (2 * SIGMA) ** 2))
    return (alike * known).sum(dim=-1) / known.sum(dim=-1).clamp(min=1)


@torch.no_grad()
def similar_poses(
    points: Tensor,
    strides: Tensor,
    logits: Tensor,
    answers: Tensor,
    poses: Tensor,
    boxes: Tensor,
    xy: Tensor,
    known: Tensor,
    *,
    top: int = 10,
    radius: float = 2.5,
) -> Assignment:
    """Dynamic assignment by the similarity of poses (Lu et al. 2024; Ge et al. 2021, SimOTA).

    A point may answer if it is inside a box or ``radius`` cells from the middle of a person's
    keypoints, and should be both. People without labelled keypoints count by their boxes.

    Args:
        points: P 2 view pixels.
        strides: P pixels.
        logits: P.
        answers: P 4 xyxy.
        poses: P K 2 view pixels.
        boxes: N 4 xyxy of the people.
        xy: N K 2 of the people.
        known: N K, 1 where a keypoint is labelled.
        top: As many points answer for a person as their ``top`` best similarities sum up to.
        radius: See above.

    Returns:
        ``iou`` is the similarity of the pose.
    """
    person = torch.full_like(points[:, 0], -1, dtype=torch.long)
    alike = torch.zeros_like(logits)
    labelled = known.sum(dim=1, keepdim=True)
    middle = (xy * known[..., None]).sum(dim=1) / labelled.clamp(min=1)
    middle = torch.where(labelled > 0, middle, (boxes[:, :2] + boxes[:, 2:]) / 2)
    inside = _inside(points, boxes)
    far = (points[:, None] - middle).abs().amax(dim=-1)
    close = far < radius * strides[:, None]
    candidates = (inside | close).any(dim=1).nonzero()[:, 0]
    if not len(candidates):
        return Assignment(person=person, iou=alike)
    iou = pair_iou(answers[candidates], boxes)
    similar = pose_similarity(poses[candidates][:, None], xy[None], boxes[None], known[None])
    similar = torch.where(labelled[:, 0] > 0, similar, iou)
    logit = logits[candidates, None].expand_as(iou)
    cost = -F.logsigmoid(logit) - 3 * (iou + 1e-8).log() - 3 * (similar + 1e-8).log()
    cost = cost + 1e5 * ~(inside & close)[candidates]
    chosen = cheapest(cost, similar, top)
    person[candidates] = chosen
    taken = (chosen >= 0).nonzero()[:, 0]
    alike[candidates[taken]] = similar[taken, chosen[taken]]
    return Assignment(person=person, iou=alike)
