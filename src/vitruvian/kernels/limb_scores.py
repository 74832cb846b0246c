"""Peaks of keypoint maps and how well body-part maps support a pair of them (Li et al. 2020).

Both are asked on maps enlarged by cubic convolution, which ``cv2.resize`` would make whole. Here
only the pixels that somebody looks at exist: ``cv2.remap`` computes the same sum for one pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

_WAVES = slice(2, 18, 3), slice(3, 18, 3), slice(1, 19, 3)
"""Samples of a long pair that are looked up in the cells before any is enlarged, wave by wave."""
_GAIN = 0.7
"""A pixel above the floor has a cell above this share of it: two cubic steps gain at most 1.41 of
four equal cells."""
_SHOULDER = 0.7
"""A cell that its neighbours top by up to this share of its own height above the lowest of them may
hold a peak between the cells; further out the enlarged map rises towards the neighbour."""
_CUBE = np.ones((3, 3), np.uint8)
_LIMIT = 32767
"""Rows that ``cv2.remap`` can count."""
_BORDER = 2
_CHUNK = 1 << 11
"""Cells or pairs that are worked on together; bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a pair of peaks is a limb.

    Attributes:
        samples: Most samples along a pair; a shorter one has one per pixel.
        floor: A sample supports the pair above this.
        agree: Share of the samples that must support it.
        reach: Longest length without a penalty, pixels.
    """

    samples: int
    floor: float
    agree: float
    reach: float


def read(
    maps: np.ndarray, factor: int, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """M C: pixels of maps P h w enlarged ``factor`` times; ``owner`` M, ``x`` and ``y`` M C."""
    planes, h, _ = maps.shape
    scale, shift = np.float32(1 / factor), np.float32(0.5 / factor - 0.5)
    at_x = x.astype(np.float32) * scale + shift
    at_y = y.astype(np.float32) * scale + shift
    value = np.zeros(x.shape, np.float32)
    group = max(1, (_LIMIT - 1) // (h + 2 * _BORDER))
    for first in range(0, planes, group):
        tall = _tall(maps[first : first + group])
        mine = (
            np.flatnonzero((owner >= first) & (owner < first + group)) if planes > group else None
        )
        rows = np.arange(len(owner)) if mine is None else mine
        for begin in range(0, len(rows), _CHUNK):
            some = slice(begin, begin + _CHUNK) if mine is None else rows[begin : begin + _CHUNK]
            top = (owner[some, None] - first) * (h + 2 * _BORDER) + _BORDER
            down = at_y[some] + top.astype(np.float32)
            value[some] = cv2.remap(
                tall, at_x[some], down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
    return value


def _tall(maps: np.ndarray) -> np.ndarray:
    """The maps P h w in one column, each between copies of its first and of its last row."""
    planes, h, w = maps.shape
    column = np.empty((planes, h + 2 * _BORDER, w), np.float32)
    column[:, _BORDER:-_BORDER] = maps
    column[:, :_BORDER], column[:, -_BORDER:] = maps[:, :1], maps[:, -1:]
    return column.reshape(-1, w)


def _filtered(maps: np.ndarray, extreme: Callable[..., np.ndarray]) -> np.ndarray:
    """Largest or least of the 3 x 3 cells around each cell, P h w."""
    out = np.empty_like(maps)
    for plane, into in zip(maps, out, strict=True):
        extreme(plane, _CUBE, dst=into)
    return out


def fine_peaks(
    maps: np.ndarray, factor: int, floor: float, *, whole: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the enlarged maps at or above ``floor`` that none of their eight neighbours tops.

    Args:
        maps: P h w float32, finite, contiguous.
        factor: Pixels per cell and axis.
        floor: Above 0.
        whole: Search all pixels. Otherwise those of cells that are peaks or shoulders of the map.

    Returns:
        Map, column and row of each, in that order of map, row, column.
    """
    if whole:
        parts = [_whole_peaks(plane, factor, floor, p) for p, plane in enumerate(maps)]
    else:
        height = maps - _filtered(maps, cv2.erode)
        below = _filtered(maps, cv2.dilate) - maps
        may = (maps >= _GAIN * floor) & (below <= _SHOULDER * height)
        cells = np.flatnonzero(may)
        parts = [
            _peaks_in(maps, factor, floor, cells[at : at + _CHUNK])
            for at in range(0, max(len(cells), 1), _CHUNK)
        ]
    owner, y, x = (np.concatenate(axis) for axis in zip(*parts, strict=True))
    order = np.lexsort((x, y, owner))
    return owner[order], x[order], y[order]


