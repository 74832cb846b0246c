"""MPII multi-person mAP (Pishchulin et al. 2016): AP of every joint after assigning whole poses.

The rules are those of the official toolkit, which PoseTrack's took over; they are no optimal
assignment. Units are the pictures given: for MPII the caller crops the official groups.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.metrics.oks_ap import check_pairs
from vitruvian.metrics.pckh import EXCLUDED, head_length

ALPHA = 0.5


def mpii_map(
    truth: Sequence[Sample],
    found: Sequence[Poses],
    heads: Sequence[Float[np.ndarray, "_ 4"]],
    *,
    exclude: tuple[str, ...] = EXCLUDED,
    ties: Literal["first", "last"] = "first",
) -> dict[str, float]:
    """Average precision of each joint in [0, 1], NaN where it has no label; mAP is their mean.

    A pose takes the person with whom it shares the largest part of the labelled joints, at most
    half a head apart; of the poses that took the same person the best stays. Every joint of the
    others is wrong, and so is a joint of an assigned pose that is not labelled. A joint ranks by
    its own score.

    Args:
        truth: Labels; crowd rows do not count.
        found: Poses of the same pictures, of the same skeleton; NaN joints were not found.
        heads: Head rectangles of each picture's people, xyxy.
        exclude: Joints that are not evaluated.
        ties: Which of equal scores counts as better, in the order of the pictures.

    Raises:
        InputError: The three do not fit.
    """
    check_pairs(truth, found)
    if [len(rows) for rows in heads] != [len(sample) for sample in truth]:
        raise InputError("heads do not fit the labels; give one rectangle per person and picture")
    if not truth:
        return {}
    names = truth[0].skeleton.keypoints
    pictures = zip(truth, found, heads, strict=True)
    hits = np.concatenate([_hits(sample, poses, rows) for sample, poses, rows in pictures])
    scores = np.concatenate([poses.scores for poses in found])
    given = np.concatenate([~np.isnan(poses.xy).any(2) for poses in found])
    labels = sum((sample.visible[~sample.crowd] > 0).sum(0) for sample in truth)
    return {
        name: _average_precision(scores[given[:, k], k], hits[given[:, k], k], labels[k], ties)
        for k, name in enumerate(names)
        if name not in exclude
    }


def _hits(sample: Sample, poses: Poses, heads: np.ndarray) -> Bool[np.ndarray, "M K"]:
    """Whether each joint of each pose is right."""
    people = ~sample.crowd & (sample.visible > 0).any(1)
    hits = np.zeros(poses.scores.shape, bool)
    if not people.any() or not len(poses):
        return hits
    apart = np.linalg.norm(sample.xy[people, None].astype(np.float64) - poses.xy[None], axis=3)
    close = apart / head_length(heads[people])[:, None, None] <= ALPHA
    shared = close.sum(2) / (sample.visible[people] > 0).sum(1)[:, None]
    # A pose keeps its best person alone, a person then the best of its poses; the first on ties.
    taken = np.arange(len(shared))[:, None] == shared.argmax(0)
    kept = np.where(taken, shared, 0)
    for person, pose in enumerate(kept.argmax(1)):
        if kept[person, pose] > 0:
            hits[pose] = close[person, pose]
    return hits


def _average_precision(
    scores: Float[np.ndarray, " D"],
    hits: Bool[np.ndarray, " D"],
    labels: int | np.integer,
    ties: Literal["first", "last"],
) -> float:
    """Area under the precision envelope over all recalls (PASCAL VOC 2010)."""
    if not labels:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    if ties == "last":
        order = np.argsort(scores, kind="stable")[::-1]
    right = np.cumsum(hits[order])
    recall: Float64[np.ndarray, " D"] = right / labels
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall, prepend=0.0)
    return float((steps * envelope).sum())
