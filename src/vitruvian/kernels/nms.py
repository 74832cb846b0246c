"""Intersection over union, and greedy suppression of what overlaps something better."""

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N M float64 intersection over union of boxes N 4 and M 4, xyxy; 0 for a box without area."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    low, high = (
        np.maximum(a[:, None, :2], b[None, :, :2]),
        np.minimum(a[:, None, 2:], b[None, :, 2:]),
    )
    shared = np.clip(high - low, 0, None).prod(-1)
    union = _area(a)[:, None] + _area(b)[None] - shared
    ratio: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Positions of the boxes that stay, best first; the rest overlap a better one by more.

    Args:
        boxes: N 4 xyxy.
        scores: N.
        threshold: Largest intersection over union of two that stay.
    """
    return greedy(iou(boxes, boxes), scores, threshold)


def greedy(similarity: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Positions that stay, best first: none is more similar than ``threshold`` to a better one.

    Args:
        similarity: N N.
        scores: N; of equals the first is better.
        threshold: Largest similarity of two that stay.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    for i in order:
        if not kept or similarity[i, kept].max() <= threshold:
            kept.append(int(i))
    return np.array(kept, np.int64)


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    return area
