"""Peaks of keypoint maps and how well body-part maps support a pair of them (Li et al. 2020).

Both are asked on maps enlarged by cubic convolution, which ``cv2.resize`` would make whole. Here
only the pixels that somebody looks at exist. Compiled by numba.
"""

from functools import cache

import cv2
import numpy as np
from numba import njit

_GAIN = 0.7
"""A pixel above the floor has a cell above this share of it: two cubic steps gain at most 1.41 of
four equal cells."""
_SHOULDER = 0.7
"""A cell that its neighbours top by up to this share of its own height above the lowest of them may
hold a peak between the cells; further out the enlarged map rises towards the neighbour."""
_STRIDE = 7
"""Every so manyth sample of a pair is looked at first: neighbours are alike."""


@cache
def taps(factor: int) -> np.ndarray:
    """Pixels -1 to ``factor``, counted from the first of a cell, as weights of 5 cells around it.

    Cubic convolution (Keys 1981) with a = -0.75, as OpenCV has it: factor + 2, 5 float32.
    """
    pixel = (np.arange(-1, factor + 1) + 0.5) / factor - 0.5
    d = np.abs(pixel[:, None] - np.arange(-2, 3))
    near, far = (1.25 * d - 2.25) * d * d + 1, -0.75 * (((d - 5) * d + 8) * d - 4)
    weights: np.ndarray = np.where(d <= 1, near, np.where(d < 2, far, 0)).astype(np.float32)
    return weights


@njit(cache=True, nogil=True)
def read(plane: np.ndarray, taps: np.ndarray, x: int, y: int) -> np.float32:
    """A pixel of a map h w enlarged by the factor of the taps; the border repeats."""
    h, w = plane.shape
    factor = len(taps) - 2
    row, column = y // factor, x // factor
    i, j = y - row * factor + 1, x - column * factor + 1
    m, n = int(2 * i > factor), int(2 * j > factor)  # of 5 cells, 4 count
    top, left = row + m - 2, column + n - 2
    value = np.float32(0)
    if top >= 0 and left >= 0 and top + 4 <= h and left + 4 <= w:
        a, b, c, d = taps[j, n], taps[j, n + 1], taps[j, n + 2], taps[j, n + 3]
        for k in range(4):
            p, q = plane[top + k, left], plane[top + k, left + 1]
            r, s = plane[top + k, left + 2], plane[top + k, left + 3]
            value += taps[i, m + k] * ((a * p + b * q) + (c * r + d * s))
        return value
    for k in range(4):
        for t in range(4):
            cell = plane[min(max(top + k, 0), h - 1), min(max(left + t, 0), w - 1)]
            value += taps[i, m + k] * taps[j, n + t] * cell
    return value


