"""Points of several maps, found by where they are.

Compiled functions call none of another file: their cache on the disk would not see it change. That
is why the side of the squares travels with them.
"""

import numpy as np
from numba import njit

SIDE = 16.0
"""Pixels on a side of the squares that points are kept by."""

Squares = tuple[np.ndarray, np.ndarray, float]
"""(P + 1) rows columns int32, where each square of P maps begins, which ends where the next one
does, the last of a row where the next row begins; numbers of M points in that order, int32, those
of a square ascending; the side."""


def sort_squares(owner: np.ndarray, xy: np.ndarray, shape: tuple[int, int, int]) -> Squares:
    """Points by map, row and column of their square; those outside are in squares of the border.

    Args:
        owner: Map of each point, M.
        xy: M 2 pixels.
        shape: (P, H, W) of the maps.
    """
    count, height, width = shape
    rows, columns = int((height - 1) // SIDE) + 1, int((width - 1) // SIDE) + 1
    place = np.clip((xy / SIDE).astype(np.int32), 0, (columns - 1, rows - 1))
    key = (owner * rows + place[:, 1]) * columns + place[:, 0]
    starts = np.zeros((count + 1, rows, columns), np.int32)
    order = np.empty(len(owner), np.int32)
    _sort(key, starts.reshape(-1), order)
    return starts, order, SIDE


@njit(cache=True, nogil=True)
def _sort(key: np.ndarray, starts: np.ndarray, order: np.ndarray) -> None:
    for k in key:
        starts[k] += 1
    total = 0
    for k in range(len(starts)):
        total += starts[k]
        starts[k] = total
    for n in range(len(key) - 1, -1, -1):
        starts[key[n]] -= 1
        order[starts[key[n]]] = n
