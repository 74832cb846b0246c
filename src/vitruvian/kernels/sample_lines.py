"""How well vector fields agree with the segments between points (Cao et al. 2017, Eq. 10).

Most segments join joints of different people. The ends tell a part of them, the middle most: few
need all their samples. Compiled by numba.
"""

import numpy as np
from numba import njit

Axis = tuple[np.ndarray, np.ndarray]
"""``start`` and ``weights`` of :class:`vitruvian.kernels.cubic.Axis`."""


@njit(cache=True, nogil=True)
def agreement(
    field: np.ndarray,
    down: Axis,
    across: Axis,
    start: np.ndarray,
    stop: np.ndarray,
    samples: int,
    floor: float,
    misses: int,
    passing_only: bool,
) -> np.ndarray:
    """Means of the segments of which at most ``misses`` samples are no higher than ``floor``.

    A sample is the field at the nearest grid point, projected on the segment's direction.

    Args:
        field: 2 h w float32, x and y; enlarged as the axes say.
        down: Axis of the h cells.
        across: Axis of the w cells.
        start: A 2 int64; grid points (x, y) that segments begin at.
        stop: B 2 int64; those they end at.
        samples: Points on a segment, both ends among them.
        floor: See above.
        misses: See above.
        passing_only: Mean of the samples above the floor instead of all.

    Returns:
        A B float32, NaN for other segments and those without length.
    """
    means = np.full((len(start), len(stop)), np.nan, np.float32)
    order = _order(samples)
    first, last = (_at(field, down, across, start), _at(field, down, across, stop))
    for a in range(len(start)):
        for b in range(len(stop)):
            dx, dy = float(stop[b, 0] - start[a, 0]), float(stop[b, 1] - start[a, 1])
            length = np.sqrt(dx * dx + dy * dy)
            if length == 0:
                continue
            missed, high, total = 0, 0, 0.0
            for k in order:
                if k == 0:
                    u, v = first[a]
                elif k == samples - 1:
                    u, v = last[b]
                else:
                    x = int(np.rint(start[a, 0] + k * (dx / (samples - 1))))
                    y = int(np.rint(start[a, 1] + k * (dy / (samples - 1))))
                    u, v = _vector(field, down, across, x, y)
                value = (u * dx + v * dy) / length
                if value > floor:
                    high += 1
                else:
                    missed += 1
                    if missed > misses:
                        break
                if value > floor or not passing_only:
                    total += value
            if missed <= misses:
                means[a, b] = total / (max(high, 1) if passing_only else samples)
    return means


@njit(cache=True, nogil=True)
def _order(samples: int) -> np.ndarray:
    """The samples in the order in which they are looked at: ends, middle, quarters, the rest."""
    order, seen = np.empty(samples, np.int64), np.zeros(samples, np.bool_)
    count = 0
    for i in range(-5, samples):
        quarters = (0, samples - 1, samples // 2, samples // 4, (3 * samples) // 4)
        k = quarters[i + 5] if i < 0 else i
        if not seen[k]:
            seen[k], order[count] = True, k
            count += 1
    return order


@njit(cache=True, nogil=True)
def _at(field: np.ndarray, down: Axis, across: Axis, points: np.ndarray) -> np.ndarray:
    """Vectors at M grid points: M 2."""
    vectors = np.empty((len(points), 2), np.float32)
    for i in range(len(points)):
        vectors[i] = _vector(field, down, across, points[i, 0], points[i, 1])
    return vectors


@njit(cache=True, nogil=True)
def _vector(
    field: np.ndarray, down: Axis, across: Axis, x: int, y: int
) -> tuple[np.float32, np.float32]:
    """The enlarged field at one grid point."""
    u = v = np.float32(0)
    top, left = down[0][y], across[0][x]
    for i in range(len(down[1])):
        p = q = np.float32(0)
        for j in range(len(across[1])):
            p += across[1][j, x] * field[0, top + i, left + j]
            q += across[1][j, x] * field[1, top + i, left + j]
        u += down[1][i, y] * p
        v += down[1][i, y] * q
    return u, v
