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
    spread = np.broadcast_to(np.asarray(area, np.float64), (len(a), len(b)))
    spread = -0.5 / np.maximum(spread, np.spacing(1))
    total, counted = np.zeros_like(spread), np.zeros_like(spread)
    for ours, theirs, sigma in zip(a.swapaxes(0, 1), b.swapaxes(0, 1), sigmas, strict=True):
        similar = _squared(ours, theirs)
        similar *= spread
        similar /= (2 * float(sigma)) ** 2
        np.exp(similar, out=similar)
        known = np.logical_and.outer(np.isfinite(ours).all(-1), np.isfinite(theirs).all(-1))
        if known.all():
            total += similar
        else:
            total += np.where(known, similar, 0)
        counted += known
    mean: np.ndarray = total / np.maximum(counted, 1)
    return mean


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N M squared distances of points N 2 and M 2."""
    squared: np.ndarray = np.subtract.outer(a[:, 0], b[:, 0], dtype=np.float64)
    squared *= squared
    down = np.subtract.outer(a[:, 1], b[:, 1], dtype=np.float64)
    down *= down
    squared += down
    return squared