def _whole_peaks(
    plane: np.ndarray, factor: int, floor: float, owner: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fine = cv2.resize(plane, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    y, x = np.nonzero((fine >= floor) & (cv2.dilate(fine, _CUBE) == fine))
    return np.full(len(x), owner), y, x


def _peaks_in(
    maps: np.ndarray, factor: int, floor: float, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks among the pixels of some cells (positions in the flat array)."""
    _, h, w = maps.shape
    owner, rest = np.divmod(cells, h * w)
    cell_y, cell_x = np.divmod(rest, w)
    steps, around = np.arange(-1, factor + 1)[:, None], np.arange(-2, 3)[:, None]
    x, y = cell_x * factor + steps, cell_y * factor + steps
    rows = np.clip(cell_y + around, 0, h - 1) * w + owner * (h * w)
    near = maps.reshape(-1).take(rows[:, None] + np.clip(cell_x + around, 0, w - 1))
    taps = _taps(factor)
    fine = (np.kron(taps, taps) @ near.reshape(25, -1)).reshape(len(steps), len(steps), -1)
    off_x, off_y = (x < 0) | (x >= w * factor), (y < 0) | (y >= h * factor)
    fine[off_x | off_y[:, None]] = -np.inf
    across = np.maximum(np.maximum(fine[:, :-2], fine[:, 1:-1]), fine[:, 2:])
    middle = fine[1:-1, 1:-1]
    before = np.maximum(across[:-2], fine[1:-1, :-2])
    after = np.maximum(across[2:], fine[1:-1, 2:])
    i, j, cell = np.nonzero((middle >= floor) & (middle > before) & (middle >= after))
    return owner[cell], y[i + 1, cell], x[j + 1, cell]


def _taps(factor: int) -> np.ndarray:
    """Pixels -1 to ``factor``, counted from the first of a cell, as weights of 5 cells around it.

    Cubic convolution (Keys 1981) with a = -0.75, as OpenCV has it.
    """
    pixel = (np.arange(-1, factor + 1) + 0.5) / factor - 0.5
    d = np.abs(pixel[:, None] - np.arange(-2, 3))
    near, far = (1.25 * d - 2.25) * d * d + 1, -0.75 * (((d - 5) * d + 8) * d - 4)
    weights: np.ndarray = np.where(d <= 1, near, np.where(d < 2, far, 0)).astype(np.float32)
    return weights


def centroids(
    maps: np.ndarray, factor: int, owner: np.ndarray, x: np.ndarray, y: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Step from each pixel to the centroid of the window around it, M 2, and the window's mean, M.

    Pixels within ``reach`` of the border keep their place and have their own value.
    """
    _, h, w = maps.shape
    steps = np.arange(-reach, reach + 1)
    side = len(steps)
    columns = np.tile(x[:, None] + steps, (1, side))
    rows = np.repeat(y[:, None] + steps, side, axis=1)
    near = read(maps, factor, owner, columns, rows)
    middle = near[:, side * side // 2]
    total = near.sum(axis=1)
    inside = (x >= reach) & (x < w * factor - reach) & (y >= reach) & (y < h * factor - reach)
    inside &= total > 0
    weights = np.where(inside, total, 1)[:, None]
    moved = np.stack([near @ np.tile(steps, side), near @ np.repeat(steps, side)], axis=1)
    step = np.where(inside[:, None], moved / weights, 0)
    return step, np.where(inside, total / (side * side), middle)


def pairs(owner: np.ndarray, limbs: np.ndarray, keypoints: int) -> np.ndarray:
    """M 3: limb, and the peaks at its two ends, for every pair that a limb could join.

    Args:
        owner: Keypoint of each peak, ascending.
        limbs: E 2, keypoints at the ends of each limb.
        keypoints: Number of keypoints.
    """
    first = np.searchsorted(owner, np.arange(keypoints + 1))
    count = np.diff(first)
    of_a, of_b = count[limbs[:, 0]], count[limbs[:, 1]]
    limb = np.repeat(np.arange(len(limbs)), of_a * of_b)
    rest = np.arange(len(limb)) - np.repeat(np.cumsum(of_a * of_b) - of_a * of_b, of_a * of_b)
    a, b = np.divmod(rest, np.maximum(of_b[limb], 1))
    return np.stack([limb, first[limbs[limb, 0]] + a, first[limbs[limb, 1]] + b], axis=1)


def score_pairs(
    maps: np.ndarray, factor: int, xy: np.ndarray, pair: np.ndarray, rule: Rule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs that their limb's map supports: which of ``pair``, their score, their length.

    The score is the mean of the samples, less a penalty for pairs longer than ``rule.reach``; it is
    above 0.

    Args:
        maps: E h w float32, finite, contiguous.
        factor: Pixels per cell and axis.
        xy: Peaks, pixels of the enlarged maps.
        pair: M 3, see :func:`pairs`.
        rule: When a pair is a limb.
    """
    start, stop = xy[pair[:, 1]], xy[pair[:, 2]]
    length = np.sqrt(((stop - start) ** 2).sum(axis=1))
    count = np.minimum(np.round(length + 1), rule.samples).astype(np.int64)
    kept = np.flatnonzero(
        _screen(maps, factor, start, stop, pair[:, 0], count, rule) & (length > 0)
    )
    limb, count = pair[kept, 0], count[kept]
    columns, rows = (_samples(start[kept, axis], stop[kept, axis], count, rule) for axis in (0, 1))
    value = read(maps, factor, limb, columns, rows)
    there = np.arange(rule.samples) < count[:, None]
    support = ((value > rule.floor) & there).sum(axis=1)
    mean = np.where(there, value, 0).sum(axis=1, dtype=np.float64) / count
    score = mean + np.minimum(rule.reach / length[kept] - 1, 0)
    good = (support >= rule.agree * count) & (score > 0)
    return kept[good], score[good], length[kept[good]]


def _screen(
    maps: np.ndarray,
    factor: int,
    start: np.ndarray,
    stop: np.ndarray,
    limb: np.ndarray,
    count: np.ndarray,
    rule: Rule,
) -> np.ndarray:
    """M: whether enough of some samples may lie above the floor, by the cells around them."""
    may = _filtered(maps, cv2.dilate) >= _GAIN * rule.floor
    _, h, w = maps.shape
    share = (np.arange(rule.samples) / max(rule.samples - 1, 1)).astype(np.float32)
    spare = rule.samples - np.ceil(rule.agree * rule.samples)
    kept = count < rule.samples
    a, across = start.astype(np.float32), (stop - start).astype(np.float32)
    first = limb.astype(np.int32) * (h * w)
    for at in range(0, len(limb), _CHUNK):
        rows, missed = np.arange(at, min(at + _CHUNK, len(limb))), np.int64(0)
        for wave in _WAVES:
            x, y = (_cells(a[rows, i], across[rows, i], share[wave], factor) for i in (0, 1))
            found = may.reshape(-1).take(y * w + x + first[rows], mode="clip")
            missed = missed + len(found) - np.count_nonzero(found, axis=0)
            near = missed <= spare
            rows, missed = rows[near], missed[near]
        kept[rows] = True
    return kept


def _cells(start: np.ndarray, across: np.ndarray, share: np.ndarray, factor: int) -> np.ndarray:
    """S M int32: the cells that hold the nearest pixels to shares of the way."""
    pixel = np.rint(start + share[:, None] * across)
    cell: np.ndarray = (pixel * np.float32(1 / factor)).astype(np.int32)
    return cell


def _samples(start: np.ndarray, stop: np.ndarray, count: np.ndarray, rule: Rule) -> np.ndarray:
    """M S pixels: ``count`` even steps from start to stop, rounded; the rest repeats the last."""
    step = (stop - start) / np.maximum(count - 1, 1)
    index = np.arange(rule.samples)
    place = start[:, None] + index * step[:, None]
    return np.asarray(np.rint(np.where(index >= count[:, None] - 1, stop[:, None], place)))
