"""Intersection over union, and suppression of what is too similar to something better.

Boxes are compared by OpenCV's loop, which calls nothing per box. Of other things, only those that
meet can be similar: a sweep along x finds the pairs that do, which in pictures are few; they are
compared in one go, and who goes is a loop over those that clash. Where everything meets, the best
few are compared with each other and then with the rest, of which most are gone before their turn.
``benchmarks/nms.py`` measures it.
"""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

FEW = 2048
"""Up to so many boxes OpenCV's loop is the quickest."""
RANK = np.arange(FEW, 0, -1).astype(np.float32)
"""Scores of boxes that stand in order. (OpenCV reads a list of boxes sooner than an array.)"""
CROWDED = 1 << 17
"""So many pairs are too many to be listed at once."""


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N M float64 intersection over union of boxes N 4 and M 4, xyxy; 0 for a box without area."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    shared = _overlap(a[:, 0], a[:, 2], b[:, 0], b[:, 2])
    shared *= _overlap(a[:, 1], a[:, 3], b[:, 1], b[:, 3])
    union = np.add.outer(_area(a), _area(b))
    union -= shared
    ratio: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Positions of the boxes that stay, best first; the rest overlap a better one by more.

    Args:
        boxes: N 4 xyxy.
        scores: N; what scores NaN does not stay.
        threshold: Largest intersection over union of two that stay.
    """
    order = ranked(scores)
    best = boxes.take(order, axis=0)
    if 0 < len(order) <= FEW:
        sides = best.astype(np.float64)
        sides[:, 2:] -= sides[:, :2]
        if sides[:, 2:].min() > 0:  # not so for NaN either
            found = cv2.dnn.NMSBoxes(sides.tolist(), RANK[: len(order)], 0.0, threshold)  # type: ignore[arg-type]
            return np.asarray(order[found])
    rank = np.arange(len(order), 0, -1)
    return np.asarray(order[greedy_by(lambda a, b: iou(best[a], best[b]), rank, threshold)])


def ranked(scores: np.ndarray) -> np.ndarray:
    """Positions of ``scores``, best first, of equals the first first; not of those that are NaN."""
    order: np.ndarray = (-scores).argsort(kind="stable")
    return order[: len(order) - np.count_nonzero(scores != scores)]  # NaN is sorted to the end


def meeting(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions a < b of every two of N boxes that share a point; None if they are too many.

    Args:
        low: N 2, smaller corners.
        high: N 2, larger corners; a box with NaN meets nobody.
    """
    left, right = low[:, 0], high[:, 0]
    order = np.argsort(left)
    count = left[order].searchsorted(right[order], "right") - np.arange(1, len(order) + 1)
    np.maximum(count, 0, out=count)
    ends = count.cumsum()
    if len(ends) and ends[-1] > CROWDED:
        return None
    first = np.arange(len(order)).repeat(count)
    second = np.arange(1, len(first) + 1) + (np.arange(len(order)) - ends + count)[first]
    i, j = order[first], order[second]
    top, bottom = low[:, 1], high[:, 1]
    near = (top[i] <= bottom[j]) & (top[j] <= bottom[i])
    i, j = i[near], j[near]
    return np.minimum(i, j), np.maximum(i, j)


def unhurt(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """Which of ``count`` stay, best first, if whoever stays removes those it clashes with.

    Args:
        a: P positions, the better of each pair that clashes.
        b: P, the worse.
        count: Number of candidates, which stand in order.
    """
    stays = bytearray(b"\1") * count
    order = np.argsort(a, kind="stable")
    for better, worse in zip(a[order].tolist(), b[order].tolist(), strict=True):
        if stays[better]:
            stays[worse] = 0
    return np.frombuffer(stays, np.bool_).nonzero()[0]


def greedy(similarity: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Positions that stay, best first: none is more similar than ``threshold`` to a better one.

    Args:
        similarity: N N.
        scores: N; of equals the first is better, and what scores NaN does not stay.
        threshold: Largest similarity of two that stay.
    """
    return greedy_by(lambda some, rest: similarity[some][:, rest], scores, threshold)


def greedy_by(
    similar: Callable[[np.ndarray, np.ndarray], np.ndarray],
    scores: np.ndarray,
    threshold: float,
    *,
    block: int = 64,
) -> np.ndarray:
    """The same, with similarities n m of n positions to m others made as they are needed.

    ``block`` are compared with the rest at a time: the fewer, the dearer a comparison is.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isnan(scores[order])]
    kept = [np.zeros(0, np.int64)]
    while len(order):
        head, order = order[:block], order[block:]
        head = head[_among(similar(head, head) > threshold)]
        kept.append(head)
        if len(order):
            order = order[(similar(head, order) <= threshold).all(axis=0)]
    return np.concatenate(kept)


def soften(
    similarity: np.ndarray,
    scores: np.ndarray,
    *,
    decay: Literal["linear", "gaussian"] = "gaussian",
    threshold: float = 0.3,
    sigma: float = 0.5,
    floor: float = 0.001,
    most: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Soft suppression (Bodla et al. 2017): what is similar to a better one loses score.

    Args:
        similarity: N N in [0, 1].
        scores: N, positive; what scores NaN or 0 does not stay.
        decay: ``linear`` multiplies by 1 - s where similarity s is above ``threshold`` (Eq. 2),
            ``gaussian`` by exp(-s^2 / sigma) everywhere (Eq. 3).
        threshold: See ``decay``.
        sigma: See ``decay``.
        floor: What falls below this score does not stay.
        most: Largest number that stay; 0 keeps all.

    Returns:
        Positions that stay, best first, and their new scores.
    """
    if decay == "linear":
        factor = np.where(similarity > threshold, 1 - similarity, 1.0)
    else:
        factor = np.exp(-(similarity**2) / sigma)
    return weakened(factor.__getitem__, scores, floor=floor, most=most)


def weakened(
    factor: Callable[[int], np.ndarray], scores: np.ndarray, *, floor: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`soften`, with what each that stays leaves of the scores, N, made as it is needed."""
    left = np.where(np.isnan(scores), 0.0, scores).astype(np.float64)
    kept: list[int] = []
    found: list[float] = []
    while len(kept) < min(most or len(left), len(left)):
        best = int(left.argmax())
        if left[best] <= 0 or left[best] < floor:
            break
        kept.append(best)
        found.append(float(left[best]))
        left *= factor(best)
        left[best] = 0
    return np.array(kept, np.int64), np.array(found, np.float64)


def soft_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    decay: Literal["linear", "gaussian"] = "gaussian",
    threshold: float = 0.3,
    sigma: float = 0.5,
    floor: float = 0.001,
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`soften` boxes N 4 by their intersection over union."""
    return soften(
        iou(boxes, boxes), scores, decay=decay, threshold=threshold, sigma=sigma, floor=floor
    )


def _among(clash: np.ndarray) -> np.ndarray:
    """Which of n stay, best first, from who clashes with whom: n n of bool."""
    rows = [int.from_bytes(row.tobytes(), "little") for row in np.packbits(clash, 1, "little")]
    gone, kept = 0, []
    for i, row in enumerate(rows):
        if not gone >> i & 1:
            kept.append(i)
            gone |= row
    return np.array(kept, np.int64)


def _overlap(
    a_low: np.ndarray, a_high: np.ndarray, b_low: np.ndarray, b_high: np.ndarray
) -> np.ndarray:
    """N M lengths that N and M intervals share."""
    length: np.ndarray = np.minimum.outer(a_high, b_high)
    length -= np.maximum.outer(a_low, b_low)
    return length.clip(0, out=length)


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    return area
