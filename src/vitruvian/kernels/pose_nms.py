"""Suppression of poses too similar to a better one (Papandreou et al. 2017, section 3.3)."""

import numpy as np

from vitruvian.kernels.nms import greedy_by, soften
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

    def similar(some: np.ndarray, rest: np.ndarray) -> np.ndarray:
        mean = np.add.outer(area[some], area[rest]) / 2
        return oks(xy[some], xy[rest], mean, sigmas)

    return greedy_by(similar, score, threshold, block=12)


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
    similarity = oks(xy, xy, np.add.outer(area, area) / 2, sigmas)
    return soften(similarity, score, sigma=threshold, floor=floor, most=most)
