"""Peaks of smoothed votes, where votes gather (Papandreou et al. 2018, Eq. 1).

Every pixel of a disc votes for the place that its offset points at; a map of the votes is blurred,
and its peaks are keypoints. Fields are known at cells and interpolated between them.

Blocks of a few pixels first vote once, as a whole, for bins of a few pixels; that bounds what can
be in each bin. Only votes that fall near bins that can hold a peak are cast one by one, only
around those is the map blurred, and only a band of one map exists at a time.
"""

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numba import njit

_BIN = 4
"""Pixels on a side of a bin."""
_BAND = 24
"""Rows of bins of the map that are worked on at a time."""
_SLACK = 0.8
"""A bin needs this share of the votes that a peak has: a block's votes lie around its own."""
_SPREAD = 16
"""Pixels that a block's votes lie from its own at most."""
_NEAR, _WIDE, _KEPT = 1, 2, 4
"""Marks of bins: votes count there; rows are blurred; a peak may be there."""

Fields = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Chance, and offsets x and y in pixels, of one map, h w each."""

Votes = tuple[Fields, int, int, np.ndarray, np.ndarray]
"""Fields; pixels per cell; of each axis, pixels per vote; where in a block its votes are; row and
column of the blocks that vote, and those of their bins, M 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How pixels vote.

    Attributes:
        stride: Pixels per cell.
        step: Of each axis, one vote counts for so many pixels.
        floor: Only blocks vote in whose middle the chance is above this.
        blur: Standard deviation of the Gaussian that smooths the votes, pixels; 0 for none.
        least: Peaks are above this, votes.
    """

    stride: int
    step: int
    floor: float
    blur: float
    least: float

    @property
    def group(self) -> int:
        """Votes on a side of a block."""
        group = max(_BIN // self.step, 1)
        return group if self.stride % (group * self.step) == 0 else 1

    @property
    def places(self) -> np.ndarray:
        """Where on each axis of a block its votes are, pixels.

        Where fewer vote than there are pixels, their mean and variance are those of the pixels.
        """
        pixels = self.group * self.step
        gap = np.sqrt((pixels**2 - 1) / (self.group**2 - 1)) if self.group > 1 else 0.0
        return (pixels - 1) / 2 + gap * (np.arange(self.group) - (self.group - 1) / 2)

    @property
    def margin(self) -> int:
        """Pixels that the blur reaches."""
        return int(4 * self.blur + 0.5)

    @property
    def taps(self) -> np.ndarray:
        """Weights of the blur from half of its middle on, float32."""
        if not self.margin:
            return np.full(1, 0.5, np.float32)
        taps = cv2.getGaussianKernel(2 * self.margin + 1, self.blur, cv2.CV_32F)[self.margin :, 0]
        return np.append(taps[0] / 2, taps[1:])


def vote_peaks(
    chance: np.ndarray, offset: np.ndarray, rule: Rule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels whose smoothed votes none of their four neighbours tops.

    Args:
        chance: K h w float32, the weight of a vote.
        offset: 2K h w float32, pixels: x and y from a pixel to the place it votes for.
        rule: How they vote.

    Returns:
        Of M peaks: the map (M int64), pixel (M 2 int64: x, y) and votes (M float32), in the order
        of map, row, column.
    """
    _, h, w = chance.shape
    size = (h - 1) * rule.stride + 1, (w - 1) * rule.stride + 1
    times, taps, places = _times(size, rule), rule.taps, rule.places
    pixels, pad = rule.group * rule.step, rule.margin + 1
    blocks = np.empty((-(-size[0] // pixels) * -(-size[1] // pixels), 4), np.int16)
    band = np.empty((_BAND * _BIN + 2 * pad, size[1] + 2 * pad), np.float32)
    found = np.empty((256, 3))
    parts = [(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.float32))]
    for k, weak in enumerate(chance):
        fields = weak, offset[2 * k], offset[2 * k + 1]
        total = np.zeros(times.shape, np.float32)
        count = _weigh(fields, rule.stride, pixels, rule.floor, total, blocks)
        marks = _marks(total, times, rule)
        if marks is None:
            continue
        votes = fields, rule.stride, rule.step, places, blocks[:count]
        while (number := _peaks(votes, marks, taps, rule.least, band, found)) > len(found):
            found = np.empty((number, 3))
        rows = found[:number]
        rows = rows[np.lexsort(rows.T[:2])]
        xy = rows[:, :2].astype(np.int64)
        parts.append((np.full(number, k), xy, rows[:, 2].astype(np.float32)))
    owner, xy, height = (np.concatenate(column) for column in zip(*parts, strict=True))
    return owner, xy, height


@cache
def _times(size: tuple[int, int], rule: Rule) -> np.ndarray:
    """How often votes in each bin may count: twice near a border, outside not at all, float32.

    There is one more bin on each side of the view.
    """
    near = 2 + rule.margin // _BIN
    axes = []
    for side in size:
        times = np.ones(-(-side // _BIN) + 2, np.float32)
        times[:near] *= 2
        times[-near:] *= 2
        times[[0, -1]] = 0
        axes.append(times)
    return np.outer(*axes)


@njit(cache=True, nogil=True)
def _weigh(
    fields: Fields,
    stride: int,
    pixels: int,
    floor: float,
    total: np.ndarray,
    blocks: np.ndarray,
) -> int:
    """Add the blocks, each as a whole, to the bins that their middles vote for.

    Args:
        fields: Of one map.
        stride: Pixels per cell.
        pixels: On a side of a block.
        floor: See :class:`Rule`.
        total: Votes of the bins, changed in place; those beyond the view are in the outermost.
        blocks: For each block that votes, its row, its column and those of its bin; filled in.

    Returns:
        How many vote.
    """
    chance, dx, dy = fields
    h, w = chance.shape
    bins_down, bins_across = total.shape
    columns = (w - 1) * stride // pixels + 1
    count = 0
    for i in range((h - 1) * stride // pixels + 1):
        y = min(i * pixels + (pixels - 1) / 2, (h - 1.0) * stride)
        row = min(int(y / stride), max(h - 2, 0))
        below, v = min(row + 1, h - 1), y / stride - row
        if max(chance[row].max(), chance[below].max()) <= floor:
            continue
        for j in range(columns):
            x = min(j * pixels + (pixels - 1) / 2, (w - 1.0) * stride)
            column = min(int(x / stride), max(w - 2, 0))
            corner = row, below, column, min(column + 1, w - 1)
            u = x / stride - column
            weight = _between(chance, corner, u, v)
            if weight <= floor:
                continue
            to_x = (x + _between(dx, corner, u, v)) / _BIN
            to_y = (y + _between(dy, corner, u, v)) / _BIN
            across = math.floor(min(max(to_x, -1.0), bins_across - 2.0)) + 1
            down = math.floor(min(max(to_y, -1.0), bins_down - 2.0)) + 1
            total[down, across] += weight
            blocks[count, 0], blocks[count, 1] = i, j
            blocks[count, 2], blocks[count, 3] = down, across
            count += 1
    return count


@njit(cache=True, nogil=True)
def _between(field: np.ndarray, corner: tuple[int, int, int, int], u: float, v: float) -> float:
    """A field between four cells, at the shares ``u`` across and ``v`` down."""
    row, below, column, right = corner
    high = field[row, column] + u * (field[row, right] - field[row, column])
    low = field[below, column] + u * (field[below, right] - field[below, column])
    return float(high + v * (low - high))


def _marks(total: np.ndarray, times: np.ndarray, rule: Rule) -> np.ndarray | None:
    """Marks of all bins, uint8; None if none of them can hold a peak."""
    away = np.maximum(_BIN * (np.abs(np.arange(-2, 3)) - 1) - 1, 0)
    share = np.exp(-0.5 * (away / rule.blur) ** 2) if rule.margin else 1.0 * (away == 0)
    bound = cv2.sepFilter2D(total * times, cv2.CV_32F, share, share, borderType=cv2.BORDER_CONSTANT)
    highest = rule.group**2 * (2 * float(rule.taps[0])) ** 2
    kept = ((bound > _SLACK * rule.least / highest) & (times > 0)).astype(np.uint8)
    if not kept.any():
        return None
    side = 2 * -(-(rule.margin + 3) // _BIN) + 1
    near = cv2.dilate(kept, np.ones((side, side), np.uint8))
    wide = cv2.dilate(kept, np.ones((side, 3), np.uint8))
    return np.asarray(_NEAR * near + _WIDE * wide + _KEPT * kept)


@njit(cache=True, nogil=True)
def _peaks(
    votes: Votes,
    marks: np.ndarray,
    taps: np.ndarray,
    least: float,
    band: np.ndarray,
    found: np.ndarray,
) -> int:
    """How many peaks one map has, from the blocks that vote.

    ``band`` is to work with: rows of the map, and as many pixels as the blur reaches, and one more,
    around them. ``found`` gets x, y and votes of the first peaks.
    """
    (chance, _, _), stride, _, _, _ = votes
    size = (chance.shape[0] - 1) * stride + 1, (chance.shape[1] - 1) * stride + 1
    pad = len(taps)
    smooth, count = np.empty((_BIN + 2, size[1]), np.float32), 0
    for first in range(1, marks.shape[0] - 1, _BAND):
        last = min(first + _BAND, marks.shape[0] - 1)
        if not (marks[first:last] & _KEPT).any():
            continue
        top = (first - 1) * _BIN - pad
        band[:] = 0
        _cast(votes, marks, first, last, top, pad, band)
        _blur_rows(band, top, size, marks, taps)
        for down in range(first, last):
            across, kept = 1, marks[down] & _KEPT
            while across < len(kept) - 1:
                start, across = across, _end(kept, across)
                if start < across:
                    run = (start - 1) * _BIN, (down - 1) * _BIN, (across - start) * _BIN
                    count = _tops(band, top, size, run, taps, least, smooth, found, count)
                across += 1
    return count


@njit(cache=True, nogil=True)
def _cast(
    votes: Votes,
    marks: np.ndarray,
    first: int,
    last: int,
    top: int,
    pad: int,
    band: np.ndarray,
) -> None:
    """Cast the votes for the bins of a band; each counts for the four pixels around it.

    In a block each field is a + b u + c v + d u v of the place u, v.
    """
    (chance, dx, dy), stride, step, places, blocks = votes
    h, w = chance.shape
    pixels = len(places) * step
    beyond = (pad + _SPREAD) // _BIN
    for n in range(len(blocks)):
        down, across = blocks[n, 2], blocks[n, 3]
        if not marks[down, across] or down < first - beyond or down >= last + beyond:
            continue
        y, x = blocks[n, 0] * pixels, blocks[n, 1] * pixels
        row, column = min(int(y / stride), max(h - 2, 0)), min(int(x / stride), max(w - 2, 0))
        corner = row, min(row + 1, h - 1), column, min(column + 1, w - 1)
        left, above = (w - 1) * stride + 1 - x, (h - 1) * stride + 1 - y  # fewer at the end
        fade = 1.0 if step == 1 else min(left / pixels, 1.0) * min(above / pixels, 1.0)
        for to_down in places:
            v = (y + to_down) / stride - row
            w0, w1 = _line(chance, corner, v)
            x0, x1 = _line(dx, corner, v)
            y0, y1 = _line(dy, corner, v)
            for right in places:
                if step == 1 and (right >= left or to_down >= above):
                    continue
                u = (x + right) / stride - column
                weight = (w0 + w1 * u) * fade
                to_x, to_y = x + right + x0 + x1 * u + pad, y + to_down + y0 + y1 * u - top
                if 0 <= to_x < band.shape[1] - 1 and 0 <= to_y < band.shape[0] - 1:
                    i, j = int(to_y), int(to_x)
                    low = weight * (to_y - i)
                    far, low_far = (weight - low) * (to_x - j), low * (to_x - j)
                    band[i, j] += weight - low - far
                    band[i, j + 1] += far
                    band[i + 1, j] += low - low_far
                    band[i + 1, j + 1] += low_far


@njit(cache=True, nogil=True)
def _line(field: np.ndarray, corner: tuple[int, int, int, int], v: float) -> tuple[float, float]:
    """Value and slope of a field along the row at the share ``v`` between four cells."""
    row, below, column, right = corner
    first = field[row, column] + v * (field[below, column] - field[row, column])
    return first, field[row, right] + v * (field[below, right] - field[row, right]) - first


@njit(cache=True, nogil=True)
def _blur_rows(
    band: np.ndarray, top: int, size: tuple[int, int], marks: np.ndarray, taps: np.ndarray
) -> None:
    """Blur each row of the band where that is wanted, in place; borders reflect.

    Args:
        band: Pixels, the first row at ``top``.
        top: Row of the map.
        size: (H, W) of the map.
        marks: Of the bins.
        taps: See :class:`Rule`.
    """
    height, width = size
    pad = len(taps)
    line = np.empty(width + 2 * pad, np.float32)
    for y in range(max(top, 0), min(top + len(band), height)):
        down, row = y // _BIN + 1, band[y - top]
        line[:] = row
        for m in range(pad):
            line[pad - 1 - m] = row[pad + _reflected(-1 - m, width)]
            line[pad + width + m] = row[pad + _reflected(width + m, width)]
        across, wide = 1, marks[down] & _WIDE
        while across < len(wide) - 1:
            start, across = across, _end(wide, across)
            if start < across:
                first, last = (start - 1) * _BIN + pad, min((across - 1) * _BIN, width) + pad
                row[first:last] = 0
                for t in range(pad):
                    one, other = line[first - t : last - t], line[first + t : last + t]
                    _add(row[first:last], taps[t], one, other)
            across += 1
    for y in range(top, top + len(band)):
        if (y < 0 or y >= height) and _reflected(y, height) - top < len(band):
            band[y - top] = band[_reflected(y, height) - top]


@njit(cache=True, nogil=True)
def _add(total: np.ndarray, factor: float, one: np.ndarray, other: np.ndarray) -> None:
    """Of equal lengths; a loop from 0 on is one that the compiler makes vectors of."""
    for n in range(len(total)):
        total[n] += factor * (one[n] + other[n])


@njit(cache=True, nogil=True)
def _reflected(place: int, size: int) -> int:
    """The pixel that one beyond the border shows."""
    place %= 2 * size
    return min(place, 2 * size - 1 - place)


@njit(cache=True, nogil=True)
def _end(marked: np.ndarray, start: int) -> int:
    """The first bin from ``start`` on that is not marked; the last one is beyond the view."""
    while start < len(marked) - 1 and marked[start]:
        start += 1
    return start


@njit(cache=True, nogil=True)
def _tops(
    band: np.ndarray,
    top: int,
    size: tuple[int, int],
    corner: tuple[int, int, int],
    taps: np.ndarray,
    least: float,
    smooth: np.ndarray,
    found: np.ndarray,
    count: int,
) -> int:
    """Blur the columns of a run of bins and look for peaks.

    Args:
        band: Rows that are blurred, the first at ``top``.
        top: Row of the map.
        size: (H, W) of the map.
        corner: First column, first row and columns of the run.
        taps: See :class:`Rule`.
        least: Peaks are above this.
        smooth: To work with.
        found: Peaks so far; filled in, as far as there is room.
        count: How many peaks there are so far.

    Returns:
        How many there are now.
    """
    height, width = size
    x0, y0, columns = corner
    pad = len(taps)
    first, last = max(x0 - 1, 0), min(x0 + columns + 1, width)
    for y in range(max(y0 - 1, 0), min(y0 + _BIN + 1, height)):
        line = smooth[y - y0 + 1]
        line[first:last] = 0
        for t in range(pad):
            one, other = band[y - top - t], band[y - top + t]
            _add(
                line[first:last],
                taps[t],
                one[first + pad : last + pad],
                other[first + pad : last + pad],
            )
    for y in range(y0, min(y0 + _BIN, height)):
        near = smooth[y - y0 : y - y0 + 3]
        for x in range(x0, min(x0 + columns, width)):
            v = near[1, x]
            top_most = v > least and not (
                (y > 0 and near[0, x] > v)
                or (y < height - 1 and near[2, x] > v)
                or (x > 0 and near[1, x - 1] > v)
                or (x < width - 1 and near[1, x + 1] > v)
            )
            if top_most:
                if count < len(found):
                    found[count, 0], found[count, 1], found[count, 2] = x, y, v
                count += 1
    return count