def whole_peaks(maps: np.ndarray, factor: int, floor: float) -> np.ndarray:
    """Map, column and row (M 3) of all pixels at or above ``floor`` that no neighbour tops."""
    found = [np.zeros((0, 3), np.int64)]
    for p, plane in enumerate(maps):
        fine = cv2.resize(plane, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        y, x = np.nonzero((fine >= floor) & (cv2.dilate(fine, np.ones((3, 3), np.uint8)) == fine))
        found.append(np.stack([np.full(len(x), p), x, y], axis=1))
    return np.concatenate(found)


@njit(cache=True, nogil=True)
def fine_peaks(maps: np.ndarray, taps: np.ndarray, floor: float) -> np.ndarray:
    """Pixels of the enlarged maps at or above ``floor`` that none of their eight neighbours tops.

    They are searched in the cells that are peaks or shoulders of the map itself; of equal pixels
    the first is the peak.

    Args:
        maps: P h w float32, finite.
        taps: See :func:`taps`.
        floor: Above 0.

    Returns:
        Map, column and row of each (M 3), by map and cell.
    """
    _, h, w = maps.shape
    side, least = len(taps), np.float32(floor)
    lines, fine = np.empty((5, side), np.float32), np.empty((side, side), np.float32)
    found, count = np.empty((64, 3), np.int64), 0
    for p, plane in enumerate(maps):
        for row in range(h):
            for column in range(w):
                if plane[row, column] >= _GAIN * floor and _may_peak(plane, row, column):
                    _enlarge(plane, taps, row, column, lines, fine)
                    for i in range(1, side - 1):
                        for j in range(1, side - 1):
                            if fine[i, j] >= least and _tops(fine, i, j):
                                if count == len(found):
                                    found = np.concatenate((found, np.empty_like(found)))
                                x, y = column * (side - 2) + j - 1, row * (side - 2) + i - 1
                                found[count] = p, x, y
                                count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _may_peak(plane: np.ndarray, row: int, column: int) -> bool:
    """Whether a cell is a peak or a shoulder among its neighbours."""
    h, w = plane.shape
    value = plane[row, column]
    low = high = value
    for i in range(max(row - 1, 0), min(row + 2, h)):
        for j in range(max(column - 1, 0), min(column + 2, w)):
            low, high = min(low, plane[i, j]), max(high, plane[i, j])
    return bool(high - value <= _SHOULDER * (value - low))


@njit(cache=True, nogil=True)
def _enlarge(
    plane: np.ndarray, taps: np.ndarray, row: int, column: int, lines: np.ndarray, fine: np.ndarray
) -> None:
    """A cell's pixels, and one around, into ``fine``; -inf beyond the map."""
    h, w = plane.shape
    side = len(taps)
    for m in range(5):
        at = min(max(row + m - 2, 0), h - 1)
        a, b = plane[at, max(column - 2, 0)], plane[at, max(column - 1, 0)]
        c, d = plane[at, column], plane[at, min(column + 1, w - 1)]
        e = plane[at, min(column + 2, w - 1)]
        for j in range(side):
            pair = taps[j, 0] * a + taps[j, 1] * b
            lines[m, j] = pair + (taps[j, 2] * c + taps[j, 3] * d) + taps[j, 4] * e
    for i in range(side):
        a, b, c, d, e = taps[i, 0], taps[i, 1], taps[i, 2], taps[i, 3], taps[i, 4]
        for j in range(side):
            pair = a * lines[0, j] + b * lines[1, j]
            fine[i, j] = pair + (c * lines[2, j] + d * lines[3, j]) + e * lines[4, j]
    if row == 0:
        fine[0] = -np.inf
    if row == h - 1:
        fine[side - 1] = -np.inf
    if column == 0:
        fine[:, 0] = -np.inf
    if column == w - 1:
        fine[:, side - 1] = -np.inf


@njit(cache=True, nogil=True)
def _tops(fine: np.ndarray, i: int, j: int) -> bool:
    """Whether a pixel is above those before it and not below those after it."""
    value = fine[i, j]
    for n in range(-1, 2):
        if fine[i - 1, j + n] >= value or fine[i + 1, j + n] > value:
            return False
    return bool(fine[i, j - 1] < value and fine[i, j + 1] <= value)


@njit(cache=True, nogil=True)
def centroids(
    maps: np.ndarray, taps: np.ndarray, peaks: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Step from each pixel to the centroid of the window around it, M 2, and the window's mean, M.

    Pixels within ``reach`` of the border keep their place and have their own value.
    """
    _, h, w = maps.shape
    height, width = h * (len(taps) - 2), w * (len(taps) - 2)
    step, worth = np.zeros((len(peaks), 2)), np.empty(len(peaks), np.float32)
    for row in range(len(peaks)):
        p, x, y = peaks[row]
        worth[row] = read(maps[p], taps, x, y)
        if not (reach <= x < width - reach and reach <= y < height - reach):
            continue
        total = across = down = 0.0
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                value = float(read(maps[p], taps, x + j, y + i))
                total, across, down = total + value, across + j * value, down + i * value
        if total > 0:
            step[row] = across / total, down / total
            worth[row] = total / (2 * reach + 1) ** 2
    return step, worth


@njit(cache=True, nogil=True)
def score_pairs(
    maps: np.ndarray,
    taps: np.ndarray,
    xy: np.ndarray,
    first: np.ndarray,
    limbs: np.ndarray,
    samples: int,
    floor: float,
    agree: float,
    reach: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of peaks that their limb's map supports.

    The score is the mean of the samples, less a penalty for pairs longer than ``reach``; it is
    above 0.

    Args:
        maps: E h w float32, finite.
        taps: See :func:`taps`.
        xy: M 2 float64; peaks, pixels of the enlarged maps.
        first: K + 1; the first peak of each keypoint, and at last how many there are.
        limbs: E 2; keypoints at the ends of each limb.
        samples: Most samples along a pair; a shorter one has one per pixel.
        floor: A sample supports the pair above this.
        agree: Share of the samples that must support it.
        reach: Longest length without a penalty, pixels.

    Returns:
        Limb and the peaks at its ends (N 3), score (N) and length (N).
    """
    found, count = np.empty((64, 3), np.int64), 0
    numbers = np.empty((64, 2))
    for e in range(len(limbs)):
        a, b = limbs[e]
        for i in range(first[a], first[a + 1]):
            for j in range(first[b], first[b + 1]):
                length = np.sqrt((xy[j, 0] - xy[i, 0]) ** 2 + (xy[j, 1] - xy[i, 1]) ** 2)
                if length == 0:
                    continue
                mean = _mean(maps[e], taps, xy[i], xy[j], length, samples, floor, agree)
                score = mean + min(reach / length - 1, 0)
                if score > 0:
                    if count == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                        numbers = np.concatenate((numbers, np.empty_like(numbers)))
                    found[count], numbers[count] = (e, i, j), (score, length)
                    count += 1
    return found[:count], numbers[:count, 0].copy(), numbers[:count, 1].copy()


@njit(cache=True, nogil=True)
def _mean(
    plane: np.ndarray,
    taps: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    length: float,
    samples: int,
    floor: float,
    agree: float,
) -> float:
    """Mean of the samples of a pair, -inf if too few are above the floor."""
    count = min(int(np.rint(length + 1)), samples)
    spare, total = count - int(np.ceil(agree * count)), 0.0
    dx, dy = (stop[0] - start[0]) / max(count - 1, 1), (stop[1] - start[1]) / max(count - 1, 1)
    missed, inverse, half = 0, 1 / (len(taps) - 2), (len(taps) - 2) // 2 + 0.25
    for begin in range(3, 3 * _STRIDE + 1, 3):  # the first one, near a peak, comes last
        for k in range(begin % _STRIDE, count, _STRIDE):
            x, y = int(np.rint(start[0] + k * dx)), int(np.rint(start[1] + k * dy))
            missed += _is_low(plane, (x + half) * inverse, (y + half) * inverse, _GAIN * floor)
            if missed > spare:
                return -np.inf
    for k in range(count):
        x, y = int(np.rint(start[0] + k * dx)), int(np.rint(start[1] + k * dy))
        value = float(read(plane, taps, x, y))
        total += value
        spare -= value <= floor
        if spare < 0:
            return -np.inf
    return total / count


@njit(cache=True, nogil=True)
def _is_low(plane: np.ndarray, x: float, y: float, floor: float) -> bool:
    """Whether a cell and those before it, all around a pixel, are below ``floor``."""
    h, w = plane.shape
    bottom, right = min(int(y), h - 1), min(int(x), w - 1)
    top, left = max(int(y) - 1, 0), max(int(x) - 1, 0)
    above = max(plane[top, left], plane[top, right])
    return bool(max(above, max(plane[bottom, left], plane[bottom, right])) < floor)
