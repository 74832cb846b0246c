"""Parametric pose suppression: duplicates of a pose go, and lend it their keypoints.

Fang, Xie, Tai and Lu, "RMPE: regional multi-person pose estimation", ICCV 2017, section 3.3. What
the paper leaves open follows the numbers that the authors' programs compute.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitruvian.kernels.nms import meeting

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
        score: K in [0, 1] of that pose, or N K of one for each.
        scores: N K in [0, 1].
        rule: The parameters.
    """
    both = np.tanh(score / rule.score_scale) * np.tanh(scores / rule.score_scale)
    return _similarity(distance, both, rule)


def _similarity(distance: np.ndarray, both: np.ndarray, rule: PoseNms) -> np.ndarray:
    """The same, given the product of the hyperbolic tangents."""
    soft = np.exp(distance / -rule.distance_scale)
    if np.isnan(distance).any():
        soft = np.nan_to_num(soft)
    total: np.ndarray = (both * (distance <= 1)).sum(axis=1) + rule.balance * soft.sum(axis=1)
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
    scores = np.where(scores > 0, scores, TINY).astype(np.float64)
    order = np.argsort(-scores.mean(axis=1), kind="stable")
    xy, scores = xy[order].astype(np.float64), scores[order]
    reach = rule.share * (boxes[order, 2:] - boxes[order, :2]).max(axis=1, initial=0)
    leader = _leaders(xy, scores, reach, rule)
    members = np.argsort(leader, kind="stable")
    best, starts = np.unique(leader[members], return_index=True)
    poses, values = _merged(xy, scores, reach, leader, members, starts, rule)
    extent = np.fmax.reduce(poses, axis=1) - np.fmin.reduce(poses, axis=1)
    area = 1.5**2 * np.nan_to_num(extent.prod(axis=1))
    good = (values.max(axis=1, initial=0) >= rule.floor) & (area >= rule.least_area)
    groups = np.split(order[members], starts[1:]) if len(best) else []
    groups = [group for group, kept in zip(groups, good, strict=True) if kept]
    return groups, poses[good].astype(np.float32), values[good].astype(np.float32)


def _leaders(xy: np.ndarray, scores: np.ndarray, reach: np.ndarray, rule: PoseNms) -> np.ndarray:
    """N: position of the best pose that each of them, best first, is the same as."""
    leader, sure = np.arange(len(xy)), np.tanh(scores / rule.score_scale)
    pairs = _near(xy, reach, rule)
    if pairs is None:  # people stand so close that the best few take nearly all
        rest = leader.copy()
        while len(rest):
            best = rest[:1]
            same = _same(_distance(xy[rest], xy[best]), reach[best], sure[best] * sure[rest], rule)
            same[0] = True
            leader[rest[same]] = rest[0]
            rest = rest[~same]
        return leader
    a, b = pairs
    same = _same(_distance(xy[a], xy[b]), reach[a], sure[a] * sure[b], rule)
    a, b = a[same], b[same]
    order, found = np.argsort(a, kind="stable"), leader.tolist()
    for better, worse in zip(a[order].tolist(), b[order].tolist(), strict=True):
        if found[better] == better and found[worse] == worse:
            found[worse] = better
    return np.array(found)


def _near(xy: np.ndarray, reach: np.ndarray, rule: PoseNms) -> tuple[np.ndarray, np.ndarray] | None:
    """Pairs of poses that may be the same; None if they are too many.

    Beyond distance 1 only the exponentials count. All of them together exceed the threshold only if
    one is at least its share, so that some keypoint is near enough for that; the boxes of two
    poses' keypoints, larger by as much, then meet.
    """
    if rule.threshold <= 0:
        return None
    most = max(rule.balance * xy.shape[1] / rule.threshold, 1.0)
    far = np.full(len(xy), max(1.0, rule.distance_scale * np.log(most)))
    if rule.relative:
        far *= np.maximum(reach, TINY)
    if rule.matches:
        far = np.fmax(far, np.fmin(reach, rule.match_reach))
    columns = np.ascontiguousarray(xy.transpose(1, 2, 0))  # K 2 N: quick along N
    low, high = np.fmin.reduce(columns, axis=0) - far, np.fmax.reduce(columns, axis=0) + far
    return meeting(low.T, high.T)


def _same(distance: np.ndarray, reach: np.ndarray, both: np.ndarray, rule: PoseNms) -> np.ndarray:
    """P bool: which pairs of poses are the same.

    Args:
        distance: P K pixels; NaN where absent.
        reach: P or 1, of the better pose, pixels.
        both: P K, product of their keypoints' hyperbolic tangents.
        rule: The parameters.
    """
    scaled = distance / np.maximum(reach, TINY)[:, None] if rule.relative else distance
    same: np.ndarray = _similarity(scaled, both, rule) > rule.threshold
    if rule.matches:
        close = distance <= np.minimum(reach, rule.match_reach)[:, None]
        same |= close.sum(axis=1) >= rule.matches
    return same


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P K between points P K 2."""
    apart = a - b
    apart *= apart
    distance: np.ndarray = np.sqrt(apart[..., 0] + apart[..., 1])
    return distance


def _merged(
    xy: np.ndarray,
    scores: np.ndarray,
    reach: np.ndarray,
    leader: np.ndarray,
    members: np.ndarray,
    starts: np.ndarray,
    rule: PoseNms,
) -> tuple[np.ndarray, np.ndarray]:
    """M K 2 and M K: means of what is near the best pose of a group. Absent there stays absent.

    Args:
        xy: N K 2.
        scores: N K.
        reach: N.
        leader: N, the best pose of each.
        members: N positions, group after group, the best one first.
        starts: M, where in ``members`` a group begins.
        rule: The parameters.
    """
    if not len(xy):
        return xy, scores
    best = leader[members]
    distance = _distance(xy[members], xy[best])
    near = distance <= np.minimum(reach[best], rule.merge_reach)[:, None]
    weight = np.where(near, scores[members], 0)
    total = np.maximum(np.add.reduceat(weight, starts), TINY)
    share = weight / np.repeat(total, np.diff(starts, append=len(xy)), axis=0)
    mean = np.add.reduceat(share[..., None] * np.where(near[..., None], xy[members], 0), starts)
    if rule.merged_score == "max":
        score = np.maximum.reduceat(weight, starts)
    else:
        score = np.add.reduceat(share * weight, starts)
    first = members[starts]
    absent = np.isnan(xy[first, :, 0])
    return np.where(absent[..., None], np.nan, mean), np.where(absent, scores[first], score)
