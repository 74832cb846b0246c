"""Suppression of poses too similar to a better one (Papandreou et al. 2017, section 3.3)."""

import numpy as np

from vitruvian.kernels.nms import greedy
from vitruvian.kernels.oks import oks


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
    return greedy(oks(xy, xy, (area[:, None] + area[None]) / 2, sigmas), score, threshold)
