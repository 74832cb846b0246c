"""Score of AI Challenger keypoints (Wu et al. 2017, its official evaluator): no ranked AP.

Each person takes the best pose of the picture, and one pose may serve several people. Only visible
joints count, the scale is the area of the box plus 1, extra poses beyond the number of people cost.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.metrics.oks_ap import check_pairs
from vitruvian.metrics.oks_fraction import THRESHOLDS

VISIBLE = 2


def aic(truth: Sequence[Sample], found: Sequence[Poses]) -> float:
    """Mean over .50:.05:.95 of the share of people whose best OKS is above, in [0, 1].

    The denominator of a picture is the larger of its people and its poses.

    Raises:
        InputError: Labels and poses do not fit, or the skeleton has no sigmas.
    """
    check_pairs(truth, found)
    best = [_best(sample, poses) for sample, poses in zip(truth, found, strict=True)]
    total = sum(max(len(s), len(p)) for s, p in zip(truth, found, strict=True))
    above = np.concatenate([np.zeros(0), *best])[:, None] > THRESHOLDS
    return float(above.sum(0).mean() / total) if total else 0.0


def _best(sample: Sample, poses: Poses) -> Float64[np.ndarray, " N"]:
    """OKS of the best pose for each person; 0 without a visible joint or without poses."""
    if not len(sample) or not len(poses):
        return np.zeros(len(sample))
    area = (sample.boxes[:, 2:] - sample.boxes[:, :2]).astype(np.float64).prod(1)
    similar = _similarity(sample.xy, poses.xy, area, sample.skeleton.oks_sigmas)
    counted = (sample.visible == VISIBLE)[:, None]
    total = np.maximum(counted.sum(2), 1)
    best: np.ndarray = (np.where(counted, similar, 0).sum(2) / total).max(1)
    return best


def _similarity(
    truth: Float[np.ndarray, "N K 2"],
    found: Float[np.ndarray, "M K 2"],
    area: Float[np.ndarray, " N"],
    sigmas: Float[np.ndarray, " K"],
) -> Float64[np.ndarray, "N M K"]:
    squared = ((truth[:, None].astype(np.float64) - found[None]) ** 2).sum(3)
    delta = 2 * sigmas.astype(np.float64)
    scale = 2 * delta**2 * (area[:, None, None] + 1)
    similar: np.ndarray = np.nan_to_num(np.exp(-squared / scale))
    return similar
