"""OKS of matched people, and the mean over thresholds of the fraction of people above them.

The fraction asks for one prediction per person and no scores: with the true boxes it tells how good
the keypoints are, apart from detection and ranking.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64

THRESHOLDS = np.arange(50, 100, 5) / 100
"""t = .50, .55 … .95, as in COCO."""


def oks_of_pairs(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    area: Float[np.ndarray, " P"],
    sigmas: Float[np.ndarray, " K"],
) -> Float64[np.ndarray, " P"]:
    """Object keypoint similarity of each prediction with its own truth, in [0, 1].

    The mean over labelled keypoints of exp(-d^2 / (2 area (2 sigma)^2)) (cocodataset.org); a
    keypoint that was not found adds 0. NaN for a person without a labelled keypoint.

    Args:
        xy: Predictions, image pixels; NaN where not found.
        truth: Labels, image pixels; NaN where not labelled.
        area: Square pixels.
        sigmas: OKS sigmas of the keypoints.
    """
    labelled = ~np.isnan(truth).any(2)
    similar = keypoint_similarity(xy, truth, area, sigmas)
    total = labelled.sum(1)
    summed = np.where(labelled, similar, 0).sum(1)
    return np.where(total > 0, summed / np.maximum(total, 1), np.nan)


def keypoint_similarity(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    area: Float[np.ndarray, " P"],
    sigmas: Float[np.ndarray, " K"],
) -> Float64[np.ndarray, "P K"]:
    """The term of each keypoint in OKS, in [0, 1]; 0 where not found or not labelled."""
    squared = ((xy.astype(np.float64) - truth) ** 2).sum(2)
    scale = 2 * (area[:, None].astype(np.float64) + np.spacing(1.0)) * (2 * sigmas) ** 2
    similar: np.ndarray = np.nan_to_num(np.exp(-squared / scale))
    return similar


def above_thresholds(oks: Float64[np.ndarray, " P"]) -> Bool[np.ndarray, "P T"]:
    """Whether each person's OKS exceeds each of :data:`THRESHOLDS`."""
    return oks[:, None] > THRESHOLDS


def oks_fraction(oks: Float64[np.ndarray, " P"]) -> float:
    """Mean over thresholds of the fraction of people with OKS > t; NaN people are left out."""
    people = oks[~np.isnan(oks)]
    return float(above_thresholds(people).mean()) if len(people) else float("nan")
