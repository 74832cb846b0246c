"""Grow people along rows that point from one keypoint to the next.

Kreiss, Bertoni and Alahi, "OpenPifPaf", T-ITS 2021, Sec. III. A joint is (confidence, x, y, scale)
in pixels, confidence 0 where there is none; a person is K joints.
"""

import math

import numpy as np
from numba import njit

from vitruvian.kernels.squares import sort_squares

FLOODED = 1e-5
"""Confidence of a joint that is given its neighbour's place."""

Joint = tuple[float, float, float, float]

Ways = tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]
"""R rows (x, y, confidence, x there, y there, scale there), the squares they start in, see
``Squares``, and R numbers to work with. The rows of way e lead along limb e, those of way E + e
back."""


def ways(owner: np.ndarray, rows: np.ndarray, shape: tuple[int, int, int]) -> Ways:
    """Rows R 6 of the ways ``owner`` (R int32); shape (2E, H, W). Their order breaks ties."""
    return rows, *sort_squares(owner, rows[:, :2], shape), np.empty(len(rows), np.int32)


def nobody(shape: tuple[int, int, int]) -> np.ndarray:
    """Whether somebody's joint is at each place of K H W maps: a grid of half the resolution."""
    return np.zeros((shape[0], shape[1] // 2 + 1, shape[2] // 2 + 1), np.bool_)


@njit(cache=True, nogil=True)
def people(
    owner: np.ndarray,
    seeds: np.ndarray,
    taken: np.ndarray,
    limbs: np.ndarray,
    least: float,
    share: float,
    rows: Ways,
) -> np.ndarray:
    """N K 4: grown from each seed, one after the other, that nobody has yet.

    Args:
        owner: Keypoint of each seed, M.
        seeds: M 4, joints.
        taken: To work with, see :func:`nobody`; left as it was.
        limbs: E 2, keypoints.
        least: See :func:`grow`, as is
        share: this.
        rows: See :func:`ways`.
    """
    found, count = np.zeros((16, len(taken), 4)), 0
    for n in range(len(seeds)):
        if holds(taken, owner[n], seeds[n]):
            continue
        if count == len(found):
            found = np.concatenate((found, np.zeros_like(found)))
        person = found[count]
        count += 1
        person[owner[n]] = seeds[n]
        grow(person, limbs, least, share, 1.0, True, rows)
        _take_all(taken, person, True)
    for person in found[:count]:
        _take_all(taken, person, False)
    return found[:count]


@njit(cache=True, nogil=True)
def _take_all(taken: np.ndarray, person: np.ndarray, value: bool) -> None:
    for k in range(len(person)):
        if person[k, 0] > 0:
            take(taken, k, person[k], value)


@njit(cache=True, nogil=True)
def holds(taken: np.ndarray, owner: int, joint: np.ndarray) -> bool:
    """Whether the place of a joint is taken; those outside have the nearest one."""
    _, rows, columns = taken.shape
    row, column = min(max(int(joint[2] / 2), 0), rows - 1), int(joint[1] / 2)
    return bool(taken[owner, row, min(max(column, 0), columns - 1)])


@njit(cache=True, nogil=True)
def take(taken: np.ndarray, owner: int, joint: np.ndarray, value: bool) -> None:
    """Mark the square of a joint: its scale, at least 4 pixels, to each side.

    At least one place is marked, the nearest if the joint is outside.
    """
    _, rows, columns = taken.shape
    x, y, half = joint[1] / 2, joint[2] / 2, max(4.0, joint[3]) / 2
    top, left = min(max(int(y - half), 0), rows - 1), min(max(int(x - half), 0), columns - 1)
    taken[owner, top : max(int(y + half), top + 1), left : max(int(x + half), left + 1)] = value


def suppress(people: np.ndarray, taken: np.ndarray, *, joint: float, person: float) -> np.ndarray:
    """N K 4: without joints that a better person has, weak joints and weak people; best first.

    Args:
        people: N K 4.
        taken: See :func:`nobody`; changed in place.
        joint: A joint of no more confidence is nobody's.
        person: A person of less mean confidence is nobody.
    """
    left = people[_best_first(people)]
    _suppress(left, taken)
    left[left[:, :, 0] <= joint, 0] = 0
    left = left[left[:, :, 0].mean(axis=1) >= person]
    return np.asarray(left[_best_first(left)])


def _best_first(people: np.ndarray) -> np.ndarray:
    return np.argsort(-people[:, :, 0].mean(axis=1), kind="stable")


@njit(cache=True, nogil=True)
def _suppress(people: np.ndarray, taken: np.ndarray) -> None:
    for person in people:
        for k in range(len(person)):
            if person[k, 0] > 0:
                if holds(taken, k, person[k]):
                    person[k, 0] *= 1e-5
                else:
                    take(taken, k, person[k], True)


@njit(cache=True, nogil=True)
def grow(
    person: np.ndarray,
    limbs: np.ndarray,
    least: float,
    share: float,
    reach: float,
    reverse: bool,
    rows: Ways,
) -> None:
    """Fill the joints of a person that can be reached from those it has, surest first.

    Args:
        person: K 4, changed in place.
        limbs: E 2, keypoints.
        least: A joint of less confidence is not there,
        share: nor one with less than this share of the confidence of the joint it was reached from.
        reach: See :func:`follow`.
        reverse: The way back must end within a scale (sum of both axes) of where it started.
        rows: See :func:`ways`.
    """
    hoped = np.zeros((len(person), 4))  # the surest way to each joint so far
    since = np.zeros(len(person), np.int64)
    fresh, count = np.flatnonzero(person[:, 0] > 0), 0
    while len(fresh):
        for start in fresh:
            joint = person[start]
            for e in range(len(limbs)):
                side = 0 if limbs[e, 0] == start else 1
                end = limbs[e, 1 - side]
                if limbs[e, side] != start or person[end, 0] > 0:
                    continue
                far = follow(e + side * len(limbs), joint, reach, rows)
                v = math.sqrt(far[0] * joint[0])
                if v <= hoped[end, 0] or v < least or v < share * joint[0]:
                    continue
                if reverse:
                    home = follow(e + (1 - side) * len(limbs), far, reach, rows)
                    gap = abs(home[1] - joint[1]) + abs(home[2] - joint[2])
                    if home[0] == 0 or gap > joint[3]:
                        continue
                count += 1
                since[end] = count
                hoped[end, 0] = v
                hoped[end, 1:] = far[1:]
        best = -1
        for k in range(len(person)):
            if person[k, 0] > 0 or hoped[k, 0] == 0:
                continue
            if best < 0 or (hoped[k, 0], -since[k]) > (hoped[best, 0], -since[best]):
                best = k
        fresh = fresh[:0]
        if best >= 0:
            person[best] = hoped[best]
            fresh = np.array([best])


@njit(cache=True, nogil=True)
def follow(way: int, joint: Joint, reach: float, table: Ways) -> Joint:
    """The other end of the limb that starts at ``joint``: the two best rows blended.

    Args:
        way: The one that is followed.
        joint: Where the limb starts.
        reach: Rows count that start within this many half scales of the joint, on either axis.
        table: See :func:`ways`.
    """
    rows, _, _, _, near = table
    x, y, scale = joint[1], joint[2], joint[3]
    count = _near(way, x, y, reach * max(scale, 0.5) / 2, table)
    sharp, first, second = -2 / max(scale, 1e-6) ** 2, 0.0, 0.0
    best = other = -1
    for n in near[:count]:
        dx, dy = rows[n, 0] - x, rows[n, 1] - y
        score = math.exp(sharp * (dx * dx + dy * dy)) * rows[n, 2]
        if score >= first:
            second, other, first, best = first, best, score, n
        elif score > second:
            second, other = score, n
    if best < 0:
        return 0.0, 0.0, 0.0, 0.0
    x1, y1, s1 = rows[best, 3], rows[best, 4], rows[best, 5]
    if other < 0 or second < 0.01 or second < 0.5 * first:
        return 0.5 * first, x1, y1, s1
    x2, y2, s2 = rows[other, 3], rows[other, 4], rows[other, 5]
    if math.hypot(x1 - x2, y1 - y2) > s1 / 2:
        return 0.5 * first, x1, y1, s1
    total = first + second
    a, b = first / total, second / total
    return 0.5 * total, a * x1 + b * x2, a * y1 + b * y2, a * s1 + b * s2


@njit(cache=True, nogil=True)
def _near(way: int, x: float, y: float, half: float, table: Ways) -> int:
    """How many rows start within ``half`` of a point on either axis; ``near`` has their numbers."""
    rows, starts, order, side, near = table
    _, lines, columns = starts.shape
    flat = starts.reshape(-1)
    first, last = _square(x - half, side, columns), _square(x + half, side, columns)
    top, bottom = _square(y - half, side, lines), _square(y + half, side, lines)
    count = 0
    for j in range(top, bottom + 1):
        line = (way * lines + j) * columns
        for n in order[flat[line + first] : flat[line + last + 1]]:
            if abs(rows[n, 0] - x) <= half and abs(rows[n, 1] - y) <= half:
                near[count] = n
                count += 1
    if first < last or top < bottom:
        near[:count].sort()
    return count


@njit(cache=True, nogil=True)
def _square(place: float, side: float, count: int) -> int:
    """Which of ``count`` squares along one axis holds a place."""
    return min(max(int(place / side), 0), count - 1)


@njit(cache=True, nogil=True)
def complete(people: np.ndarray, limbs: np.ndarray, weak: Ways) -> None:
    """Give every joint a place: where the weakest evidence says, or else its neighbour's.

    Args:
        people: N K 4, changed in place.
        limbs: E 2, keypoints.
        weak: See :func:`ways`; rows of any confidence.
    """
    heap, edge = np.empty(2 * len(limbs)), np.empty((2 * len(limbs), 2), np.int64)
    for person in people:
        grow(person, limbs, 0.0, 0.0, 4.0, False, weak)
        count = 0
        for start in range(len(person)):
            if person[start, 0] > 0:
                count = _push_neighbours(heap, edge, count, person, limbs, start)
        while count:
            start, end = edge[0, 0], edge[0, 1]
            count -= 1
            pop(heap, edge, count)
            if person[end, 0] == 0:
                person[end, 0] = FLOODED
                person[end, 1:] = person[start, 1:]
                count = _push_neighbours(heap, edge, count, person, limbs, end)


@njit(cache=True, nogil=True)
def _push_neighbours(
    heap: np.ndarray,
    edge: np.ndarray,
    count: int,
    person: np.ndarray,
    limbs: np.ndarray,
    start: int,
) -> int:
    for e in range(len(limbs)):
        side = 0 if limbs[e, 0] == start else 1
        end = limbs[e, 1 - side]
        if limbs[e, side] == start and person[end, 0] == 0:
            push(heap, edge, count, person[start, 0], start, end)
            count += 1
    return count


@njit(cache=True, nogil=True)
def push(
    heap: np.ndarray, edge: np.ndarray, count: int, value: float, start: int, end: int
) -> None:
    """Add to a binary heap of ``count`` values with the largest on top.

    ``heapq`` would put equal values in the order of what follows them; floods are full of equal
    values, and a textbook heap's order of those is the published one.
    """
    at = count
    while at > 0 and heap[(at - 1) // 2] < value:
        heap[at], edge[at] = heap[(at - 1) // 2], edge[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at], edge[at, 0], edge[at, 1] = value, start, end


@njit(cache=True, nogil=True)
def pop(heap: np.ndarray, edge: np.ndarray, count: int) -> None:
    """Drop the top: its hole sinks to a leaf, and the last value rises from there.

    ``count`` are left.
    """
    at = 0
    while 2 * at + 1 < count:
        child = 2 * at + 2
        if child == count or heap[child] < heap[child - 1]:
            child -= 1
        heap[at], edge[at] = heap[child], edge[child]
        at = child
    push(heap, edge, at, heap[count], edge[count, 0], edge[count, 1])
