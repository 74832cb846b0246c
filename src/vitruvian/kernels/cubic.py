"""Maps enlarged by cubic convolution, computed only where somebody looks.

Enlarging is linear and separable: a point of the enlarged map is a weighted sum of a few cells.
:func:`enlarged` holds those weights along one axis, for one enlargement or for several in a row,
with a blur after them if there is one. :func:`peaks` finds the maxima of the enlarged maps and
:func:`sample` reads single points; neither makes the map. The kernel is that of Keys (1981) with
a = -0.75, the border repeats: what ``cv2.resize`` computes with ``INTER_CUBIC``.
"""

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

_A = -0.75
_SLACK = 0.1
"""Share of a patch's steepest slope below which a slope counts as level: see :func:`_may_top`."""
_CHUNK = 4096
"""Patches that are enlarged together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """Weights along one axis of an enlarged map.

    Cells are counted in a map that is padded by ``pad`` on both sides. A block is the grid points
    in half the way from one cell to the next: from cell b - 1 to b, these are the blocks 2 b and
    2 b + 1.

    Attributes:
        cells: Cells of the map.
        size: Grid points.
        pad: Cells that repeat the border on either side.
        start: size; the first cell of each grid point.
        weights: size T float32; of that cell and the next ones.
        first: blocks; the first grid point of each block.
        count: blocks; how many it has.
        lead: Cells of a block's window before the cell that the block begins at or after.
        tables: blocks N + 2 L float32: weights of the L cells of its window in each grid point of a
            block, and in one before and one after. Two of them, if every second block is alike.
        nodes: h + 4, L' float32 or None: the blurred map at the cells' centres, as weights.
        curve: 4 4; of the four cells around the points between two cells, the coefficients of
            1, t, t^2, t^3 for t from 0 at the second cell to 1 at the third.
    """

    cells: int
    size: int
    pad: int
    start: np.ndarray
    weights: np.ndarray
    first: np.ndarray
    count: np.ndarray
    lead: int
    tables: np.ndarray
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
    start, weights = _banded(matrix)
    first, count, lead, tables = _blocks(matrix, middle, cells, pad)
    nodes = _at_nodes(matrix, middle, cells) if blur else None
    return Axis(
        cells=cells,
        size=size,
        pad=pad,
        start=start,
        weights=weights,
        first=first,
        count=count,
        lead=lead,
        tables=tables,
        nodes=nodes,
        curve=_keys() if nodes is None else _fitted(matrix, middle, nodes, cells // 2),
    )


def padded(maps: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """Maps ... h w with a border that repeats the outermost cells, contiguous."""
    rows = np.arange(-down.pad, down.cells + down.pad).clip(0, down.cells - 1)
    columns = np.arange(-across.pad, across.cells + across.pad).clip(0, across.cells - 1)
    return maps.take(rows, axis=-2).take(columns, axis=-1)


def sample(
    maps: np.ndarray, down: Axis, across: Axis, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Values of enlarged maps at M grid points: C M float32.

    Args:
        maps: P h w, padded; float32, or complex64 for C = 2 maps that are read together.
        down: Axis of the h cells.
        across: Axis of the w cells.
        owner: M; the map of each point.
        x: M; columns of the enlarged map.
        y: M; its rows.
    """
    _, h, w = maps.shape
    taps_y, taps_x = down.weights.shape[1], across.weights.shape[1]
    first = ((h - down.cells) // 2 - down.pad) * w + (w - across.cells) // 2 - across.pad
    corner = (owner * h + down.start.take(y)) * w + across.start.take(x) + first
    reach = (np.arange(taps_y)[:, None] * w + np.arange(taps_x)).reshape(-1, 1)
    near = maps.reshape(-1).take(reach + corner)
    rows, columns = down.weights.T.take(y, axis=1), across.weights.T.take(x, axis=1)
    weights = (rows[:, None] * columns).reshape(len(reach), -1)
    parts = (near.real, near.imag) if np.iscomplexobj(near) else (near,)
    return np.stack([np.einsum("km,km->m", weights, part) for part in parts])


def peaks(
    maps: np.ndarray, down: Axis, across: Axis, floor: float, *, strict: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the enlarged maps above ``floor`` that none of their four neighbours tops.

    Only patches between cells are enlarged in which the map can be level along both axes: the
    derivatives of a bicubic patch lie between their Bezier coefficients.

    Args:
        maps: P h w float32, finite, padded.
        down: Axis of the h cells.
        across: Axis of the w cells.
        floor: Least value, at least 0.
        strict: Whether a neighbour may be as high.

    Returns:
        Map, column and row of each peak (M int64 each), in the order of map, row, column.
    """
    near = _nodes(maps, down, across)
    owner, row, column = _active(near, floor)
    cells = _windows(near, owner, row, column, (4, 4))
    edge = _blurred_edge(row, down) | _blurred_edge(column, across)
    quarter, patch = _may_top(cells, _hulls(down, across), floor, edge)
    owner = owner[patch]
    row, column = 2 * row[patch] + quarter // 2, 2 * column[patch] + quarter % 2
    parts = [
        _tops(maps, down, across, owner[s], row[s], column[s], floor, strict)
        for s in (slice(at, at + _CHUNK) for at in range(0, max(len(owner), 1), _CHUNK))
    ]
    found, x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((x, y, found))
    return found[order], x[order], y[order]


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


def _banded(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First column that each row uses, and its weights from there on."""
    used = np.abs(matrix) > 1e-12
    start, stop = used.argmax(1), matrix.shape[1] - used[:, ::-1].argmax(1)
    width = int((stop - start).max())
    start = np.minimum(start, matrix.shape[1] - width)
    weights = np.take_along_axis(matrix, start[:, None] + np.arange(width), axis=1)
    return start, weights.astype(np.float32)


def _blocks(
    matrix: np.ndarray, middle: np.ndarray, cells: int, pad: int
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """``first``, ``count``, ``lead`` and ``tables`` of :class:`Axis`; ``middle`` in cells."""
    size, names = len(matrix), np.arange(2 * (cells + 1))
    block = np.floor(2 * (middle + 1) + 1e-9)
    first, stop = np.searchsorted(block, names), np.searchsorted(block, names, side="right")
    count = stop - first
    rows = first[:, None] + np.arange(-1, int(count.max()) + 1)
    seen = (rows >= 0) & (rows < size) & (rows <= stop[:, None]) & (count > 0)[:, None]
    weights = matrix[np.clip(rows, 0, size - 1)] * seen[:, :, None]
    place = np.arange(matrix.shape[1]) - pad - (names // 2 - 1)[:, None]
    used = place[(np.abs(weights) > 1e-12).any(axis=1)]
    lead, width = int(-used.min()), int(used.max() - used.min() + 1)
    columns = names[:, None] // 2 - 1 + pad - lead + np.arange(width)
    tables = np.take_along_axis(weights, columns[:, None, :], axis=2).astype(np.float32)
    like = names % 2 + 2 * ((cells + 1) // 2)
    if np.abs(tables - tables[like] * seen[:, :, None]).max() < 1e-6:
        tables = tables[like[:2]]
    return first, count, lead, tables


def _at_nodes(matrix: np.ndarray, middle: np.ndarray, cells: int) -> np.ndarray:
    """Weights of the enlarged map at cells -2 ... cells + 1, where its border repeats."""
    at = np.interp(np.arange(-2, cells + 2), middle, np.arange(len(matrix)))
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
    inside = np.flatnonzero(np.abs(middle - cell - 0.5) <= 0.5)
    if len(inside) < 4:
        return _keys()
    weights = matrix[inside] @ np.linalg.pinv(nodes[cell + 1 : cell + 5].astype(np.float64))
    powers = np.vander(middle[inside] - cell, 4, increasing=True)
    return np.asarray(np.linalg.lstsq(powers, weights, rcond=None)[0])


def _nodes(maps: np.ndarray, down: Axis, across: Axis) -> np.ndarray:
    """P h + 4 w + 4: the enlarged maps at the cells' centres, two more on each side."""
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
    high = np.maximum(np.maximum(p1, p2), np.maximum(after, before))
    low = np.minimum(np.minimum(p1, p2), np.minimum(after, before))
    u1, u2 = high[w : -2 * w], high[2 * w : -w]
    bend = np.maximum(u1 + 0.25 * (u2 - low[: -3 * w]), u2 + 0.25 * (u1 - low[3 * w :]))
    reached = np.zeros(flat.size, bool)
    reached[: bend.size] = np.maximum(np.maximum(u1, u2), bend) > floor / (1 + _SLACK)
    return np.nonzero(reached.reshape(-1, h, w)[:, :-3, :-3])


def _blurred_edge(block: np.ndarray, axis: Axis) -> np.ndarray:
    """M: whether a blur reaches over the border here, where its curve is another."""
    if axis.nodes is None:
        return np.zeros(len(block), bool)
    reach = axis.lead - 1
    return np.asarray((block < reach) | (block > axis.cells - reach))


def _may_top(
    cells: np.ndarray,
    hulls: tuple[np.ndarray, np.ndarray, np.ndarray],
    floor: float,
    edge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Quarters of patches (0 to 3, by rows) that can be above ``floor`` and level on both axes.

    The patches' 16 cells are the rows of ``cells``; ``hulls`` are of :func:`_hulls`; the slopes of
    patches at the ``edge`` are not looked at. The slack is for what is not quite a bicubic patch: a
    second enlargement, a blur, and the half grid point around a quarter that lies in the next one.
    """
    along_x, along_y, values = hulls
    may = np.ones((4, cells.shape[1]), bool)
    for taps in (along_x, along_y):
        slopes = (taps @ cells).reshape(4, len(taps) // 4, -1)
        low, high = slopes.min(axis=1), slopes.max(axis=1)
        may &= (low <= _SLACK * high) & (high >= _SLACK * low) | edge
    high = (values @ cells).reshape(4, len(values) // 4, -1).max(axis=1)
    may &= high > floor / (1 + _SLACK)
    quarter, patch = np.nonzero(may)
    return quarter, patch


@cache
def _hulls(down: Axis, across: Axis) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bezier coefficients of a patch's quarters from its 16 cells: d/dx, d/dy, values."""
    pairs = [(y, x) for y in _halves(down) for x in _halves(across)]
    along_x = np.concatenate([np.kron(y, np.diff(x, axis=0)) for y, x in pairs])
    along_y = np.concatenate([np.kron(np.diff(y, axis=0), x) for y, x in pairs])
    values = np.concatenate([np.kron(y, x) for y, x in pairs])
    return along_x, along_y, values


def _halves(axis: Axis) -> list[np.ndarray]:
    """4 4 float32 for each half of the way between two cells, and half a grid point around it.

    Bezier coefficients of the part of ``curve`` from four cells.
    """
    margin = 0.5 * axis.cells / axis.size
    bernstein = [[comb(k, i) / comb(3, i) for i in range(4)] for k in range(4)]
    halves = []
    for start, length in ((-margin, 0.5 + 2 * margin), (0.5 - margin, 0.5 + 2 * margin)):
        moved = [[comb(j, i) * start ** max(j - i, 0) for j in range(4)] for i in range(4)]
        power = (np.array(moved) @ axis.curve) * length ** np.arange(4)[:, None]
        halves.append((np.array(bernstein) @ power).astype(np.float32))
    return halves


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


def _tops(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    floor: float,
    strict: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`peaks` in some patches."""
    fine = _patches(maps, down, across, owner, row, column)
    y, x = _points(down, row), _points(across, column)
    fine[((y < 0) | (y >= down.size))[:, None] | ((x < 0) | (x >= across.size))] = -np.inf
    middle = fine[1:-1, 1:-1]
    top = middle > floor
    for side in (fine[:-2, 1:-1], fine[2:, 1:-1], fine[1:-1, :-2], fine[1:-1, 2:]):
        top &= (middle > side) if strict else (middle >= side)
    i, j, patch = np.nonzero(top)
    own = (i < down.count[row[patch]]) & (j < across.count[column[patch]])
    i, j, patch = i[own], j[own], patch[own]
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
) -> np.ndarray:
    """N + 2, N + 2, M: the enlarged maps in some blocks."""
    (kinds_y, tall, rows), (kinds_x, wide, columns) = down.tables.shape, across.tables.shape
    at = row // 2 - 1 + down.pad - down.lead, column // 2 - 1 + across.pad - across.lead
    cells = _windows(maps, owner, *at, (rows, columns))
    if kinds_y == kinds_x == 2:
        fine = np.empty((tall * wide, len(owner)), np.float32)
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            some = np.flatnonzero((row % 2 == y) & (column % 2 == x))
            fine[:, some] = np.kron(down.tables[y], across.tables[x]) @ cells[:, some]
        return fine.reshape(tall, wide, -1)
    near = np.ascontiguousarray(cells.T).reshape(-1, rows, columns)
    taps_y, taps_x = down.tables[row % kinds_y], across.tables[column % kinds_x]
    return np.ascontiguousarray((taps_y @ near @ taps_x.transpose(0, 2, 1)).transpose(1, 2, 0))
