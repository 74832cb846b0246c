"""Loops over triangles, and over the samples of a picture that see them.

What everything means is said in :mod:`vitruvian.image.raster`, which calls them. Arithmetic is in
single precision where the plain NumPy of the tests is.
"""

import numpy as np
from numba import njit

from vitruvian.kernels.noise import noise

_NIL, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_LEAST = np.float32(1e-12)
_WEAVE, _STRAND, _BLOT, _LONG = (np.float32(v) for v in (0.05, 0.4, 2.5, 14))
_SKY, _RIM, _PALE = (np.float32(v) for v in (0.2, 0.8, 0.2))

Arrays = tuple[np.ndarray, ...]


@njit(cache=True, nogil=True, error_model="numpy")
def normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """V 3 float32: unit normals of the vertices of F 3 faces, weighed by the triangles' areas."""
    total = np.zeros(points.shape)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
        bx, by, bz = points[j, 0] - ax, points[j, 1] - ay, points[j, 2] - az
        cx, cy, cz = points[k, 0] - ax, points[k, 1] - ay, points[k, 2] - az
        x, y, z = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        for corner in (i, j, k):
            total[corner, 0] += x
            total[corner, 1] += y
            total[corner, 2] += z
    out = np.empty(points.shape, np.float32)
    for n in range(len(points)):
        x, y, z = np.float32(total[n, 0]), np.float32(total[n, 1]), np.float32(total[n, 2])
        length = max(np.sqrt(x * x + y * y + z * z), _LEAST)
        out[n, 0], out[n, 1], out[n, 2] = x / length, y / length, z / length
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def in_front(
    at: np.ndarray,
    behind: np.ndarray,
    faces: np.ndarray,
    both: np.ndarray,
    height: int,
    width: int,
) -> np.ndarray:
    """Rows of the faces that may be seen, int64.

    Args:
        at: V 3 float32; x and y in samples, y down.
        behind: V bool; too near or behind.
        faces: F 3 int32, anticlockwise seen from outside.
        both: F bool, whether both sides are seen.
        height: Of the picture, samples.
        width: Likewise.
    """
    kept = np.empty(len(faces), np.int64)
    count = 0
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = at[i, 0], at[i, 1], at[j, 0], at[j, 1], at[k, 0], at[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (area < 0 or (both[f] and area != 0)):
            continue
        if max(ax, bx, cx) < 0 or min(ax, bx, cx) > width - 1:
            continue
        if max(ay, by, cy) < 0 or min(ay, by, cy) > height - 1:
            continue
        if behind[i] or behind[j] or behind[k]:
            continue
        kept[count] = f
        count += 1
    return kept[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def planes(corners: np.ndarray) -> np.ndarray:
    """T 3 3 float32: corner i's share of 1 / z at (x, y) is p[i] · (x - x_0, y - y_0, 1).

    Args:
        corners: T 3 3 float32; x, y and 1 / z.
    """
    out = np.zeros(corners.shape, np.float32)
    for t in range(len(corners)):
        own = corners[t]
        bx, by = own[1, 0] - own[0, 0], own[1, 1] - own[0, 1]
        cx, cy = own[2, 0] - own[0, 0], own[2, 1] - own[0, 1]
        area = bx * cy - by * cx
        a, b, c = own[0, 2] / area, own[1, 2] / area, own[2, 2] / area
        out[t, 0, 0], out[t, 0, 1], out[t, 0, 2] = (by - cy) * a, (cx - bx) * a, own[0, 2]
        out[t, 1, 0], out[t, 1, 1] = cy * b, -cx * b
        out[t, 2, 0], out[t, 2, 1] = -by * c, bx * c
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def scan(
    corners: np.ndarray, shares: np.ndarray, most: np.float32, near: np.ndarray, number: np.ndarray
) -> None:
    """Let every sample of every triangle compete for its place; of equals the later triangle wins.

    Args:
        corners: T 3 3 float32; x, y and 1 / z.
        shares: T 3 3 float32, what :func:`planes` gives.
        most: Largest 1 / z.
        near: h w float32, 1 / z of what is there; changed.
        number: h w int32, of the triangle that is seen, -1 for what was there before; changed.
    """
    height, width = near.shape
    slope, start = np.empty(3, np.float32), np.empty(3, np.float32)
    kind = np.empty(3, np.int8)
    for t in range(len(corners)):
        own = corners[t]
        ax, ay = own[0, 0], own[0, 1]
        turned = (own[1, 0] - ax) * (own[2, 1] - ay) > (own[1, 1] - ay) * (own[2, 0] - ax)
        for i in range(3):
            j = (i + 1) % 3
            drop = own[j, 1] - own[i, 1]
            kind[i] = 0 if drop == 0 else 1 if (drop > 0) != turned else 2
            slope[i] = (own[j, 0] - own[i, 0]) / (_ONE if drop == 0 else drop)
            start[i] = own[i, 0] - slope[i] * own[i, 1]
        across = shares[t, 0, 0] + shares[t, 1, 0] + shares[t, 2, 0]
        down = shares[t, 0, 1] + shares[t, 1, 1] + shares[t, 2, 1]
        first = max(int(np.ceil(min(ay, own[1, 1], own[2, 1]))), 0)
        last = min(int(np.floor(max(ay, own[1, 1], own[2, 1]))), height - 1)
        for row in range(first, last + 1):
            low, high = 0.0, float(width - 1)
            for i in range(3):
                if kind[i] == 1:
                    low = max(low, slope[i] * row + start[i])
                elif kind[i] == 2:
                    high = min(high, slope[i] * row + start[i])
            begin, end = int(np.ceil(np.float32(low))), int(np.floor(np.float32(high)))
            base = float(down) * (row - ay) + shares[t, 0, 2] + float(across) * (begin - ax)
            for column in range(begin, end + 1):
                value = np.float32(np.float32(across * (column - begin)) + base)
                value = min(max(value, np.float32(1e-6)), most)
                before = near[row, column]
                if value > before or (value == before and number[row, column] >= 0):
                    near[row, column] = value
                    number[row, column] = t


@njit(cache=True, nogil=True, error_model="numpy")
def light_up(
    points: np.ndarray,
    outward: np.ndarray,
    gloss: np.ndarray,
    inside: np.ndarray,
    position: np.ndarray,
    light: np.ndarray,
    ambient: np.float32,
) -> np.ndarray:
    """Light on the vertices and its highlight, V 2 float32 (Lambert; Blinn 1977).

    Args:
        points: V 3 float32, world metres.
        outward: V 3 float32, unit normals.
        gloss: V float32, strength of the highlight.
        inside: V bool, whether the other side is seen too.
        position: 3 float32, of the camera.
        light: 3 float32, unit direction towards it.
        ambient: Share of light that comes from everywhere.
    """
    out = np.empty((len(points), 2), np.float32)
    for n in range(len(points)):
        x, y = points[n, 0] - position[0], points[n, 1] - position[1]
        z = points[n, 2] - position[2]
        far = np.sqrt(x * x + y * y + z * z)
        x, y, z = x / far, y / far, z / far
        u, v, w = outward[n, 0], outward[n, 1], outward[n, 2]
        facing = -(x * u + y * v + z * w)
        if inside[n] and facing < 0:
            u, v, w = -u, -v, -w
        lit = max(u * light[0] + v * light[1] + w * light[2], _NIL)
        rim = _RIM + _PALE * abs(facing)
        out[n, 0] = ambient * (_ONE + _SKY * v) * rim + (_ONE - ambient) * lit
        x, y, z = light[0] - x, light[1] - y, light[2] - z
        half = np.sqrt(x * x + y * y + z * z)
        bright = max((x * u + y * v + z * w) / half, _NIL)
        for _ in range(4):
            bright *= bright
        out[n, 1] = gloss[n] * bright * (_ONE - ambient)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(grid: np.ndarray, kind: int, x: np.float32, y: np.float32) -> np.float32:
    """Share of the pattern's colour, at a place in periods."""
    if kind == 1:
        return _ONE if y - np.floor(y) < _HALF else _NIL
    if kind == 2:
        return _ONE if x - np.floor(x) < _HALF else _NIL
    if kind == 3:
        left = _ONE if x - np.floor(x) < _HALF else _NIL
        return (left + (_ONE if y - np.floor(y) < _HALF else _NIL)) / np.float32(2)
    if kind == 4:
        return _ONE if noise(grid, x * _BLOT, y * _BLOT) > 0 else _NIL
    if kind == 5:
        return min(max(_HALF + _STRAND * noise(grid, x * _LONG, y), _NIL), _ONE)
    return _NIL


@njit(cache=True, nogil=True, error_model="numpy")
def _colour(
    t: int,
    x: np.float32,
    y: np.float32,
    triangles: Arrays,
    looks: np.ndarray,
    styles: Arrays,
    grid: np.ndarray,
    grain: np.float32,
    out: np.ndarray,
) -> None:
    """Colour of triangle t at the sample (x, y)."""
    shares, origin, corners, style = triangles
    x, y = x - origin[t, 0], y - origin[t, 1]
    a = max(shares[t, 0, 0] * x + shares[t, 0, 1] * y + shares[t, 0, 2], _NIL)
    b = max(shares[t, 1, 0] * x + shares[t, 1, 1] * y + shares[t, 1, 2], _NIL)
    c = max(shares[t, 2, 0] * x + shares[t, 2, 1] * y + shares[t, 2, 2], _NIL)
    total = a + b + c + _LEAST
    a, b, c = a / total, b / total, c / total
    i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
    level = looks[i, 3] * a + looks[j, 3] * b + looks[k, 3] * c
    shine = looks[i, 4] * a + looks[j, 4] * b + looks[k, 4] * c
    others, pattern, period = styles
    s = style[t]
    kind = pattern[s]
    mix, rough = _NIL, _ONE
    if kind >= 0:
        u = looks[i, 5] * a + looks[j, 5] * b + looks[k, 5] * c
        v = looks[i, 6] * a + looks[j, 6] * b + looks[k, 6] * c
        mix = _mix(grid, kind, u / period[s], v / period[s])
        rough = _ONE + _WEAVE * noise(grid, u / grain, v / grain)
    for n in range(3):
        plain = looks[i, n] * a + looks[j, n] * b + looks[k, n] * c
        out[n] = (plain + (others[s, n] - plain) * mix) * rough * level + shine


@njit(cache=True, nogil=True, error_model="numpy")
def shade(
    number: np.ndarray,
    samples: int,
    triangles: Arrays,
    looks: np.ndarray,
    styles: Arrays,
    grid: np.ndarray,
    grain: np.float32,
    out: np.ndarray,
) -> None:
    """Colours where triangles are seen: once for a pixel that sees one style, else of all samples.

    Args:
        number: h w int32, of the triangle that is seen, -1 for none.
        samples: To a pixel's side.
        triangles: T 3 3 shares, T 2 origins, T 3 rows of the corners in ``looks``, T styles.
        looks: V 7 float32: RGB, light, highlight, place on the cloth.
        styles: S 3 RGB of the patterns, S kinds, S periods.
        grid: 65 65 float32, noise.
        grain: Metres of cloth to a cell of the noise of the weave.
        out: h w 3 float32, RGB; changed.
    """
    height, width = number.shape
    style = triangles[3]
    middle = np.float32((samples - 1) / 2)
    colour = np.empty(3, np.float32)
    for top in range(0, height, samples):
        for left in range(0, width, samples):
            first = number[top, left]
            alike = first >= 0
            for row in range(top, top + samples):
                for column in range(left, left + samples):
                    t = number[row, column]
                    alike = alike and t >= 0 and style[t] == style[first]
            if alike:
                x, y = np.float32(left) + middle, np.float32(top) + middle
                _colour(first, x, y, triangles, looks, styles, grid, grain, colour)
            for row in range(top, top + samples):
                for column in range(left, left + samples):
                    t = number[row, column]
                    if t < 0:
                        continue
                    if not alike:
                        x, y = np.float32(column), np.float32(row)
                        _colour(t, x, y, triangles, looks, styles, grid, grain, colour)
                    for n in range(3):
                        out[row, column, n] = colour[n]
