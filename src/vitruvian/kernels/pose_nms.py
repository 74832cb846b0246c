"""Suppression of poses too similar to a better one (Papandreou et al. 2017, section 3.3)."""

import numpy as np

from vitruvian.kernels.nms import greedy_by, meeting, ranked, unhurt, weakened
from vitruvian.kernels.oks import oks

NEGLIGIBLE = 1e-8
"""An OKS whose square does not change a score, as far as float64 goes."""


def oks_nms(
    xy: np.ndarray, score: np.ndarray, area: np.ndarray, sigmas: np.ndarray, threshold: float
) -> np.ndarray:
    """Positions of the poses that stay, best first.

    The area of a pair is the mean of the two (Xiao et al. 2018).

    Args:
        xy: N K 2 pixels; NaN where absent.
        score: N.
        area: N square pixels.
        sigmas: K.
        threshold: Largest OKS of two that stay.
    """
    order = ranked(score)
    xy, area = xy[order].astype(np.float64), area[order].astype(np.float64)
    if threshold >= 1:
        return order
    pairs = _possible(xy, area, sigmas, threshold) if threshold > 0 else None
    if pairs is None:
        rank = -np.arange(len(order))

        def similar(some: np.ndarray, rest: np.ndarray) -> np.ndarray:
            return oks(xy[some], xy[rest], np.add.outer(area[some], area[rest]) / 2, sigmas)

        return np.asarray(order[greedy_by(similar, rank, threshold, block=12)])
    a, b = pairs
    clash = _similarity(xy, area, sigmas, a, b) > threshold
    return np.asarray(order[unhurt(a[clash], b[clash], len(order))])


def _possible(
    xy: np.ndarray, area: np.ndarray, sigmas: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Pairs of poses whose OKS may exceed the threshold; None if they are too many.

    A mean exceeds it only if one keypoint does, which then is no farther than the root of -2 log
    (threshold) x mean area x (2 sigma)^2. The ``reach`` of the two adds up to at least that, so the
    boxes of their keypoints, larger by as much, meet.
    """
    low, high = _extent(xy, area, sigmas, threshold)
    return meeting(low.T, high.T)


def _extent(
    xy: np.ndarray, area: np.ndarray, sigmas: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Corners 2 N and 2 N of the keypoints' boxes, larger by the reach."""
    reach = np.sqrt(-np.log(threshold) * area) * (2 * sigmas.max())
    columns = np.ascontiguousarray(xy.transpose(1, 2, 0))  # K 2 N: quick along N
    return np.fmin.reduce(columns, axis=0) - reach, np.fmax.reduce(columns, axis=0) + reach


def _similarity(
    xy: np.ndarray, area: np.ndarray, sigmas: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """P: OKS of each pair of poses."""
    apart = xy[a]
    apart -= xy[b]
    apart *= apart
    squared = apart[..., 0]
    squared += apart[..., 1]
    squared *= (-1 / np.maximum(area[a] + area[b], np.spacing(1)))[:, None]
    squared *= (2 * np.asarray(sigmas, np.float64)) ** -2
    similar = np.exp(squared)
    total: np.ndarray = similar.sum(axis=1)
    lost = np.isnan(total)
    if not lost.any():
        return np.asarray(total / xy.shape[1])
    known = np.isfinite(similar)
    mean: np.ndarray = np.where(known, similar, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean


def soft_oks_nms(
    xy: np.ndarray,
    score: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    *,
    threshold: float = 0.9,
    floor: float = 0.001,
    most: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of at most ``most`` poses, best first, and their scores.

    What is similar to a better pose by s loses score as exp(-s^2 / threshold), as the authors of
    HRNet have it (Sun et al. 2019).

    Args:
        xy: N K 2 pixels; NaN where absent.
        score: N.
        area: N square pixels.
        sigmas: K.
        threshold: The larger, the less they lose.
        floor: What falls below this score does not stay.
        most: See above.
    """
    xy, area = xy.astype(np.float64), area.astype(np.float64)
    low, high = _extent(xy, area, sigmas, NEGLIGIBLE)

    def factor(best: int) -> np.ndarray:
        meets = (low <= high[:, best, None]) & (high >= low[:, best, None])
        near = np.flatnonzero(meets[0] & meets[1])
        alike = _similarity(xy, area, sigmas, np.full(len(near), best), near)
        left = np.ones(len(xy))
        left[near] = np.exp(-(alike**2) / threshold)
        return left

    return weakened(factor, score, floor=floor, most=most)
