"""Smooth noise, and flat surfaces whose pattern it stains."""

import numpy as np
from numba import njit

_NIL, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_CELLS, _JOINT = np.float32(64), np.float32(0.06)


@njit(cache=True, nogil=True, error_model="numpy")
def noise(grid: np.ndarray, x: np.float32, y: np.float32) -> np.float32:
    """Value at (x, y) between those of a 65 x 65 grid float32 that repeats every 64."""
    x, y = x - _CELLS * np.floor(x / _CELLS), y - _CELLS * np.floor(y / _CELLS)
    i, j = min(int(y), 63), min(int(x), 63)
    across, down = x - np.float32(j), y - np.float32(i)
    top = grid[i, j] + (grid[i, j + 1] - grid[i, j]) * across
    low = grid[i + 1, j] + (grid[i + 1, j + 1] - grid[i + 1, j]) * across
    found: np.float32 = top + (low - top) * down
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def paint(
    u: np.ndarray,
    v: np.ndarray,
    fade: np.ndarray,
    wanted: np.ndarray,
    colours: np.ndarray,
    pattern: tuple[int, np.float32, np.float32, np.ndarray],
    stains: tuple[np.ndarray, np.ndarray, np.float32],
    out: np.ndarray,
) -> None:
    """Colours of a plane where they are wanted, clipped to [0, 1].

    Args:
        u: H W float32, metres along the plane.
        v: H W float32, metres across it.
        fade: H W float32, how much of the pattern is seen, in [0, 1].
        wanted: H W bool.
        colours: 2 3 float32, RGB.
        pattern: Kind (0 plain, 1 checks, 2 planks, 3 tiles), cosine and sine of its turn over its
            period, 64 float32 shares of the second colour in the planks.
        stains: n 65 65 float32 noise, n float32 cells to a metre, strength.
        out: H W 3 float32, RGB; changed.
    """
    kind, cos, sin, planks = pattern
    grids, cells, strength = stains
    for row in range(u.shape[0]):
        for column in range(u.shape[1]):
            if not wanted[row, column]:
                continue
            x, y, seen = u[row, column], v[row, column], fade[row, column]
            a, b = cos * x + sin * y, cos * y - sin * x
            left, below = np.floor(a), np.floor(b)
            mix = _NIL
            if kind == 1:
                mix = np.float32((int(left) + int(below)) & 1)
            elif kind == 2:
                mix = planks[int(left) & 63]
            elif kind == 3:
                mix = _ONE if a - left < _JOINT or b - below < _JOINT else _NIL
            even = seen * (mix - _HALF) + _HALF
            stain = _NIL
            for n in range(len(cells)):
                f = cells[n]
                stain += noise(grids[n], x * f, y * f) / np.sqrt(f)
            level = _ONE + strength * seen * stain
            for n in range(3):
                value = (colours[0, n] + (colours[1, n] - colours[0, n]) * even) * level
                out[row, column, n] = min(max(value, _NIL), _ONE)
