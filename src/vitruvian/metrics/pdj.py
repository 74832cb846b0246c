"""PDJ: percentage of detected joints over a range of thresholds (Sapp & Taskar 2013; DeepPose)."""

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.skeleton import Skeleton
from vitruvian.metrics.pck import curve, normalised_distance, torso_length

ALPHAS = np.arange(51) / 100
"""Thresholds 0, 0.01 … 0.5 of the torso, as papers plot them."""


def pdj(
    xy: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    skeleton: Skeleton,
    *,
    alphas: Float[np.ndarray, " A"] = ALPHAS,
) -> Float64[np.ndarray, "K A"]:
    """Share of each joint within each fraction of the torso; NaN where a joint has no label.

    Args:
        xy: Predictions, image pixels; NaN is a miss.
        truth: Labels, image pixels; people without left shoulder or right hip do not count.
        skeleton: Names of the keypoints.
        alphas: Fractions of the torso, left shoulder to right hip of the truth.
    """
    distance = normalised_distance(xy, truth, torso_length(truth, skeleton))
    return np.stack([curve(distance[:, k], alphas) for k in range(len(skeleton))])
