"""Sums on maps that are large and mostly empty: only the tiles that something falls on exist."""

from dataclasses import dataclass

import numpy as np

SIDE = 16
_SHIFT, _REST = 4, SIDE - 1
CHUNK = 1 << 15
"""Pixels that are worked on at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """P maps of H W pixels.

    Attributes:
        shape: (P, H, W).
        margin: Tiles around each map.
        index: Where the tile of each place begins in ``values``, P rows columns.
        values: Tiles one after the other, each row by row, float32; the first is empty.
    """

    shape: tuple[int, int, int]
    margin: int
    index: np.ndarray
    values: np.ndarray

    def at(self, owner: np.ndarray, xy: np.ndarray, outside: float) -> np.ndarray:
        """M values at the pixels nearest to the points ``xy`` (M 2) of the maps ``owner`` (M)."""
        pixel = np.floor(xy + 0.5)
        inside = np.asarray(((pixel >= 0) & (pixel < np.array(self.shape[:0:-1]))).all(axis=1))
        x, y = np.where(inside[:, None], pixel, 0).astype(np.int32).T + self.margin * SIDE
        tile = self.index[owner, y >> _SHIFT, x >> _SHIFT]
        return np.where(inside, self.values[tile + _within(x, y)], outside)


def bumps(
    owner: np.ndarray,
    xy: np.ndarray,
    sigma: np.ndarray,
    height: np.ndarray,
    shape: tuple[int, int, int],
) -> Tiles:
    """Sum, at most 1, of M Gaussian bumps that end at one sigma, on P maps.

    The Gaussian is (1 - d^2 / 16 sigma^2)^8 of the distance d; the pixel nearest to the centre gets
    all of the height.

    Args:
        owner: Map of each bump, M.
        xy: Centres, M 2, pixels.
        sigma: M, pixels.
        height: M.
        shape: (P, H, W) of the maps.
    """
    radius = np.floor(sigma + 0.5).astype(np.intp)
    centre = np.floor(xy + 0.5)
    reach = radius[:, None]
    met = ((centre >= -reach) & (centre < reach + np.array(shape[:0:-1]))).all(axis=1)
    owner, radius, sigma, height = owner[met], radius[met], sigma[met], height[met]
    part = (xy[met] - centre[met]).astype(np.float32)
    margin = (2 * int(radius.max(initial=0)) >> _SHIFT) + 1
    at = centre[met].astype(np.intp) + margin * SIDE
    pieces = [piece for r in np.unique(radius) for piece in _pieces(radius, int(r))]
    index = _allot(owner, at, radius, pieces, margin, shape)
    values = np.zeros(int(index.max(initial=0)) + SIDE * SIDE, np.float32)
    for rows in pieces:
        r = int(radius[rows[0]])
        weight = _bump(part[rows], sigma[rows], r) * height[rows, None, None].astype(np.float32)
        np.add.at(values, _places(index, owner[rows], at[rows], r).ravel(), weight.ravel())
    np.minimum(values, 1, out=values)
    return Tiles(shape=shape, margin=margin, index=index, values=values)


def _allot(
    owner: np.ndarray,
    at: np.ndarray,
    radius: np.ndarray,
    pieces: list[np.ndarray],
    margin: int,
    shape: tuple[int, int, int],
) -> np.ndarray:
    """Where the tile of each place begins: only those that a bump meets get one."""
    rows, columns = (((side - 1) >> _SHIFT) + 1 + 2 * margin for side in shape[1:])
    met = np.zeros((shape[0], rows, columns), bool)
    for piece in pieces:
        r = int(radius[piece[0]])
        steps = np.append(np.arange(-r, r, SIDE), r)
        x, y = (at[piece, axis, None] + steps >> _SHIFT for axis in (0, 1))
        met[owner[piece, None, None], y[:, :, None], x[:, None, :]] = True
    index = np.zeros(met.shape, np.intp)
    index[met] = np.arange(1, np.count_nonzero(met) + 1) * SIDE * SIDE
    return index


def _pieces(radii: np.ndarray, radius: int) -> list[np.ndarray]:
    """Runs of the bumps of one radius that hold about ``CHUNK`` pixels together."""
    rows = np.flatnonzero(radii == radius)
    step = max(1, CHUNK // (2 * radius + 1) ** 2)
    return [rows[i : i + step] for i in range(0, len(rows), step)]


def _bump(part: np.ndarray, sigma: np.ndarray, radius: int) -> np.ndarray:
    """G n n float32: bumps on the pixels around their nearest ones; ``part`` G 2 is the rest."""
    steps = np.arange(-radius, radius + 1, dtype=np.float32)
    across, down = (np.square(steps - part[:, axis, None]) for axis in (0, 1))
    d2 = down[:, :, None] + across[:, None, :]
    variance = np.square(sigma)[:, None, None]
    weight = 1 - d2 * (1 / (16 * variance)).astype(np.float32)
    for _ in range(3):
        np.square(weight, out=weight)
    weight *= d2 <= variance.astype(np.float32)
    weight[(np.abs(part) < 0.5).all(axis=1), radius, radius] = 1
    return np.asarray(weight)


def _places(index: np.ndarray, owner: np.ndarray, at: np.ndarray, radius: int) -> np.ndarray:
    """G n n int32: positions in ``Tiles.values`` of the pixels around ``at`` (G 2)."""
    _, rows, columns = index.shape
    steps = np.arange(-radius, radius + 1)
    x, y = (at[:, axis, None] + steps for axis in (0, 1))
    row = (owner[:, None] * rows + (y >> _SHIFT)) * columns
    place = index.ravel().take(row[:, :, None] + (x >> _SHIFT)[:, None, :])
    place += ((y & _REST) << _SHIFT)[:, :, None]
    place += (x & _REST)[:, None, :]
    return np.asarray(place)


def _within(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Position of a pixel in its tile."""
    return np.asarray(((y & _REST) << _SHIFT) + (x & _REST))
