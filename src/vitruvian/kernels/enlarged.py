"""Maps that are enlarged bilinearly, looked at only where it matters.

Cell c of a map lies over the grid points f c ... f c + f - 1 of the map enlarged f times, and grid
point g lies at cell (g + 0.5) / f - 0.5; beyond the outermost cells their values go on. Between
four cells the enlarged map grows along each axis towards one of them, so only the grid points next
to a cell's centre can be peaks: one for an odd factor, two on each axis for an even one.
"""

import numpy as np

_CHUNK = 1 << 16
"""Cells that are looked at together; bounds the memory when a whole map is above the floor."""


def enlarged_peaks(
    maps: np.ndarray, factor: int, radius: int, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points of the enlarged maps that nobody within ``radius`` tops.

    Of equal points the first in reading order is the peak.

    Args:
        maps: P h w float32, finite.
        factor: Grid points per cell.
        radius: Half the window, in grid points.
        floor: Peaks are above this.

    Returns:
        Of M peaks: the map (M), grid point (M 2: x, y), value (M), and the sign of the slope on
        both axes, +1 where the next point is higher than the one before (M 2).
    """
    cells = np.flatnonzero(maps > _least(maps, factor, floor))
    parts = [
        _peaks(maps, cells[start : start + _CHUNK], factor, radius, floor)
        for start in range(0, max(len(cells), 1), _CHUNK)
    ]
    owner, xy, value, slope = (np.concatenate(column) for column in zip(*parts, strict=True))
    return owner, xy, value, slope


def enlarged_at(
    maps: np.ndarray, factor: int, owner: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Values of enlarged maps P h w at grid points; ``owner``, ``x`` and ``y`` of one shape."""
    _, h, w = maps.shape
    left, right, across = _between(x, factor, w)
    above, below, down = _between(y, factor, h)
    top = maps[owner, above, left] * (1 - across) + maps[owner, above, right] * across
    low = maps[owner, below, left] * (1 - across) + maps[owner, below, right] * across
    value: np.ndarray = top * (1 - down) + low * down
    return value


def enlarged_blocks(
    maps: np.ndarray, factor: int, owner: np.ndarray, x: np.ndarray, y: np.ndarray, side: int
) -> np.ndarray:
    """A side side: values at the grid points from (x, y) on, of A blocks of enlarged maps P h w.

    ``x`` and ``y`` are multiples of ``factor``, and so is ``side``; beyond a map its edge goes on.
    """
    cells = side // factor
    place = (np.arange(side) + 0.5) / factor - 0.5
    weight = np.clip(1 - np.abs(place[:, None] - np.arange(-1, cells + 1)), 0, 1)
    near = _around(maps, owner, x // factor, y // factor, 1, cells)
    return _enlarge(near, weight.astype(np.float32))


def _least(maps: np.ndarray, factor: int, floor: float) -> float:
    """A cell below this has no peak above the floor among its grid points.

    With l the share of the neighbours cx, cy, cxy in the value next to the centre of cell c, a peak
    there is no lower than the same point across either border: cx + cy <= (2 (1 - l) c - 2 l cxy) /
    (1 - 2 l). That bounds the value (1 - l)^2 c + l (1 - l) (cx + cy) + l^2 cxy from above.
    """
    lean = _lean(factor)
    lowest = min(float(maps.min(initial=0.0)), 0.0)
    return (floor * (1 - 2 * lean) + lean**2 * lowest) / (1 - lean) ** 2


def _lean(factor: int) -> float:
    """Share of the next cell, on one axis, in the grid point nearest to a cell's centre."""
    return 0.0 if factor % 2 else 0.5 / factor


def _peaks(
    maps: np.ndarray, cells: np.ndarray, factor: int, radius: int, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """:func:`enlarged_peaks` among the points of some cells (positions in the flat array)."""
    _, h, w = maps.shape
    line, x = np.divmod(cells, w)
    owner, y = np.divmod(line, h)
    possible = _possible(_nine(maps, cells, x, y), factor)
    owner, x, y = owner[possible], x[possible], y[possible]
    first, count = ((factor - 1) // 2, 1) if factor % 2 else (factor // 2 - 1, 2)
    taps, reach = _taps(factor, first - radius, count + 2 * radius)
    fine = _enlarge(_around(maps, owner, x, y, reach, 1), taps)
    steps = np.arange(first - radius, first + count + radius)
    columns, rows = x[:, None] * factor + steps, y[:, None] * factor + steps
    # Beyond the outermost centres the map is level; its points there would tie with the peak.
    last_row, last_column = ((n - 1) * factor + first + count - 1 for n in (h, w))
    outside = ((rows < first) | (rows > last_row))[:, :, None]
    outside = outside | ((columns < first) | (columns > last_column))[:, None, :]
    inside = np.where(outside, -np.inf, fine)
    found = []
    for i in range(radius, radius + count):
        for j in range(radius, radius + count):
            window = inside[:, i - radius : i + radius + 1, j - radius : j + radius + 1]
            at = np.flatnonzero(_top(window.reshape(len(fine), (2 * radius + 1) ** 2), floor))
            near = fine[at]
            slope = np.stack(
                [near[:, i, j + 1] - near[:, i, j - 1], near[:, i + 1, j] - near[:, i - 1, j]], 1
            )
            xy = np.stack([columns[at, j], rows[at, i]], axis=1)
            found.append((owner[at], xy, near[:, i, j], np.sign(slope)))
    peaks = [np.concatenate(column) for column in zip(*found, strict=True)]
    return peaks[0], peaks[1], peaks[2], peaks[3]


def _nine(maps: np.ndarray, cells: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The 3 x 3 cells around M cells, row by row; beyond the border the outermost cell goes on."""
    _, h, w = maps.shape
    flat = maps.reshape(-1)
    rows = (cells - w * (y > 0), cells, cells + w * (y < h - 1))
    steps = (-(x > 0).astype(np.int64), 0, (x < w - 1).astype(np.int64))
    return [flat.take(row + step) for row in rows for step in steps]


def _possible(near: list[np.ndarray], factor: int) -> np.ndarray:
    """M: whether a point next to the middle of 3 x 3 cells (nine times M) can top those beside it.

    Along a row of the enlarged map the middle column must be highest, whichever row above or below
    the centre it is, and along a column the middle row; a little slack is for rounding.
    """
    lean = _lean(factor)
    middle = near[4] * (1 - lean + 1e-5)
    fits = []
    for before, after, corners in ((3, 5, (0, 2, 6, 8)), (1, 7, (0, 6, 2, 8))):
        # Moving to one side of the middle line and to the other; ``corners`` are that side's.
        one, other = (1, 7) if before == 3 else (3, 5)
        sides = []
        for across, (left, right) in ((one, corners[:2]), (other, corners[2:])):
            rival = np.maximum(
                (1 - lean) * near[before] + lean * near[left],
                (1 - lean) * near[after] + lean * near[right],
            )
            sides.append(middle + lean * near[across] >= rival)
        fits.append(sides[0] | sides[1])
    possible: np.ndarray = fits[0] & fits[1]
    return possible


def _top(window: np.ndarray, floor: float) -> np.ndarray:
    """M: the middle of each row of the windows M n is its first highest value, above the floor."""
    middle = window.shape[1] // 2
    value, zero = window[:, middle], -np.inf
    before = window[:, :middle].max(axis=1, initial=zero)
    after = window[:, middle + 1 :].max(axis=1, initial=zero)
    top: np.ndarray = (value > floor) & (value > before) & (value >= after)
    return top


def _taps(factor: int, first: int, count: int) -> tuple[np.ndarray, int]:
    """Weights of cells -reach … reach in ``count`` grid points from ``first`` on, and ``reach``.

    Grid points are counted from the first one of cell 0.
    """
    place = (np.arange(first, first + count) + 0.5) / factor - 0.5
    reach = int(np.ceil(np.abs(place).max()))
    cells = np.arange(-reach, reach + 1)
    weight = np.clip(1 - np.abs(place[:, None] - cells), 0, 1)
    return weight.astype(np.float32), reach


def _enlarge(near: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """M s s from M n n cells and s n weights."""
    count, n, _ = near.shape
    across = (near.reshape(-1, n) @ taps.T).reshape(count, n, len(taps))
    down = across.transpose(0, 2, 1).reshape(-1, n) @ taps.T
    fine: np.ndarray = down.reshape(count, len(taps), len(taps)).transpose(0, 2, 1)
    return fine


def _around(
    maps: np.ndarray, owner: np.ndarray, x: np.ndarray, y: np.ndarray, reach: int, side: int
) -> np.ndarray:
    """M n n cells from (x - reach, y - reach) to beyond ``side`` cells by as much.

    Beyond the border the outermost cell goes on.
    """
    _, h, w = maps.shape
    steps = np.arange(-reach, side + reach)
    columns = np.minimum(np.maximum(x[:, None] + steps, 0), w - 1)
    rows = np.minimum(np.maximum(y[:, None] + steps, 0), h - 1) * w + owner[:, None] * (h * w)
    near: np.ndarray = maps.reshape(-1).take(rows[:, :, None] + columns[:, None, :])
    return near


def _between(at: np.ndarray, factor: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells before and after grid points, and the share of the latter."""
    place = np.clip((at + 0.5) / factor - 0.5, 0, size - 1)
    before = place.astype(np.int64)
    share = (place - before).astype(np.float32)
    return before, np.minimum(before + 1, size - 1), share
