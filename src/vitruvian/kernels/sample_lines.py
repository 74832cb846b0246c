"""How well a vector field agrees with the segments between points (Cao et al. 2017, Eq. 10).

Most segments join joints of different people. They fail at the ends or in the middle, so that few
need all their samples.
"""

import numpy as np

from vitruvian.kernels.cubic import Axis, sample

_CHUNK = 1 << 15
"""Segments that are looked at together."""


def agreement(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    *,
    samples: int,
    floor: float,
    misses: int,
    passing_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Segments of which at most ``misses`` samples are no higher than ``floor``, and their means.

    A sample is the field at the nearest grid point, projected on the segment's direction. Segments
    without length have none and fail.

    Args:
        maps: P h w complex64 (x + iy), padded; enlarged as the axes say.
        down: Axis of the h cells.
        across: Axis of the w cells.
        owner: M; the map of each segment.
        start: M 2 int64; grid points (x, y).
        stop: M 2 int64.
        samples: Points on a segment, both ends among them.
        floor: See above.
        misses: See above.
        passing_only: Mean of the samples above the floor instead of all.

    Returns:
        Positions of the segments (A) and their means (A float32).
    """
    parts = [
        _agreement(
            maps, down, across, owner[s], start[s], stop[s], samples, floor, misses, passing_only
        )
        for s in (slice(at, at + _CHUNK) for at in range(0, max(len(owner), 1), _CHUNK))
    ]
    kept = [rows + i * _CHUNK for i, (rows, _) in enumerate(parts)]
    return np.concatenate(kept), np.concatenate([means for _, means in parts])


def _agreement(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    samples: int,
    floor: float,
    misses: int,
    passing_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`agreement` of some segments."""
    step = (stop - start) / max(samples - 1, 1)
    length = np.hypot(step[:, 0], step[:, 1])
    rows = np.flatnonzero(length > 0)
    missed = np.zeros(len(rows), np.int64)
    total, count = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.int64)
    for wave in _waves(samples):
        place = start[rows] + step[rows] * wave[:, None, None]
        x, y = np.rint(place).astype(np.int64).transpose(2, 0, 1).reshape(2, -1)
        field = sample(maps, down, across, np.tile(owner[rows], len(wave)), x, y)
        along = (step[rows] / length[rows, None]).astype(np.float32)
        value = field.reshape(2, len(wave), -1)
        value = value[0] * along[:, 0] + value[1] * along[:, 1]
        high = value > floor
        missed += (~high).sum(axis=0)
        total += np.where(high, value, 0).sum(axis=0) if passing_only else value.sum(axis=0)
        count += high.sum(axis=0) if passing_only else len(wave)
        keep = np.flatnonzero(missed <= misses)
        rows, missed, total, count = rows[keep], missed[keep], total[keep], count[keep]
    return rows, total / np.maximum(count, 1)


def _waves(samples: int) -> list[np.ndarray]:
    """The samples in the order in which they are looked at: middle, thirds, the others."""
    order = [[samples // 2], [samples // 4, (3 * samples) // 4], range(samples)]
    seen: set[int] = set()
    waves = []
    for wave in order:
        fresh = [i for i in dict.fromkeys(wave) if i not in seen]
        seen |= {*fresh}
        waves.append(np.array(fresh, np.float64))
    return [wave for wave in waves if len(wave)]
