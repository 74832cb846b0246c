"""Maps enlarged by cubic convolution, computed only where somebody looks.

Enlarging is linear and separable: a point of the enlarged map is a weighted sum of a few cells.
:func:`enlarged` holds those weights along one axis, for one enlargement or for several in a row,
with a blur after them if there is one. :func:`peaks` finds the maxima of the enlarged maps and
:func:`sample` reads single points; neither makes the map. The kernel is that of Keys (1981) with
a = -0.75, the border repeats: what ``cv2.resize`` computes with ``INTER_CUBIC``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

_A = -0.75
_SLACK, _BLURRED_SLACK = 0.05, 0.1
"""Share of a patch's steepest slope below which a slope counts as level: see :func:`_may_top`."""
_CELLS, _CHUNK = 1 << 14, 1024
"""Cells of maps, and patches of them, that are looked at together; bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """Weights along one axis of an enlarged map.

    A block is the grid points from one cell to the next: block b those from cell b - 1 to b.

    Attributes:
        cells: Cells of the map.
        size: Grid points.
        start: size; the first cell of each grid point.
        weights: T size float32; of that cell and the next ones.
        pad: Cells that repeat the border on either side, for what follows.
        first: blocks; the first grid point of each block.
        count: blocks; how many it has.
        lead: Cells of a block's window before the cell b - 1.
        tables: blocks N + 2 L float32: weights of the L cells of its window in each grid point of a
            block, and in one before and one after.
        like: blocks; whether the table of the middle block serves this one.
        nodes: cells + 6, cells + 2 pad, or None: the blurred map at the cells' centres and those of
            three more on either side, as weights.
        curve: 4 n; of the n cells around the points between two cells (6 where it is blurred, else
            4), the coefficients of 1, t, t^2, t^3 for t from 0 at the one to 1 at the other.
    """

    cells: int
    size: int
    start: np.ndarray
    weights: np.ndarray
    pad: int
    first: np.ndarray
    count: np.ndarray
    lead: int
    tables: np.ndarray
    like: np.ndarray
    nodes: np.ndarray | None
    curve: np.ndarray


@cache
def enlarged(cells: int, sizes: tuple[int, ...], blur: float = 0.0) -> Axis:
    """The axis of ``cells`` cells enlarged to ``sizes[0]`` points, these to ``sizes[1]`` and so on.

    Args:
        cells: Cells of the map.
        sizes: Grid points after each step.
        blur: Standard deviation of a Gaussian at the end, in grid points: cut at four of them, the
            border reflected (SciPy's ``gaussian_filter``); 0 for none.
    """
    size = sizes[-1]
    pad = 5 + int(np.ceil(int(4 * blur + 0.5) * cells / size))
    matrix = np.eye(cells + 2 * pad)
    before, offset = cells, pad
    for after in sizes:
        matrix = _cubic(matrix, before, after, offset)
        before, offset = after, 0
    if blur:
        matrix = _gaussian(matrix, blur)
    middle = (np.arange(size) + 0.5) * cells / size - 0.5
    start, weights = _banded(_folded(matrix, cells, pad))
    first, count, lead, tables = _blocks(matrix, middle, cells, pad)
    nodes = _at_nodes(matrix, middle, cells) if blur else None
    return Axis(
        cells=cells,
        size=size,
        start=start,
        weights=weights,
        pad=pad,
        first=first,
        count=count,
        lead=lead,
        tables=tables,
        like=_alike(tables, first, count, size),
        nodes=nodes,
        curve=_keys() if nodes is None else _fitted(matrix, middle, nodes, cells // 2),
    )


def sample(
    maps: np.ndarray, down: Axis, across: Axis, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Values of enlarged maps at M grid points: C M float32.

    Args:
        maps: P h w float32.
        down: Axis of the h cells.
        across: Axis of the w cells.
        owner: C M; the maps that are read at each point.
        x: M; columns of the enlarged map.
        y: M; its rows.
    """
    _, h, w = maps.shape
    rows, columns = down.weights.take(y, axis=1), across.weights.take(x, axis=1)
    reach = (np.arange(len(rows))[:, None] * w + np.arange(len(columns))).reshape(-1, 1)
    weights = (rows[:, None] * columns).reshape(len(reach), -1)
    corner = down.start.take(y) * w + across.start.take(x)
    flat = maps.reshape(-1)
    values = np.empty(owner.shape, np.float32)
    for value, which in zip(values, owner, strict=True):
        near = flat.take(reach + (corner + which * (h * w)))
        np.einsum("km,km->m", weights, near, out=value)
    return values


def peaks(
    maps: np.ndarray, down: Axis, across: Axis, floor: float, *, strict: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the enlarged maps above ``floor`` that none of their four neighbours tops.

    Only patches between cells are enlarged in which the map can be level along both axes: the
    derivatives of a bicubic patch lie between their Bezier coefficients.

    Args:
        maps: P h w float32, finite.
        down: Axis of the h cells.
        across: Axis of the w cells.
        floor: Least value, at least 0.
        strict: Whether a neighbour may not be as high.

    Returns:
        Map, column and row of each peak (M int64 each), in the order of map, row, column.
    """
    some = max(_CELLS // (maps.shape[1] * maps.shape[2]), 1)
    none = np.zeros(0, np.int64)
    parts = [(none, none, none)]
    for at in range(0, len(maps), some):
        for owner, x, y in _some_peaks(maps[at : at + some], down, across, floor, strict=strict):
            parts.append((owner + at, x, y))
    found, x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((x, y, found))
    return found[order], x[order], y[order]


def _some_peaks(
    maps: np.ndarray, down: Axis, across: Axis, floor: float, *, strict: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """:func:`peaks` of a few maps, part after part and in any order."""
    maps = _padded(maps, down, across)
    near = _nodes(maps, down, across)
    slack = _SLACK if down.nodes is None else _BLURRED_SLACK
    border = (near.shape[1] - down.cells) // 2 - 2
    inner = near[:, border:, border:][:, : down.cells + 4, : across.cells + 4]
    patches = _active(np.ascontiguousarray(inner), floor / (1 + slack))
    window = (down.curve.shape[1], across.curve.shape[1])
    for at in range(0, len(patches[0]), _CHUNK):
        owner, row, column = (index[at : at + _CHUNK] for index in patches)
        may = _may_top(_windows(near, owner, row, column, window), _hulls(down, across), slack)
        if down.nodes is not None:
            may |= _blurred_edge(row, down) | _blurred_edge(column, across)
        owner, row, column = owner[may], row[may], column[may]
        alike = down.like[row] & across.like[column]
        for own, these in ((False, alike), (True, ~alike)):
            if these.any():
                place = owner[these], row[these], column[these]
                yield _tops(maps, down, across, *place, floor, strict=strict, own=own)


def _cubic(matrix: np.ndarray, before: int, after: int, offset: int) -> np.ndarray:
    """Rows of ``matrix`` enlarged from ``before`` to ``after``; row ``offset`` is the first."""
    place = (np.arange(after) + 0.5) * (before / after) - 0.5
    cell = np.floor(place).astype(np.int64)
    t = place - cell
    weights = [
        ((_A * (t + 1) - 5 * _A) * (t + 1) + 8 * _A) * (t + 1) - 4 * _A,
        ((_A + 2) * t - (_A + 3)) * t * t + 1,
        ((_A + 2) * (1 - t) - (_A + 3)) * (1 - t) ** 2 + 1,
    ]
    weights.append(1 - weights[0] - weights[1] - weights[2])
    at = [np.clip(cell + k + offset, 0, len(matrix) - 1) for k in (-1, 0, 1, 2)]
    return np.asarray(sum(w[:, None] * matrix[i] for w, i in zip(weights, at, strict=True)))


def _gaussian(matrix: np.ndarray, sigma: float) -> np.ndarray:
    """Rows of ``matrix`` blurred, reflected about the outer edges of the first and the last."""
    reach, size = int(4 * sigma + 0.5), len(matrix)
    steps = np.arange(-reach, reach + 1)
    taps = np.exp(-0.5 * (steps / sigma) ** 2)
    taps /= taps.sum()
    at = (np.arange(size)[:, None] + steps) % (2 * size)
    at = np.minimum(at, 2 * size - 1 - at)
    return np.asarray(sum(tap * matrix[at[:, k]] for k, tap in enumerate(taps)))


def _folded(matrix: np.ndarray, cells: int, pad: int) -> np.ndarray:
    """Weights of the map itself: what the repeated border weighs is the outermost cells'."""
    inside = matrix[:, pad : pad + cells].copy()
    inside[:, 0] += matrix[:, :pad].sum(axis=1)
    inside[:, -1] += matrix[:, pad + cells :].sum(axis=1)
    return inside


def _banded(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First column that each row uses, and the weights from there on, T size."""
    used = np.abs(matrix) > 1e-12
    start, stop = used.argmax(1), matrix.shape[1] - used[:, ::-1].argmax(1)
    width = int((stop - start).max())
    start = np.minimum(start, matrix.shape[1] - width)
    weights = np.take_along_axis(matrix, start[:, None] + np.arange(width), axis=1)
    return start, np.ascontiguousarray(weights.T, np.float32)


def _blocks(
    matrix: np.ndarray, middle: np.ndarray, cells: int, pad: int
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """``first``, ``count``, ``lead`` and ``tables`` of :class:`Axis`; ``middle`` in cells.

    The first block ends like the others, so it begins outside: as if it were whole.
    """
    size, names = len(matrix), np.arange(cells + 1)
    block = np.floor(middle + 1 + 1e-9)
    first, stop = np.searchsorted(block, names), np.searchsorted(block, names, side="right")
    longest = int((stop - first).max())
    first[0] = stop[0] - longest
    rows = first[:, None] + np.arange(-1, longest + 1)
    seen = (rows >= 0) & (rows < size) & (rows <= stop[:, None])
    weights = matrix[np.clip(rows, 0, size - 1)] * seen[:, :, None]
    place = np.arange(matrix.shape[1]) - pad - (names - 1)[:, None]
    used = place[(np.abs(weights) > 1e-12).any(axis=1)]
    lead, width = int(-used.min()), int(used.max() - used.min() + 1)
    columns = names[:, None] - 1 + pad - lead + np.arange(width)
    tables = np.take_along_axis(weights, columns[:, None, :], axis=2).astype(np.float32)
    return first, stop - first, lead, tables


def _alike(tables: np.ndarray, first: np.ndarray, count: np.ndarray, size: int) -> np.ndarray:
    """Blocks whose points have the weights of the middle block's, as far as they are inside."""
    steps = np.arange(-1, tables.shape[1] - 1)
    rows = first[:, None] + steps
    seen = (rows >= 0) & (rows < size) & (steps <= count[:, None])
    gap = np.abs(tables - tables[len(tables) // 2]).max(axis=2) * seen
    return np.asarray(gap.max(axis=1) < 1e-6)


def _at_nodes(matrix: np.ndarray, middle: np.ndarray, cells: int) -> np.ndarray:
    """Weights of the enlarged map at cells -3 ... cells + 2, where its border repeats."""
    at = np.interp(np.arange(-3, cells + 3), middle, np.arange(len(matrix)))
    low = np.minimum(at.astype(np.int64), max(len(matrix) - 2, 0))
    high = np.minimum(low + 1, len(matrix) - 1)
    share = (at - low)[:, None]
    return np.asarray(matrix[low] * (1 - share) + matrix[high] * share, np.float32)


def _keys() -> np.ndarray:
    """``curve`` of cubic convolution: Hermite's, with the slopes -a (p2 - p0) and -a (p3 - p1)."""
    d1, d2 = -_A * np.array([-1, 0, 1, 0.0]), -_A * np.array([0, -1, 0, 1.0])
    p1, p2 = np.eye(4)[1:3]
    return np.stack([p1, d1, 3 * (p2 - p1) - 2 * d1 - d2, 2 * (p1 - p2) + d1 + d2])


def _fitted(matrix: np.ndarray, middle: np.ndarray, nodes: np.ndarray, cell: int) -> np.ndarray:
    """``curve`` that comes nearest to the grid points after ``cell``, whatever the map holds."""
    half = 0.5 / np.bincount(np.floor(middle + 1).astype(np.int64)).max()
    inside = np.flatnonzero(np.abs(middle - cell - 0.5) <= 0.5 + half)
    weights = matrix[inside] @ np.linalg.pinv(nodes[cell + 1 : cell + 7].astype(np.float64))
    powers = np.vander(middle[inside] - cell, 4, increasing=True)
    return np.asarray(np.linalg.lstsq(powers, weights, rcond=None)[0])


def _padded(maps: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """Maps with a border that repeats the outermost cells."""
    rows = np.arange(-down.pad, down.cells + down.pad).clip(0, down.cells - 1)
    columns = np.arange(-across.pad, across.cells + across.pad).clip(0, across.cells - 1)
    return maps.take(rows, axis=1).take(columns, axis=2)


def _nodes(maps: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """P h + n w + n: the enlarged maps at the cells' centres, n / 2 = 2 or 3 more on each side."""
    if down.nodes is None or across.nodes is None:
        y, x = down.pad - 2, across.pad - 2
        return np.ascontiguousarray(maps[:, y : y + down.cells + 4, x : x + across.cells + 4])
    value: np.ndarray = down.nodes @ maps @ across.nodes.T
    return value


def _active(near: np.ndarray, floor: float) -> tuple[np.ndarray, ...]:
    """Map, block row and block column of the patches whose Bezier coefficients reach ``floor``.

    Along a row they are p1, p1 + (p2 - p0) / 4, p2 - (p3 - p1) / 4 and p2; of their bounds u and l
    the same again along the columns. Every place of the flat array is the first cell of a window of
    4 x 4; those that run over a border are cut off at the end.
    """
    _, h, w = near.shape
    flat = near.reshape(-1)
    slope = 0.25 * (flat[2:] - flat[:-2])
    p1, p2 = flat[1:-2], flat[2:-1]
    after, before = p1 + slope[:-1], p2 - slope[1:]
    del slope
    high, low = np.maximum(after, before), np.minimum(after, before, out=after)
    np.maximum(high, p1, out=high)
    np.maximum(high, p2, out=high)
    np.minimum(low, p1, out=low)
    np.minimum(low, p2, out=low)
    u1, u2 = high[w : -2 * w], high[2 * w : -w]
    bend = 0.25 * (u2 - low[: -3 * w])
    bend += u1
    other = 0.25 * (u1 - low[3 * w :])
    other += u2
    np.maximum(bend, other, out=bend)
    np.maximum(bend, u1, out=bend)
    np.maximum(bend, u2, out=bend)
    reached = np.zeros(flat.size, bool)
    np.greater(bend, floor, out=reached[: bend.size])
    return np.nonzero(reached.reshape(-1, h, w)[:, :-3, :-3])


def _windows(
    maps: np.ndarray,
    owner: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Cells of windows of ``shape`` (h, w) that begin at (row, column): h w, M."""
    _, h, w = maps.shape
    corner = (owner * h + row) * w + column
    reach = (np.arange(shape[0])[:, None] * w + np.arange(shape[1])).reshape(-1, 1)
    return np.asarray(maps.reshape(-1).take(reach + corner))


def _may_top(cells: np.ndarray, hulls: tuple[np.ndarray, np.ndarray], slack: float) -> np.ndarray:
    """M: whether patches, and half a grid point around them, can be level along both axes.

    The patches' cells are the rows of ``cells``; ``hulls`` are of :func:`_hulls`. The slack is
    for what is not quite a bicubic patch: the half grid point that lies in the next patch, a second
    enlargement, a blur.
    """
    may = np.ones(cells.shape[1], bool)
    for taps in hulls:
        slopes = taps @ cells
        low, high = slopes.min(axis=0), slopes.max(axis=0)
        may &= (low <= slack * high) & (high >= slack * low)
    return may


@cache
def _hulls(down: Axis, across: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Bezier coefficients of a patch's derivatives along x and y from its n n cells: 12 n^2."""
    y, x = _bezier(down), _bezier(across)
    return np.kron(y, np.diff(x, axis=0)), np.kron(np.diff(y, axis=0), x)


def _bezier(axis: Axis) -> np.ndarray:
    """4 n float32: Bezier coefficients of ``curve`` from n cells, half a grid point longer."""
    start = -0.5 * axis.cells / axis.size
    moved = [[comb(j, i) * start ** max(j - i, 0) for j in range(4)] for i in range(4)]
    power = (np.array(moved) @ axis.curve) * (1 - 2 * start) ** np.arange(4)[:, None]
    bernstein = [[comb(k, i) / comb(3, i) for i in range(4)] for k in range(4)]
    return np.asarray(np.array(bernstein) @ power, np.float32)


def _blurred_edge(block: np.ndarray, axis: Axis) -> np.ndarray:
    """M: whether a blur reaches over the border here, where its curve is another."""
    reach = axis.lead - 1
    return np.asarray((block < reach) | (block > axis.cells - reach))


def _tops(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    floor: float,
    *,
    strict: bool,
    own: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`peaks` in patches, each with its ``own`` weights or all with the middle blocks'."""
    fine = _patches(maps, down, across, owner, row, column, own=own)
    y, x = _points(down, row), _points(across, column)
    outside = (y < 0) | (y >= down.size), (x < 0) | (x >= across.size)
    if outside[0].any() or outside[1].any():
        fine[outside[0][:, None] | outside[1]] = -np.inf
    middle = fine[1:-1, 1:-1]
    top = middle > floor
    for side in (fine[:-2, 1:-1], fine[2:, 1:-1], fine[1:-1, :-2], fine[1:-1, 2:]):
        top &= (middle > side) if strict else (middle >= side)
    i, j, patch = np.nonzero(top)
    kept = (i < down.count[row[patch]]) & (j < across.count[column[patch]])
    i, j, patch = i[kept], j[kept], patch[kept]
    return owner[patch], x[j + 1, patch], y[i + 1, patch]


def _points(axis: Axis, block: np.ndarray) -> np.ndarray:
    """N + 2, M: grid points of each block, with one more on either side."""
    steps = np.arange(-1, axis.tables.shape[1] - 1)
    return np.asarray(steps[:, None] + axis.first[block])


def _patches(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    *,
    own: bool,
) -> np.ndarray:
    """N + 2, N + 2, M: the enlarged maps in some blocks."""
    (_, tall, rows), columns = down.tables.shape, across.tables.shape[2]
    at = row - 1 + down.pad - down.lead, column - 1 + across.pad - across.lead
    cells = _windows(maps, owner, *at, (rows, columns))
    if own:
        near = np.ascontiguousarray(cells.T).reshape(-1, rows, columns)
        fine = down.tables[row] @ near @ across.tables[column].transpose(0, 2, 1)
        return np.ascontiguousarray(fine.transpose(1, 2, 0))
    taps_y, taps_x = (axis.tables[len(axis.tables) // 2] for axis in (down, across))
    lines = (taps_y @ cells.reshape(rows, -1)).reshape(tall, columns, -1)
    return np.asarray(taps_x @ lines)
