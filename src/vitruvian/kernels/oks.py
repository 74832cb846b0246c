"""Object keypoint similarity (Lin et al. 2014, COCO keypoints), all pairs at once."""

import numpy as np


def oks(a: np.ndarray, b: np.ndarray, area: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """N M float64 similarities in [0, 1]: the mean of exp(-d^2 / (2 area (2 sigma)^2)).

    The mean goes over keypoints that both people have; a pair without any has similarity 0.

    Args:
        a: N K 2 pixels; NaN where absent.
        b: M K 2 pixels; NaN where absent.
        area: Square pixels, broadcasts to N M.
        sigmas: K.
    """
    squared = ((a[:, None].astype(np.float64) - b[None]) ** 2).sum(-1)
    counted = np.isfinite(squared)
    variance = (2 * np.asarray(sigmas, np.float64)) ** 2
    spread = np.maximum(np.asarray(area, np.float64), np.spacing(1))
    spread = np.broadcast_to(spread, squared.shape[:2])
    similar = np.exp(-np.where(counted, squared, 0) / (2 * spread[..., None] * variance))
    mean: np.ndarray = (similar * counted).sum(-1) / np.maximum(counted.sum(-1), 1)
    return mean
