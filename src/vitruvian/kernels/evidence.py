"""What the cells of composite fields say, and how much of it other cells bear out.

Kreiss, Bertoni and Alahi, "OpenPifPaf", T-ITS 2021, Sec. III-C. Each cell that speaks of a keypoint
is a bump around the place it points at; the evidence for a pixel is the sum of the bumps there. It
is worked out for the pixels that somebody asks for, from the bumps near them: no map is made.
"""

import math

import numpy as np
from numba import njit

from vitruvian.kernels.squares import sort_squares

NEIGHBOURS = 16
"""Cells that point at one keypoint, 4 x 4."""


def speaking(
    maps: np.ndarray, least: float, *, stride: int, activated: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Cells of at least this confidence, in the order of the maps.

    Args:
        maps: F C h w float32: log spread, confidence, vectors (x, y), scales.
        least: Confidence.
        stride: Pixels per cell.
        activated: Confidences are no logits, vectors are positions, scales are after a softplus.

    Returns:
        Which map, M int32; M (C - 1): confidence, and the rest in pixels; how many cells are left
        out because they are not finite or point far beyond the view.
    """
    floor = least if activated else np.log(least / (1 - least))
    cells = np.flatnonzero(~(maps[:, 1] < floor))
    owner = np.empty(len(cells), np.int32)
    rows = np.empty((len(cells), maps.shape[1] - 1))
    count = _read(maps, cells, stride, activated, owner, rows)
    return owner[:count], rows[:count], len(cells) - count


@njit(cache=True, nogil=True)
def _read(
    maps: np.ndarray,
    cells: np.ndarray,
    stride: int,
    activated: bool,
    owner: np.ndarray,
    rows: np.ndarray,
) -> int:
    _, channels, h, w = maps.shape
    scales = 4 if channels == 5 else 6
    reach = 2.0 * stride * max(h, w)  # vectors end in or near the view, scales are far smaller
    count = 0
    for cell in cells:
        f, i, j = cell // (h * w), cell // w % h, cell % w
        good = True
        for channel in range(1, channels):
            value = float(maps[f, channel, i, j])
            good &= math.isfinite(value)
            if not activated:
                if channel == 1:
                    value = 1 / (1 + math.exp(-value))
                elif channel < scales:
                    value += i if channel % 2 else j
                else:
                    value = max(value, 0.0) + math.log1p(math.exp(-abs(value)))
            if channel > 1:
                value *= stride
            good &= abs(value) <= reach
            rows[count, channel - 1] = value
        owner[count] = f
        count += good
    return count


Bumps = tuple[np.ndarray, np.ndarray, np.ndarray, float, int, int]
"""M bumps (x, y, 1 / 16 sigma^2, height) by the squares they are in; the largest sigma of each of
F maps; where the squares begin, and their side; height and width of the maps in pixels."""


def bumps(owner: np.ndarray, cells: np.ndarray, shape: tuple[int, int, int]) -> Bumps:
    """Bumps of M cells (confidence, x, y, scale) on the maps ``owner`` (M int32) of F H W pixels.

    A bump is (1 - d^2 / 16 sigma^2)^8 of the distance d within one sigma, and 1 at its own pixel.
    """
    sigma = np.clip(0.5 * cells[:, 3], 1, max(shape[1:]) / 8)
    reach = np.zeros(shape[0])
    np.maximum.at(reach, owner, sigma)
    starts, order, side = sort_squares(owner, cells[:, 1:3], shape)
    table = [cells[:, 1:3], 1 / (16 * sigma**2), cells[:, 0] / NEIGHBOURS]
    return np.column_stack(table)[order], reach, starts, side, *shape[1:]


@njit(cache=True, nogil=True)
def evidence(owner: np.ndarray, xy: np.ndarray, outside: float, table: Bumps) -> np.ndarray:
    """M: the bumps, at most 1 together, at the pixels nearest to the points ``xy`` (M 2)."""
    found = np.empty(len(owner))
    for n in range(len(owner)):
        found[n] = _evidence(owner[n], xy[n, 0], xy[n, 1], outside, table)
    return found


@njit(cache=True, nogil=True)
def _evidence(owner: int, x: float, y: float, outside: float, table: Bumps) -> float:
    bumps, reach, starts, side, height, width = table
    _, rows, columns = starts.shape
    x, y = math.floor(x + 0.5), math.floor(y + 0.5)
    if x < 0 or y < 0 or x >= width or y >= height:
        return outside
    flat, far = starts.reshape(-1), reach[owner]
    first, last = _square(x - far, side, columns), _square(x + far, side, columns)
    total = 0.0
    for j in range(_square(y - far, side, rows), _square(y + far, side, rows) + 1):
        line = (owner * rows + j) * columns
        for m in range(flat[line + first], flat[line + last + 1]):
            dx, dy = abs(x - bumps[m, 0]), abs(y - bumps[m, 1])
            d2 = (dx * dx + dy * dy) * bumps[m, 2]
            share = (1 - d2) ** 8 if d2 <= 1 / 16 else 0.0
            total += bumps[m, 3] * (1.0 if max(dx, dy) < 0.5 else share)
    return min(total, 1.0)


@njit(cache=True, nogil=True)
def _square(place: float, side: float, count: int) -> int:
    """Which of ``count`` squares along one axis holds a place."""
    return min(max(int(place / side), 0), count - 1)


def both_ways(
    limbs: np.ndarray, owner: np.ndarray, cells: np.ndarray, table: Bumps, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Limb cells as rows from each end to the other, where the evidence there bears them out.

    Args:
        limbs: E 2, keypoints.
        owner: Limb of each cell, M.
        cells: M 7: confidence, x, y of the first keypoint, of the second one, their scales.
        table: Evidence for keypoints.
        least: Rows have more confidence than this.

    Returns:
        Which way: e for rows from the first keypoint of limb e, E + e from the second, R int32;
        rows R 6 (x, y, confidence, x there, y there, scale there).
    """
    ways, rows = np.empty(2 * len(owner), np.int32), np.empty((2 * len(owner), 6))
    count = _both_ways(limbs, owner, cells, table, least, ways, rows)
    return ways[:count], rows[:count]


@njit(cache=True, nogil=True)
def _both_ways(
    limbs: np.ndarray,
    owner: np.ndarray,
    cells: np.ndarray,
    table: Bumps,
    least: float,
    ways: np.ndarray,
    rows: np.ndarray,
) -> int:
    count = 0
    for n in range(len(owner)):
        e, cell = owner[n], cells[n]
        for side, here, there in ((0, 1, 3), (1, 3, 1)):
            x, y = cell[there], cell[there + 1]
            score = cell[0] * (0.1 + 0.9 * _evidence(limbs[e, 1 - side], x, y, 0.0, table))
            if score > least:
                ways[count] = e + side * len(limbs)
                rows[count] = cell[here], cell[here + 1], score, x, y, cell[6 - side]
                count += 1
    return count
