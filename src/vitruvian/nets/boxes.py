"""Boxes on the device: overlaps, anchors, their coding, matching and suppression. Torch.

Boxes are xyxy in view pixels, ``... 4``.
"""

import math

import torch
from torch import Tensor

LARGEST = math.log(1000 / 16)
"""A box is never decoded to be larger than its anchor by more (logarithm of the factor)."""


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union, ``... N M`` of boxes ``... N 4`` and ``... M 4``."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    union = area(a)[..., :, None] + area(b)[..., None, :] - shared
    return shared / union.clamp(min=1e-6)


def area(boxes: Tensor) -> Tensor:
    """Square pixels, ``...``; 0 where a side is not positive."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def base_anchors(sizes: tuple[float, ...], ratios: tuple[float, ...], *, whole: bool) -> Tensor:
    """Anchors around the origin, A 4, of every ratio (height / width) in every size (root of area).

    Args:
        sizes: Pixels.
        ratios: See above; they come in the outer loop.
        whole: Round the corners to whole pixels, as torchvision does.
    """
    rows = []
    for ratio in ratios:
        for size in sizes:
            width, height = size / math.sqrt(ratio), size * math.sqrt(ratio)
            rows.append([-width / 2, -height / 2, width / 2, height / 2])
    anchors = torch.tensor(rows)
    return anchors.round() if whole else anchors


def anchor_grid(base: Tensor, cells: tuple[int, int], stride: int) -> Tensor:
    """``base`` at the first corner of each of (h, w) cells: hwA 4, anchors of a cell together."""
    y, x = torch.meshgrid(
        torch.arange(cells[0], device=base.device),
        torch.arange(cells[1], device=base.device),
        indexing="ij",
    )
    corner = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4) * stride
    return (corner + base).reshape(-1, 4)


def encode(boxes: Tensor, anchors: Tensor, weights: tuple[float, ...]) -> Tensor:
    """What to answer at anchors ``... 4`` for boxes ``... 4`` (Ren et al. 2015, Eq. 2).

    ``weights`` multiply the answers for x, y, width and height.
    """
    size, ours = anchors[..., 2:] - anchors[..., :2], boxes[..., 2:] - boxes[..., :2]
    shift = ((boxes[..., :2] + boxes[..., 2:]) - (anchors[..., :2] + anchors[..., 2:])) / 2 / size
    scale = torch.tensor(weights, dtype=boxes.dtype, device=boxes.device)
    return torch.cat([shift, (ours / size).log()], dim=-1) * scale


def decode(deltas: Tensor, anchors: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Boxes ``... 4`` from answers ``... 4`` at anchors; inverse of :func:`encode`."""
    scale = torch.tensor(weights, dtype=deltas.dtype, device=deltas.device)
    deltas = deltas / scale
    size = anchors[..., 2:] - anchors[..., :2]
    middle = anchors[..., :2] + size / 2 + deltas[..., :2] * size
    half = deltas[..., 2:].clamp(max=LARGEST).exp() * size / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes inside a view of ``size`` (H, W)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


@torch.no_grad()
def match(
    boxes: Tensor, answers: Tensor, *, low: float, high: float, everybody: bool
) -> tuple[Tensor, Tensor]:
    """Who each of P answers is for: index into N boxes, -1 for nobody, -2 for neither.

    Args:
        boxes: N 4 of the people.
        answers: P 4, anchors or proposals.
        low: Below this overlap an answer is for nobody.
        high: From this overlap on it is for the person it overlaps most; in between, for neither.
        everybody: The answers that overlap a person most are for them, however little.

    Returns:
        P indices and P overlaps.
    """
    if not len(boxes):
        none = torch.full_like(answers[:, 0], -1, dtype=torch.long)
        return none, torch.zeros_like(answers[:, 0])
    iou = pair_iou(boxes, answers)
    best, person = iou.max(dim=0)
    found = person.where(best >= high, -2).where(best >= low, -1)
    if everybody:
        top = iou.max(dim=1, keepdim=True).values
        favourite = ((iou == top) & (top > 0)).any(dim=0)
        found = person.where(favourite, found)
    return found, best


@torch.no_grad()
def draw(person: Tensor, usable: Tensor, count: int, share: float) -> tuple[Tensor, Tensor]:
    """At most ``count`` of P matched answers at random: positions for people, and for nobody.

    Args:
        person: P, of :func:`match`.
        usable: P, whether an answer may be drawn.
        count: See above.
        share: Largest share of those for people.
    """
    people = ((person >= 0) & usable).nonzero()[:, 0]
    people = people[torch.randperm(len(people), device=people.device)][: int(count * share)]
    nobody = ((person == -1) & usable).nonzero()[:, 0]
    nobody = nobody[torch.randperm(len(nobody), device=nobody.device)]
    return people, nobody[: count - len(people)]


@torch.no_grad()
def unsuppressed(boxes: Tensor, iou: float) -> Tensor:
    """Which of boxes B N 4, best first, stay: B N. None overlaps a better one by more than ``iou``.

    Greedy suppression as a fixed point: a box stays if none of those before it that stay overlaps
    it. From "all stay", each round settles at least the next box of every chain of overlaps.
    """
    over = (pair_iou(boxes, boxes) > iou).triu(1).float()

    def round_(keep: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        new = (keep.float().unsqueeze(1) @ over).squeeze(1) == 0
        return new, new != keep

    keep = torch.ones_like(boxes[..., 0], dtype=torch.bool)
    if torch.compiler.is_exporting():  # becomes a loop of the graph
        from torch._higher_order_ops.while_loop import while_loop

        return while_loop(lambda _, moved: moved.any(), round_, (keep, keep.clone()))[0]
    moved = keep
    while not keep.is_meta and moved.any():
        keep, moved = round_(keep, moved)
    return keep
