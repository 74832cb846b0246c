"""Peaks of smoothed votes, where votes gather (Papandreou et al. 2018, Eq. 1).

Every pixel of a disc votes for the place that its offset points at; a map of the votes is blurred,
and its peaks are keypoints. Fields are known at cells and interpolated between them.

No map is made. Blocks of a few pixels first vote once, as a whole, for bins of a few pixels; that
bounds what can be in each bin. Only votes that fall near bins that can hold a peak are cast one by
one, on pixels that exist only there, and only windows over those bins are blurred.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

_SHIFT = 2
_BIN, _REST = 1 << _SHIFT, (1 << _SHIFT) - 1
"""Pixels on a side of a bin."""
_SIDE = _BIN + 1
"""The same with the first ones of the next bin, which a vote may touch."""
_WINDOW = 6
"""Bins on a side of the windows that are blurred."""
_SLACK = 0.8
"""A bin needs this share of the votes that a peak has: a block's votes lie around its own."""
_RUN, _MAPS = 1 << 12, 6
"""Blocks and maps that are looked at together; bound the memory."""


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
    def margin(self) -> int:
        """Pixels that the blur reaches."""
        return int(4 * self.blur + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """One axis of a view.

    Attributes:
        size: Pixels.
        bins: Bins, one more on each side.
        middle: N cells float32; how the middle of each of N blocks is interpolated.
        cell: N; the cell at or before each block.
        share: N float32; where between that cell and the next its first pixel is.
        first: N; that pixel.
    """

    size: int
    bins: int
    middle: np.ndarray
    cell: np.ndarray
    share: np.ndarray
    first: np.ndarray


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
    count, h, w = chance.shape
    down, across = (_side(cells, rule.stride, rule.step, rule.group) for cells in (h, w))
    fields = np.empty((3, count, h, w), np.float32)
    fields[0] = chance
    fields[1] = offset[::2] + np.float32(rule.stride) * np.arange(w, dtype=np.float32)
    fields[2] = offset[1::2] + np.float32(rule.stride) * np.arange(h, dtype=np.float32)[:, None]
    weight = down.middle @ fields[0] @ across.middle.T
    block = np.flatnonzero(weight > rule.floor)
    ends = np.searchsorted(block, np.arange(1, count + 1) * weight[0].size)
    parts = [(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.float32))]
    for first, last in _runs(ends):
        some = block[ends[first - 1] if first else 0 : ends[last - 1]] - first * weight[0].size
        owner, xy, votes = _peaks(
            fields[:, first:last], weight[first:last], some, down, across, rule
        )
        parts.append((owner + first, xy, votes))
    owner, xy, votes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return owner, xy, votes


