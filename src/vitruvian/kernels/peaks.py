"""Highest cell of a map, and where between the cells the peak is.

All functions take P maps at once (``maps`` P h w) and have no Python loop over P.
"""

from typing import Literal

import numpy as np

_SMALL_TAPS = {
    3: (1, 2, 1),
    5: (1, 4, 6, 4, 1),
    7: (2, 7, 14, 18, 14, 7, 2),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


def highest(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First highest cell of each map: P 2 int64 (x, y), and P its value."""
    flat = maps.reshape(len(maps), -1)
    index = flat.argmax(axis=1)
    xy = np.stack([index % maps.shape[2], index // maps.shape[2]], axis=1)
    return xy, flat[np.arange(len(flat)), index]


def quarter_step(maps: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """A quarter cell towards the higher neighbour on each axis, P 2 (Newell et al. 2016).

    As in HRNet, a peak stays in its cell within two cells of the first side or one of the last.
    """
    near = _around(maps, xy, 1)
    slope = np.stack([near[:, 1, 2] - near[:, 1, 0], near[:, 2, 1] - near[:, 0, 1]], axis=1)
    return np.where(_inside(maps, xy, 1), 0.25 * np.sign(slope), 0.0)


def dark_step(maps: np.ndarray, xy: np.ndarray, blur: int) -> np.ndarray:
    """Newton step on the logarithm of the blurred map, P 2 (Zhang et al. 2020, Eq. 8).

    Zero border, second differences over two cells; no step within two cells of a side.
    """
    log = np.log(np.maximum(_blurred(maps, xy, 2, blur, border="zero"), 1e-10))
    dx, dy = (log[:, 2, 3] - log[:, 2, 1]) / 2, (log[:, 3, 2] - log[:, 1, 2]) / 2
    dxx = (log[:, 2, 4] - 2 * log[:, 2, 2] + log[:, 2, 0]) / 4
    dyy = (log[:, 4, 2] - 2 * log[:, 2, 2] + log[:, 0, 2]) / 4
    dxy = (log[:, 3, 3] - log[:, 1, 3] - log[:, 3, 1] + log[:, 1, 1]) / 4
    return np.where(_inside(maps, xy, 2), _newton(dx, dy, dxx, dyy, dxy), 0.0)


def udp_step(maps: np.ndarray, xy: np.ndarray, blur: int) -> np.ndarray:
    """Newton step with differences over one cell, reflected border, P 2 (Huang et al. 2020)."""
    log = np.log(np.clip(_blurred(maps, xy, 1, blur, border="reflect"), 1e-3, 50))
    log = _repeat_edge(log, maps, xy)
    dx, dy = (log[:, 1, 2] - log[:, 1, 0]) / 2, (log[:, 2, 1] - log[:, 0, 1]) / 2
    centre = log[:, 1, 1]
    dxx = log[:, 1, 2] - 2 * centre + log[:, 1, 0]
    dyy = log[:, 2, 1] - 2 * centre + log[:, 0, 1]
    along = log[:, 2, 2] - log[:, 1, 2] - log[:, 2, 1] + centre
    against = centre - log[:, 1, 0] - log[:, 0, 1] + log[:, 0, 0]
    eps = np.finfo(np.float32).eps
    return _newton(dx, dy, dxx + eps, dyy + eps, (along + against) / 2)


def gaussian_taps(size: int) -> np.ndarray:
    """``size`` weights of a Gaussian with OpenCV's sigma for that size (tables up to 9)."""
    if size in _SMALL_TAPS:
        taps = np.array(_SMALL_TAPS[size], np.float64)
    else:
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
        taps = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return np.asarray(taps / taps.sum())


def smoothed(
    maps: np.ndarray, taps: np.ndarray, border: Literal["constant", "symmetric"] = "constant"
) -> np.ndarray:
    """P h w float64: maps convolved with symmetric ``taps`` on both axes.

    ``border`` is a mode of ``np.pad``: ``constant`` for zeros, ``symmetric`` as SciPy's filters.
    """
    reach, (_, h, w) = len(taps) // 2, maps.shape
    padded = np.pad(maps.astype(np.float64), ((0, 0), (reach, reach), (reach, reach)), mode=border)
    down = sum(tap * padded[:, i : i + h] for i, tap in enumerate(taps))
    across = sum(tap * down[:, :, i : i + w] for i, tap in enumerate(taps))
    return np.asarray(across)


def _inside(maps: np.ndarray, xy: np.ndarray, last: int) -> np.ndarray:
    """P 1: 1 < x < w - last and 1 < y < h - last."""
    bound = np.array([maps.shape[2], maps.shape[1]]) - last
    return np.asarray(((xy > 1) & (xy < bound)).all(axis=1, keepdims=True))


def _newton(
    dx: np.ndarray, dy: np.ndarray, dxx: np.ndarray, dyy: np.ndarray, dxy: np.ndarray
) -> np.ndarray:
    """-H^-1 g, P 2; zero where it does not exist or leads more than two cells away."""
    det = dxx * dyy - dxy**2
    safe = np.where(det == 0, np.nan, det)
    step = np.stack([(dxy * dy - dyy * dx) / safe, (dxy * dx - dxx * dy) / safe], axis=1)
    return np.where((np.abs(step) <= 2).all(axis=1, keepdims=True), step, 0.0)


def _blurred(
    maps: np.ndarray, xy: np.ndarray, radius: int, blur: int, *, border: str
) -> np.ndarray:
    """The (2 radius + 1)^2 cells around each point of the blurred maps; only those are computed."""
    taps, out = gaussian_taps(blur), 2 * radius + 1
    band = np.zeros((out, out + blur - 1))
    for row in range(out):
        band[row, row : row + blur] = taps
    near = _around(maps, xy, radius + blur // 2, border=border)
    return np.asarray(band @ near @ band.T)


def _around(
    maps: np.ndarray, xy: np.ndarray, radius: int, *, border: str = "reflect"
) -> np.ndarray:
    """P n n float64, the cells around each point; beyond the border zero or the mirror image."""
    reach = np.arange(-radius, radius + 1)
    cols, rows = xy[:, :1] + reach, xy[:, 1:] + reach
    in_cols, in_rows = _mirror(cols, maps.shape[2]), _mirror(rows, maps.shape[1])
    near: np.ndarray = maps[
        np.arange(len(maps))[:, None, None], in_rows[:, :, None], in_cols[:, None, :]
    ]
    near = near.astype(np.float64)
    if border == "zero":
        near *= (in_rows == rows)[:, :, None] & (in_cols == cols)[:, None, :]
    return near


def _mirror(index: np.ndarray, size: int) -> np.ndarray:
    """Reflect an index at the centres of the outermost cells."""
    period = max(2 * (size - 1), 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index) if size > 1 else index


def _repeat_edge(near: np.ndarray, maps: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """P 3 3 neighbourhoods in which cells beyond the border repeat the outermost cell."""
    reach = np.arange(-1, 2)
    cols = np.clip(xy[:, :1] + reach, 0, maps.shape[2] - 1) - xy[:, :1] + 1
    rows = np.clip(xy[:, 1:] + reach, 0, maps.shape[1] - 1) - xy[:, 1:] + 1
    out: np.ndarray = near[np.arange(len(near))[:, None, None], rows[:, :, None], cols[:, None, :]]
    return out


def local_maxima(field: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells of a field h w above ``floor`` that no neighbour tops."""
    padded = np.pad(field, 1, constant_values=-np.inf)
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    highest_near = np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:])
    rows, columns = np.nonzero((field >= highest_near) & (field > floor))
    return rows, columns
