"""Weighted votes for places, collected on grids.

V votes for places on P grids: ``owner`` V says on which grid, ``xy`` V 2 where, in cells, and
``weight`` V how much.
"""

import numpy as np


def collect(
    owner: np.ndarray, xy: np.ndarray, weight: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Bilinear votes, P h w float64: each adds to the four cells around it, in proportion.

    What falls outside the ``shape`` (P, h, w) is lost.
    """
    count, h, w = shape
    x, y = np.ascontiguousarray(np.transpose(xy))
    left, top = np.floor(x), np.floor(y)
    near = (left >= -1) & (left < w) & (top >= -1) & (top < h)
    if not near.all():
        owner, weight = owner[near], weight[near]
        x, y, left, top = x[near], y[near], left[near], top[near]
    across, down = x - left, y - top
    grid = (count, h + 2, w + 2)  # one more cell around: a corner may be outside
    index = (owner * grid[1] + top.astype(np.intp) + 1) * grid[2] + left.astype(np.intp) + 1
    high, right = weight * down, weight * across
    both = high * across
    shares = (weight - right - high + both, right - both, high - both, both)
    corners = [_sums(index, share, int(np.prod(grid))).reshape(grid) for share in shares]
    total = corners[0][:, 1:-1, 1:-1] + corners[1][:, 1:-1, :-2]
    total += corners[2][:, :-2, 1:-1]
    total += corners[3][:, :-2, :-2]
    return np.asarray(total)


def support(owner: np.ndarray, xy: np.ndarray, weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """P: the votes that the place ``at`` (P 2) of each grid collects under the bilinear kernel."""
    near = np.maximum(1 - np.abs(xy - at[owner]), 0).prod(axis=1)
    return _sums(owner, near * weight, len(at))


def centroid(maps: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """P 2, centre of mass of the 3 x 3 cells around a cell ``xy`` (P 2) of each map (P h w)."""
    reach = np.arange(-1, 2)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    rows, cols = xy[:, 1:, None] + 1 + reach[:, None], xy[:, :1, None] + 1 + reach
    near = padded[np.arange(len(maps))[:, None, None], rows, cols]
    moment = np.stack([near.sum(axis=1) @ reach, near.sum(axis=2) @ reach], axis=1)
    mass = near.sum(axis=(1, 2))[:, None]
    return np.asarray(xy + np.divide(moment, mass, out=np.zeros_like(moment), where=mass > 0))


def _sums(index: np.ndarray, weight: np.ndarray, length: int) -> np.ndarray:
    """``length`` float64 sums; ``bincount`` alone answers integers when nothing is given."""
    return np.bincount(index, weight, minlength=length).astype(np.float64, copy=False)