@cache
def _side(cells: int, stride: int, step: int, group: int) -> _Side:
    size = (cells - 1) * stride + 1
    first = np.arange(0, size, step * group)
    middle = np.minimum((first + (group * step - 1) / 2) / stride, cells - 1)
    cell = np.minimum(first // stride, max(cells - 2, 0))
    return _Side(
        size=size,
        bins=-(-size // _BIN) + 2,
        middle=np.maximum(0, 1 - np.abs(middle[:, None] - np.arange(cells))).astype(np.float32),
        cell=cell,
        share=(first / stride - cell).astype(np.float32),
        first=first,
    )


def _runs(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """First map, and the one after the last, of runs of maps in which some blocks vote."""
    first = before = 0
    for number, end in enumerate(ends.tolist(), start=1):
        if end - before >= _RUN or number - first >= _MAPS or number == len(ends):
            if end > before:
                yield first, number
            first, before = number, end


def _peaks(
    fields: np.ndarray,
    weight: np.ndarray,
    block: np.ndarray,
    down: _Side,
    across: _Side,
    rule: Rule,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`vote_peaks` of a few maps, of which some blocks vote."""
    bins = _bins(fields, block, down, across)
    kept = _kept(bins, weight.reshape(-1).take(block), len(weight), down, across, rule)
    reach = -(-(rule.margin + 3) // _BIN)
    near = np.flatnonzero(cv2.dilate(kept, np.ones((2 * reach + 1,) * 2, np.uint8)))
    table = np.zeros(kept.size, np.int32)
    table[near] = np.arange(1, len(near) + 1) * _SIDE**2
    votes = _votes(fields, block[table.take(bins) > 0], down, across, rule)
    pixels = _counted(votes, table.reshape(-1, down.bins, across.bins), near)
    return _tops(pixels, table, kept, down, across, rule)


def _bins(fields: np.ndarray, block: np.ndarray, down: _Side, across: _Side) -> np.ndarray:
    """The bin that the middle of each block votes for; beyond the view one of the outermost."""
    owner = block // (len(down.first) * len(across.first))
    place = []
    for field, side in ((fields[1], across), (fields[2], down)):
        middle = (down.middle @ field @ across.middle.T).reshape(-1).take(block)
        middle *= np.float32(1 / _BIN)
        np.clip(middle, -1, side.bins - 2, out=middle)
        place.append(np.floor(middle, out=middle).astype(np.int32) + 1)
    return np.asarray((owner * down.bins + place[1]) * across.bins + place[0])


def _kept(
    bins: np.ndarray, weight: np.ndarray, count: int, down: _Side, across: _Side, rule: Rule
) -> np.ndarray:
    """Bins that can hold a peak: uint8, those of all maps below each other."""
    shape = (count, down.bins, across.bins)
    total = np.bincount(bins, weight, minlength=int(np.prod(shape))).astype(np.float32)
    rows, columns = (_reflected(side.bins, rule) for side in (down, across))
    inside = np.broadcast_to(rows[:, None] * columns, shape).reshape(-1, across.bins)
    away = np.maximum(_BIN * (np.abs(np.arange(-2, 3)) - 1) - 1, 0)
    share = np.exp(-0.5 * (away / rule.blur) ** 2) if rule.margin else 1.0 * (away == 0)
    bound = cv2.sepFilter2D(
        total.reshape(inside.shape) * inside,
        cv2.CV_32F,
        share,
        share,
        borderType=cv2.BORDER_CONSTANT,
    )
    highest = rule.group**2 * _taps(rule).max() ** 2
    return np.asarray((bound * highest > _SLACK * rule.least) & (inside > 0), np.uint8)


def _reflected(bins: int, rule: Rule) -> np.ndarray:
    """How often votes in each bin of an axis may count: twice near a border, outside not at all."""
    times = np.ones(bins, np.float32)
    near = 2 + rule.margin // _BIN
    times[:near] *= 2
    times[-near:] *= 2
    times[[0, -1]] = 0
    return times


def _taps(rule: Rule) -> np.ndarray:
    """Weights of the blur."""
    if not rule.margin:
        return np.ones(1)
    return cv2.getGaussianKernel(2 * rule.margin + 1, rule.blur)[:, 0]


def _votes(
    fields: np.ndarray, block: np.ndarray, down: _Side, across: _Side, rule: Rule
) -> tuple[np.ndarray, np.ndarray]:
    """Map of M votes, and weight, x and y (3 M): those of some blocks.

    In a block each field is a + b x + c y + d x y of the place x, y. Where fewer vote than there
    are pixels, their mean and their variance on each axis are those of the pixels.
    """
    _, _, h, w = fields.shape
    line, j = np.divmod(block, len(across.first))
    owner, i = np.divmod(line, len(down.first))
    cell = (owner * h + down.cell[i]) * w + across.cell[j]
    right, below = int(w > 1), w * int(h > 1)
    flat = fields.reshape(3, -1)
    corners = (flat.take(cell + other, axis=1) for other in (0, right, below, right + below))
    first, b, c, bend = corners
    bend -= b
    bend += first - c
    b -= first
    c -= first
    x, y = across.share[j], down.share[i]
    c += bend * x
    first += b * x + c * y
    b += bend * y
    pixels = rule.group * rule.step
    gap = np.sqrt((pixels**2 - 1) / (rule.group**2 - 1)) if rule.group > 1 else 0.0
    at = (pixels - 1) / 2 + gap * (np.arange(rule.group) - (rule.group - 1) / 2)
    at = (at / rule.stride).astype(np.float32)
    x, y = np.tile(at, rule.group), np.repeat(at, rule.group)
    factors = np.stack([first, b, c, bend], axis=-1).reshape(-1, 4)
    votes = (factors @ np.stack([np.ones_like(x), x, y, x * y])).reshape(3, len(block), len(x))
    for number, side, place in ((j, across, x), (i, down, y)):
        left = side.size - int(side.first[-1])
        if left < pixels:  # the last block ends beyond the view
            share = place * rule.stride < left if rule.step == 1 else np.full(len(x), left / pixels)
            votes[0][number == len(side.first) - 1] *= share.astype(np.float32)
    return np.repeat(owner.astype(np.int32), rule.group**2), votes.reshape(3, -1)


def _counted(
    votes: tuple[np.ndarray, np.ndarray], table: np.ndarray, near: np.ndarray
) -> np.ndarray:
    """Bilinear votes on the pixels of some bins, one bin after the other; the first is nobody's.

    A vote counts for the four pixels around it, in proportion. ``table`` holds where the pixels of
    each bin begin, 0 for those that have none, and ``near`` is the bins that have.
    """
    owner, (weight, x, y) = votes
    _, rows, columns = table.shape
    np.clip(x, -_BIN, _BIN * (columns - 1) - 1, out=x)
    np.clip(y, -_BIN, _BIN * (rows - 1) - 1, out=y)
    left, top = np.floor(x), np.floor(y)
    x -= left
    y -= top
    column, row = left.astype(np.int32), top.astype(np.int32)
    place = (row & _REST) * np.int32(_SIDE)
    place += column & _REST
    row >>= _SHIFT
    row *= columns
    row += owner * np.int32(rows * columns) + np.int32(columns + 1)
    row += np.right_shift(column, _SHIFT, out=column)
    at = table.reshape(-1).take(row) + place.astype(np.intp)
    counted = np.zeros((len(near) + 1) * _SIDE**2 + _SIDE + 1, np.float32)
    low = weight * y
    weight -= low
    for share, start in ((weight, 0), (low, _SIDE)):
        far = share * x
        share -= far
        np.add.at(counted[start:], at, share)
        np.add.at(counted[start + 1 :], at, far)
    pixels = counted[: -_SIDE - 1].reshape(-1, _SIDE, _SIDE)
    right, below = (table.reshape(-1).take(near + n, mode="clip") // _SIDE**2 for n in (1, columns))
    pixels[right, :, 0] += pixels[1:, :, _BIN]
    pixels[below, 0, :_BIN] += pixels[1:, _BIN, :_BIN]
    return pixels


def _tops(
    pixels: np.ndarray,
    table: np.ndarray,
    kept: np.ndarray,
    down: _Side,
    across: _Side,
    rule: Rule,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks in the bins that are ``kept``; ``pixels`` are those of :func:`_counted`."""
    label, piece, corner = _windows(kept)
    owner, row = np.divmod(corner[:, 1], down.bins)
    first = _BIN * (np.stack([row, corner[:, 0]], axis=1) - 1)
    inner = _WINDOW * _BIN
    steps = np.arange(-1 - rule.margin, inner + 1 + rule.margin)
    bins, places = [], []
    for axis, side in enumerate((down, across)):
        line = (first[:, axis, None] + steps) % (2 * side.size)
        line = np.minimum(line, 2 * side.size - 1 - line) + _BIN  # the border reflects
        bins.append(line >> _SHIFT)
        places.append(line & _REST)
    bins[0] += (owner * down.bins)[:, None]
    at = table.take((bins[0] * across.bins)[:, :, None] + bins[1][:, None])
    at += (places[0] * _SIDE).astype(np.int32)[:, :, None]
    at += places[1].astype(np.int32)[:, None]
    near = pixels.reshape(-1).take(at)
    band = _band(inner + 2, rule)
    across_rows = (near.reshape(-1, len(steps)) @ band.T).reshape(*near.shape[:2], len(band))
    smooth = band @ across_rows
    for axis, side in enumerate((down, across)):
        line = first[:, axis, None] + np.arange(-1, inner + 1)
        window, beyond = np.nonzero((line < 0) | (line >= side.size))
        np.moveaxis(smooth, axis + 1, 1)[window, beyond] = -np.inf
    middle = smooth[:, 1:-1, 1:-1]
    top = middle > rule.least
    for other in (smooth[:, :-2, 1:-1], smooth[:, 2:, 1:-1]):
        top &= middle >= other
    for other in (smooth[:, 1:-1, :-2], smooth[:, 1:-1, 2:]):
        top &= middle >= other
    window, i, j = np.nonzero(top)
    own = label[corner[window, 1] + i // _BIN, corner[window, 0] + j // _BIN] == piece[window]
    y, x = first[window, 0] + i, first[window, 1] + j
    rows = np.flatnonzero(own)
    rows = rows[np.lexsort((x[rows], y[rows], owner[window[rows]]))]
    window = window[rows]
    return owner[window], np.stack([x, y], axis=1)[rows], middle[window, i[rows], j[rows]]


def _windows(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows over all pieces of connected bins.

    Returns:
        The piece of each bin; the piece of each of W windows; its first bin, W 2 (column, row).
    """
    _, label, boxes, _ = cv2.connectedComponentsWithStats(kept, connectivity=8)
    boxes = boxes[1:].astype(np.int64)
    across, down = -(-boxes[:, 2:4].T // _WINDOW)
    count = across * down
    piece = np.repeat(np.arange(len(boxes)), count)
    number = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    i, j = np.divmod(number, across[piece])
    label = np.pad(label, ((0, _WINDOW), (0, _WINDOW)))  # windows may end beyond
    corner = boxes[piece, :2] + _WINDOW * np.stack([j, i], axis=1)
    return label, piece + 1, corner


@cache
def _band(rows: int, rule: Rule) -> np.ndarray:
    """The blur as a matrix, rows x (rows + 2 margin) float32."""
    band = np.zeros((rows, rows + 2 * rule.margin), np.float32)
    taps = _taps(rule)
    for row in range(rows):
        band[row, row : row + len(taps)] = taps
    return band
