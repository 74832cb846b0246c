"""Rays against round cones, and the light on them: loops over the samples of a picture.

What everything means is said in :mod:`vitruvian.image.render`, which calls them. Arithmetic is in
single precision where the plain NumPy of the tests is.
"""

import numpy as np
from numba import njit

_NIL, _ONE, _FAR = np.float32(0), np.float32(1), np.float32(np.inf)
_LEAST = np.float32(1e-9)


@njit(cache=True, nogil=True, error_model="numpy")
def _entry(a: np.float32, b: np.float32, c: np.float32, least: np.float32) -> np.float32:
    """Smaller root of a t² + 2 b t + c, where it is real, a > 0 and t > least; else inf."""
    inside = b * b - a * c
    if not (inside > _NIL and a > _LEAST):
        return _FAR
    t = (-b - np.sqrt(inside)) / a
    return t if t > least else _FAR


@njit(cache=True, nogil=True, error_model="numpy")
def trace(
    bounds: np.ndarray,
    inward: np.ndarray,
    start: np.ndarray,
    radii: np.ndarray,
    length: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    least: np.float32,
    depth: np.ndarray,
    index: np.ndarray,
) -> None:
    """Let every solid compete for the samples that it may cover.

    Args:
        bounds: P 4 int64, those samples, xyxy.
        inward: P 3 3 float32, from directions of the camera to the solid's unstretched frame.
        start: P 3 float64, the camera there.
        radii: P 2, of the two balls.
        length: P, between them; 0 for one ball.
        across: w float32, slopes of the columns' rays.
        down: h float32, slopes of the rows' rays.
        least: Depth before which nothing is seen.
        depth: h w float32, of what is there; changed.
        index: h w int16, of the solid that is seen; changed.
    """
    for p in range(len(bounds)):
        m, (u, v, w) = inward[p], (start[p, 0], start[p, 1], start[p, 2])
        near, far, long = radii[p, 0], radii[p, 1], length[p]
        flat = u * u + w * w
        slope = (far - near) / long if long > 0 else 0.0
        here = near + slope * v
        end = np.float32(v - long)
        first = np.float32(flat + v * v - near**2)
        second = np.float32(flat + (v - long) * (v - long) - far**2)
        third = np.float32(flat - here**2)
        steep, lean = np.float32(slope**2), np.float32(slope * here)
        x0, y0, z0, top = np.float32(u), np.float32(v), np.float32(w), np.float32(long)
        for row in range(bounds[p, 1], bounds[p, 3]):
            sx, sy = m[0, 1] * down[row] + m[0, 2], m[1, 1] * down[row] + m[1, 2]
            sz = m[2, 1] * down[row] + m[2, 2]
            for column in range(bounds[p, 0], bounds[p, 2]):
                x, y = m[0, 0] * across[column] + sx, m[1, 0] * across[column] + sy
                z = m[2, 0] * across[column] + sz
                squares = x * x + z * z
                whole = squares + y * y
                side = x0 * x + z0 * z
                found = _entry(whole, side + y0 * y, first, least)
                if long > 0:
                    found = min(found, _entry(whole, side + end * y, second, least))
                    cone = _entry(squares - steep * (y * y), side - lean * y, third, least)
                    height = y0 + cone * y
                    if height >= _NIL and height <= top:
                        found = min(found, cone)
                if found < depth[row, column]:
                    depth[row, column] = found
                    index[row, column] = p


@njit(cache=True, nogil=True, error_model="numpy")
def shade(
    depth: np.ndarray,
    index: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    frames: tuple[np.ndarray, ...],
    shape: tuple[np.ndarray, ...],
    cloth: tuple[np.ndarray, ...],
    ambient: np.float32,
    out: np.ndarray,
) -> None:
    """Colours of the samples that see a solid: Lambert's law under one far light and a pale sky.

    Args:
        depth: h w float32, metres.
        index: h w int16, of the solid that is seen, -1 for none.
        across: w float32, slopes of the columns' rays.
        down: h float32, slopes of the rows' rays.
        frames: In each solid's frame, before it is stretched: P 3 the camera, P 3 3 the camera's
            axes (rows), P 3 the light, P 3 the world's up; float32.
        shape: P 3 stretch, P 2 radii, P length, P slope of the radius; float32.
        cloth: P 3 3 RGB of cloth, pattern and what is beyond the cloth's end, P where that is, P
            pattern, P half of its period.
        ambient: Share of light that comes from everywhere.
        out: h w 3 float32, RGB; changed.
    """
    starts, turns, lights, ups = frames
    stretch, radii, length, slope = shape
    colours, end, pattern, half = cloth
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            p = index[row, column]
            if p < 0:
                continue
            t = depth[row, column]
            right, below = across[column] * t, down[row] * t
            at = turns[p]
            x = starts[p, 0] + right * at[0, 0] + below * at[1, 0] + t * at[2, 0]
            y = starts[p, 1] + right * at[0, 1] + below * at[1, 1] + t * at[2, 1]
            z = starts[p, 2] + right * at[0, 2] + below * at[1, 2] + t * at[2, 2]
            x, y, z = x / stretch[p, 0], y / stretch[p, 1], z / stretch[p, 2]
            if y > _NIL and y < length[p]:
                rise = -slope[p] * (radii[p, 0] + slope[p] * y)
            else:
                rise = y - length[p] if y > length[p] else y
            u, v, w = x / stretch[p, 0], rise / stretch[p, 1], z / stretch[p, 2]
            size = max(np.sqrt(u * u + v * v + w * w), _LEAST)
            u, v, w = u / size, v / size, w / size
            lit = u * lights[p, 0] + v * lights[p, 1] + w * lights[p, 2]
            high = u * ups[p, 0] + v * ups[p, 1] + w * ups[p, 2]
            level = ambient * (np.float32(0.8) + np.float32(0.2) * high)
            level += (_ONE - ambient) * max(lit, _NIL)
            which = 0
            if y > end[p]:
                which = 2
            elif pattern[p]:
                i, j = int(np.floor(x / half[p])) & 1, int(np.floor(y / half[p])) & 1
                which = j if pattern[p] == 1 else i if pattern[p] == 2 else i ^ j
            for n in range(3):
                out[row, column, n] = colours[p, which, n] * level
