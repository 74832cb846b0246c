"""Object keypoint similarity (Lin et al. 2014, COCO keypoints), all pairs at once."""

import numpy as np

CHUNK = 1 << 18
"""Largest number of keypoint pairs that are compared at once; they stay in the cache."""


def oks(a: np.ndarray, b: np.ndarray, area: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """N M float64 similarities in [0, 1]: the mean of exp(-d^2 / (2 area (2 sigma)^2)).

    The mean goes over keypoints that both people have; a pair without any has similarity 0.

    Args:
        a: N K 2 pixels; NaN where absent.
        b: M K 2 pixels; NaN where absent.
        area: Square pixels, broadcasts to N M.
        sigmas: K.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    spread = np.broadcast_to(np.asarray(area, np.float64), (len(a), len(b)))
    spread = -0.5 / np.maximum(spread, np.spacing(1))
    narrow = 1 / (2 * np.asarray(sigmas, np.float64)) ** 2
    rows = max(1, CHUNK // max(1, b.shape[0] * b.shape[1]))
    parts = [slice(start, start + rows) for start in range(0, len(a), rows)]
    found = [_mean_similarity(a[part], b, spread[part], narrow) for part in parts]
    return np.concatenate(found) if found else np.zeros((0, len(b)))


def _mean_similarity(
    a: np.ndarray, b: np.ndarray, spread: np.ndarray, narrow: np.ndarray
) -> np.ndarray:
    similar = a[:, None, :, 0] - b[None, :, :, 0]
    similar *= similar
    down = a[:, None, :, 1] - b[None, :, :, 1]
    down *= down
    similar += down
    similar *= narrow
    similar *= spread[..., None]
    known = ~np.isnan(similar)
    np.exp(similar, out=similar)
    if known.all():
        mean: np.ndarray = similar.mean(axis=-1)
        return mean
    similar[~known] = 0
    mean = similar.sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    return mean
