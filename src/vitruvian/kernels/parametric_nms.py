"""Parametric pose suppression: duplicates of a pose go, and lend it their keypoints.

Fang, Xie, Tai and Lu, "RMPE: regional multi-person pose estimation", ICCV 2017, section 3.3. What
the paper leaves open follows the numbers that the authors' programs compute.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

TINY = 1e-5
"""Score of a keypoint that has none, so that weights exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNms:
    """When two poses are the same, and what becomes of them; the defaults are AlphaPose's.

    Attributes:
        score_scale: sigma_1 of the paper.
        distance_scale: sigma_2.
        balance: lambda.
        threshold: eta; poses more similar than this are the same.
        relative: Distances are in units of the reach, as in the paper; else in pixels.
        share: The reach of a pose is this share of its box's longer side.
        matches: Poses of which so many keypoints are near are the same, too; 0 for never.
        match_reach: Largest reach of these, in pixels.
        merge_reach: Largest reach within which keypoints are merged, in pixels.
        merged_score: The ``max`` of merged scores, or their mean, ``weighted`` by themselves.
        floor: People whose best keypoint scores less are left out.
        least_area: So are those whose keypoints' extent, 1.5 times as wide and as high, is less.
    """

    score_scale: float = 1.0
    distance_scale: float = 2.65
    balance: float = 1.7
    threshold: float = 22.48
    relative: bool = False
    share: float = 0.1
    matches: int = 5
    match_reach: float = 7.0
    merge_reach: float = 15.0
    merged_score: Literal["weighted", "max"] = "weighted"
    floor: float = 0.3
    least_area: float = 0.0


def similarity(
    distance: np.ndarray, score: np.ndarray, scores: np.ndarray, rule: PoseNms
) -> np.ndarray:
    """N: how much each pose is the same as one of them (Fang et al. 2017, Eq. 8-10).

    A pair of keypoints within distance 1 counts tanh x tanh of the scores, any pair
    exp(-distance / sigma_2) x lambda. (The paper squares the distance, the programs do not.)

    Args:
        distance: N K from the keypoints of that pose; NaN where absent.
        score: K in [0, 1] of that pose.
        scores: N K in [0, 1].
        rule: The parameters.
    """
    sure = np.tanh(score / rule.score_scale) * np.tanh(scores / rule.score_scale)
    soft = np.exp(-np.where(np.isnan(distance), np.inf, distance) / rule.distance_scale)
    total: np.ndarray = np.where(distance <= 1, sure, 0).sum(1) + rule.balance * soft.sum(1)
    return total


def parametric_nms(
    xy: np.ndarray, scores: np.ndarray, boxes: np.ndarray, rule: PoseNms
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """People, best first by the mean of their scores.

    The best pose takes all that are the same; then the best of the rest, and so on. Its keypoints
    become the mean, weighted by score, of those of its duplicates that are near.

    Args:
        xy: N K 2 pixels; NaN where absent.
        scores: N K in [0, 1].
        boxes: N 4 xyxy pixels.
        rule: The parameters.

    Returns:
        Positions of the poses of each of M people, the best one first; M K 2 and M K of the people.
    """
    xy, scores = xy.astype(np.float64), np.where(scores > 0, scores, TINY).astype(np.float64)
    reach = rule.share * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    rest = np.argsort(-scores.mean(axis=1), kind="stable")
    groups, poses, values = [], [], []
    while len(rest):
        best = rest[0]
        distance = np.linalg.norm(xy[rest] - xy[best], axis=2)
        same = _same(distance, reach[best], scores[best], scores[rest], rule)
        group, rest = rest[same], rest[~same]
        near = distance[same] <= min(reach[best], rule.merge_reach)
        pose, score = _merged(xy[group], scores[group], near, rule)
        if score.max() >= rule.floor and _area(pose) >= rule.least_area:
            groups.append(group)
            poses.append(pose)
            values.append(score)
    shape = (len(groups), xy.shape[1])
    return (
        groups,
        np.array(poses, np.float32).reshape(*shape, 2),
        np.array(values, np.float32).reshape(shape),
    )


def _same(
    distance: np.ndarray, reach: float, score: np.ndarray, scores: np.ndarray, rule: PoseNms
) -> np.ndarray:
    """N bool; the first of the poses is the one that they are compared with."""
    scaled = distance / max(reach, TINY) if rule.relative else distance
    same: np.ndarray = similarity(scaled, score, scores, rule) > rule.threshold
    if rule.matches:
        same |= (distance <= min(reach, rule.match_reach)).sum(axis=1) >= rule.matches
    same[0] = True
    return same


def _merged(
    xy: np.ndarray, scores: np.ndarray, near: np.ndarray, rule: PoseNms
) -> tuple[np.ndarray, np.ndarray]:
    """K 2 and K of a group of poses, the best first; ``near`` is N K. Absent stays absent."""
    weight = np.where(near, scores, 0)
    share = weight / np.maximum(weight.sum(axis=0), TINY)
    mean = (share[..., None] * np.where(near[..., None], xy, 0)).sum(axis=0)
    score = weight.max(axis=0) if rule.merged_score == "max" else (share * weight).sum(axis=0)
    absent = np.isnan(xy[0, :, 0])
    return np.where(absent[:, None], np.nan, mean), np.where(absent, scores[0], score)


def _area(pose: np.ndarray) -> float:
    """Square pixels of 1.5 times the extent of what is present; 0 for nothing."""
    present = pose[np.isfinite(pose[:, 0])]
    return float(1.5**2 * np.prod(np.ptp(present, axis=0))) if len(present) else 0.0
