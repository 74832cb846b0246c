"""How well vector fields agree with the segments between points (Cao et al. 2017, Eq. 10).

Most segments join joints of different people. The ends tell a part of them, the middle most: few
need all their samples.
"""

import numpy as np

from vitruvian.kernels.cubic import Axis, sample

_CHUNK = 1536
"""Segments that are looked at together; bounds the memory, and keeps it in the cache."""


def agreement(
    maps: np.ndarray,
    down: Axis,
    across: Axis,
    owner: np.ndarray,
    points: np.ndarray,
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
        maps: 2P h w float32, x and y of P fields; enlarged as the axes say.
        down: Axis of the h cells.
        across: Axis of the w cells.
        owner: Q; the field that each end is of.
        points: Q 2 int64; its grid point (x, y).
        start: M; the end that a segment begins at.
        stop: M; the one it ends at, of the same field.
        samples: Points on a segment, both ends among them.
        floor: See above.
        misses: See above.
        passing_only: Mean of the samples above the floor instead of all.

    Returns:
        Positions of the segments (N) and their means (N float32).
    """
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    both = np.stack([2 * owner, 2 * owner + 1])
    field = sample(maps, down, across, both, points[:, 0], points[:, 1])
    waves = _waves(samples)
    found, means = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for at in range(0, len(start), _CHUNK):
        a, b = start[at : at + _CHUNK], stop[at : at + _CHUNK]
        dx, dy = x.take(b) - x.take(a), y.take(b) - y.take(a)
        length = np.sqrt(dx * dx + dy * dy)
        along = np.stack([dx, dy]).astype(np.float32)
        along /= np.maximum(length, 1e-9)
        ends = [field[0].take(end) * along[0] + field[1].take(end) * along[1] for end in (a, b)]
        tally = _tally(ends, floor, passing_only)
        rows = np.flatnonzero((tally[0] <= misses) & (length > 0))
        tally = tally[:, rows]
        for wave in waves:
            line, step = a.take(rows), samples - 1
            across_x = np.rint(x.take(line) + wave * (dx.take(rows) / step)).astype(np.int64)
            down_y = np.rint(y.take(line) + wave * (dy.take(rows) / step)).astype(np.int64)
            which = np.tile(both[:, line], len(wave))
            values = sample(maps, down, across, which, across_x.reshape(-1), down_y.reshape(-1))
            values = values.reshape(2, len(wave), -1)
            ux, uy = along[:, rows]
            tally += _tally([*(values[0] * ux + values[1] * uy)], floor, passing_only)
            keep = np.flatnonzero(tally[0] <= misses)
            rows, tally = rows[keep], tally[:, keep]
        found.append(rows + at)
        means.append(tally[1] / np.maximum(tally[2], 1))
    return np.concatenate(found), np.concatenate(means)


def _tally(values: list[np.ndarray], floor: float, passing_only: bool) -> np.ndarray:
    """3 M float32: of a few samples, the number that miss, and sum and number of those that count.

    ``values`` are M per sample.
    """
    tally = np.zeros((3, len(values[0])), np.float32)
    for value in values:
        high = value > floor
        tally[0] += ~high
        tally[1] += value * high if passing_only else value
        tally[2] += high if passing_only else 1
    return tally


def _waves(samples: int) -> list[np.ndarray]:
    """The samples between the ends in the order in which they are looked at: S 1 each."""
    first, second = [samples // 2], [samples // 4, (3 * samples) // 4]
    waves, seen = [], {0, samples - 1}
    for wave in (first, second, range(samples)):
        fresh = [i for i in dict.fromkeys(wave) if i not in seen]
        seen |= {*fresh}
        if fresh:
            waves.append(np.array(fresh, np.float64)[:, None])
    return waves
