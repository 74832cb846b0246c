"""People from peaks and the offsets between them (Papandreou et al. 2018, Sec. 3.2).

The surest peak proposes places of its neighbours in the body; each is the nearest free peak there,
and proposes in turn.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def group(
    owner: np.ndarray,
    peaks: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    edges: np.ndarray,
    short: np.ndarray,
    mid: np.ndarray,
    stride: int,
    refine: int,
    same: float,
    reach: float,
) -> np.ndarray:
    """N K int64, peaks of each person; -1 is absent.

    Args:
        owner: Keypoint of each peak, M, ascending.
        peaks: M 2 pixels.
        order: M, the surest first.
        starts: K + 1, first peak of each keypoint.
        edges: 2E 2, from which keypoint to which each mid offset leads.
        short: 2K h w, pixels.
        mid: 4E h w, pixels.
        stride: Pixels per cell.
        refine: How often the end of a mid offset is moved by the short offset there.
        same: A peak this near to the same keypoint of a person starts nobody.
        reach: A proposal takes the nearest peak within so many pixels.
    """
    free, joined = np.ones(len(owner), np.bool_), np.zeros(len(owner), np.bool_)
    people = np.full((len(owner), len(starts) - 1), -1, np.int32)
    queue, count = np.empty(len(starts) - 1, np.int32), 0
    for peak in order:
        if not free[peak]:
            continue
        free[peak] = False
        k = owner[peak]
        if _nearest(peaks, peaks[peak], starts[k], starts[k + 1], joined, same) >= 0:
            continue
        person = people[count]
        count += 1
        person[k], queue[0], known, done = peak, k, 1, 0
        while done < known:
            start = queue[done]
            done += 1
            for e in range(len(edges)):
                goal = edges[e, 1]
                if edges[e, 0] != start or person[goal] >= 0:
                    continue
                end = _end(peaks[person[start]], e, goal, short, mid, stride, refine)
                other = _nearest(peaks, end, starts[goal], starts[goal + 1], free, reach)
                if other >= 0:
                    person[goal], free[other], queue[known] = other, False, goal
                    known += 1
        for k in queue[:known]:
            joined[person[k]] = True
    return people[:count]


@njit(cache=True, nogil=True)
def _nearest(
    peaks: np.ndarray,
    at: tuple[float, float],
    first: int,
    last: int,
    wanted: np.ndarray,
    reach: float,
) -> int:
    """The peak nearest to a place among some, or -1; the first of those as near."""
    found, least = -1, math.inf
    for n in range(first, last):
        if wanted[n]:
            gap = math.hypot(at[0] - peaks[n, 0], at[1] - peaks[n, 1])
            if gap <= reach and gap < least:
                found, least = n, gap
    return found


@njit(cache=True, nogil=True)
def _end(
    at: np.ndarray,
    edge: int,
    goal: int,
    short: np.ndarray,
    mid: np.ndarray,
    stride: int,
    refine: int,
) -> tuple[float, float]:
    """Where the mid offset from a peak leads."""
    x, y = at[0], at[1]
    x, y = (
        x + sample(mid[2 * edge], x / stride, y / stride),
        y + sample(mid[2 * edge + 1], x / stride, y / stride),
    )
    for _ in range(refine):
        x, y = (
            x + sample(short[2 * goal], x / stride, y / stride),
            y + sample(short[2 * goal + 1], x / stride, y / stride),
        )
    return x, y


@njit(cache=True, nogil=True)
def sample(field: np.ndarray, x: float, y: float) -> float:
    """A field h w interpolated at a point in cells; outside the border goes on."""
    h, w = field.shape
    x, y = min(max(x, 0.0), w - 1.0), min(max(y, 0.0), h - 1.0)
    left, top = int(x), int(y)
    right, below = min(left + 1, w - 1), min(top + 1, h - 1)
    u, v = x - left, y - top
    high = field[top, left] * (1 - u) + field[top, right] * u
    low = field[below, left] * (1 - u) + field[below, right] * u
    return float(high * (1 - v) + low * v)


@njit(cache=True, nogil=True)
def doubles(people: np.ndarray, peaks: np.ndarray, same: float) -> np.ndarray:
    """N K bool: a better person, one before, has that keypoint as near as ``same``.

    Args:
        people: N K, see :func:`group`; best first.
        peaks: M 2 pixels.
        same: Pixels.
    """
    found = np.zeros(people.shape, np.bool_)
    for n in range(len(people)):
        for k in range(people.shape[1]):
            mine = people[n, k]
            for better in range(n if mine >= 0 else 0):
                other = people[better, k]
                if other >= 0 and not found[n, k]:
                    x, y = peaks[mine, 0] - peaks[other, 0], peaks[mine, 1] - peaks[other, 1]
                    found[n, k] = math.hypot(x, y) <= same
    return found
