"""Grow people along fields that point from one keypoint to the next.

Kreiss, Bertoni and Alahi, "OpenPifPaf", T-ITS 2021, Sec. III. A joint is (confidence, x, y, scale)
in pixels, confidence 0 where there is none; a person is a list of K joints. Arrays would cost more
than they save here: a step looks at ten rows.
"""

import heapq
import math
from bisect import bisect_left, bisect_right

import numpy as np

Joint = tuple[float, float, float, float]
Person = list[Joint]
NOBODY: Joint = (0.0, 0.0, 0.0, 0.0)
FLOODED = 1e-5
"""Confidence of a joint that is given its neighbour's place."""

Links = list[list[tuple[int, list[float], list[list[float]], int]]]
"""For each keypoint, in the order of the limbs, where one gets from there: the other keypoint;
rows (number, x, y, confidence, x there, y there, scale there) sorted by x, with those x; and the
position of the way back in the other keypoint's list."""


def links(limbs: np.ndarray, owner: np.ndarray, rows: np.ndarray) -> Links:
    """Rows by where they start and where they lead.

    Args:
        limbs: E 2, keypoints.
        owner: M; e for a row from the first keypoint of limb e, E + e for one from the second.
        rows: M 6 (x, y, confidence, x there, y there, scale there); their order breaks ties.
    """
    order = np.lexsort((rows[:, 0], owner))
    table = np.column_stack([np.arange(len(rows)), rows])[order]
    cuts = np.searchsorted(owner[order], np.arange(2 * len(limbs) + 1)).tolist()
    listed, xs = table.tolist(), table[:, 1].tolist()
    made: Links = [[] for _ in range(int(limbs.max(initial=-1)) + 1)]
    for e, (a, b) in enumerate(limbs.tolist()):
        there, back = len(made[a]), len(made[b])
        for start, end, way, other in ((a, b, e, back), (b, a, e + len(limbs), there)):
            span = slice(cuts[way], cuts[way + 1])
            made[start].append((end, xs[span], listed[span], other))
    return made


def follow(xs: list[float], rows: list[list[float]], joint: Joint, reach: float) -> Joint | None:
    """The other end of the limb that starts at ``joint``: the two best rows blended.

    Args:
        xs: The rows' x, ascending.
        rows: See :data:`Links`.
        joint: Where the limb starts.
        reach: Rows count that start within this many half scales of the joint, on either axis.
    """
    _, x, y, scale = joint
    half = reach * max(scale, 0.5) / 2
    low, high = y - half, y + half
    span = rows[bisect_left(xs, x - half) : bisect_right(xs, x + half)]
    near = [row for row in span if low <= row[2] <= high]
    near.sort()  # by number, for rows that are equally good
    sharp, first, second = -2 / max(scale, 1e-6) ** 2, 0.0, 0.0
    best = other = None
    for row in near:
        dx, dy = row[1] - x, row[2] - y
        score = math.exp(sharp * (dx * dx + dy * dy)) * row[3]
        if score >= first:
            second, other, first, best = first, best, score, row
        elif score > second:
            second, other = score, row
    if best is None or first == 0:
        return None
    x1, y1, s1 = best[4:]
    if other is None or second < 0.01 or second < 0.5 * first:
        return 0.5 * first, x1, y1, s1
    x2, y2, s2 = other[4:]
    if math.hypot(x1 - x2, y1 - y2) > s1 / 2:
        return 0.5 * first, x1, y1, s1
    total = first + second
    a, b = first / total, second / total
    return 0.5 * total, a * x1 + b * x2, a * y1 + b * y2, a * s1 + b * s2


def grow(
    person: Person,
    ways: Links,
    *,
    least: float = 0.15,
    share: float = 0.5,
    reach: float = 1.0,
    reverse: bool = True,
) -> None:
    """Fill the joints of a person that can be reached from those it has, surest first.

    Args:
        person: Changed in place.
        ways: See :func:`links`.
        least: A joint of less confidence is not there,
        share: nor one with less than this share of the confidence of the joint it was reached from.
        reach: See :func:`follow`.
        reverse: The way back must end within a scale (sum of both axes) of where it started.
    """
    queue: list[tuple[float, int, int, Joint]] = []
    count = 0
    fresh = [start for start, joint in enumerate(person) if joint[0] > 0]
    while True:
        for start in fresh:
            joint = person[start]
            for end, xs, rows, back in ways[start]:
                if person[end][0] > 0 or not rows:
                    continue
                found = follow(xs, rows, joint, reach)
                if found is None:
                    continue
                v = math.sqrt(found[0] * joint[0])
                if v < least or v < share * joint[0]:
                    continue
                if reverse:
                    _, back_xs, back_rows, _ = ways[end][back]
                    home = follow(back_xs, back_rows, found, reach)
                    if home is None:
                        continue
                    if abs(home[1] - joint[1]) + abs(home[2] - joint[2]) > joint[3]:
                        continue
                count += 1
                heapq.heappush(queue, (-v, count, end, (v, *found[1:])))
        while queue and person[queue[0][2]][0] > 0:
            heapq.heappop(queue)
        if not queue:
            return
        _, _, end, joint = heapq.heappop(queue)
        person[end] = joint
        fresh = [end]


def complete(person: Person, ways: Links) -> None:
    """Give every joint a place: where the weakest evidence says, or else its neighbour's.

    Args:
        person: Changed in place.
        ways: See :func:`links`; rows of any confidence.
    """
    grow(person, ways, least=0.0, share=0.0, reach=4.0, reverse=False)
    queue: list[tuple[float, int, int]] = []
    for start, joint in enumerate(person):
        if joint[0] > 0:
            _queue_neighbours(queue, person, ways, start)
    while queue:
        _, start, end = _pop(queue)
        if person[end][0] == 0:
            person[end] = (FLOODED, *person[start][1:])
            _queue_neighbours(queue, person, ways, end)


def _queue_neighbours(
    queue: list[tuple[float, int, int]], person: Person, ways: Links, start: int
) -> None:
    for end, *_ in ways[start]:
        if person[end][0] == 0:
            _push(queue, (person[start][0], start, end))


class Taken:
    """Which places of K maps somebody's joints have, on a grid of half the resolution."""

    def __init__(self, keypoints: int, size: tuple[int, int]) -> None:
        self.rows, self.columns = size[0] // 2 + 1, size[1] // 2 + 1
        self.bytes = bytearray(keypoints * self.rows * self.columns)
        self.grid = np.frombuffer(self.bytes, np.uint8).reshape(keypoints, self.rows, -1)

    def places(self, owner: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """Positions in ``bytes`` of M points on the maps ``owner``."""
        column, row = np.clip(np.trunc(xy / 2), 0, (self.columns - 1, self.rows - 1)).T
        return np.asarray((owner * self.rows + row) * self.columns + column).astype(np.intp)

    def holds(self, owner: int, x: float, y: float) -> bool:
        """Whether the place of one point is taken."""
        row = min(max(int(y / 2), 0), self.rows - 1)
        column = min(max(int(x / 2), 0), self.columns - 1)
        return self.bytes[(owner * self.rows + row) * self.columns + column] > 0

    def take(self, owner: int, joint: Joint) -> None:
        """Mark the square of a joint: its scale, at least 4 pixels, to each side.

        At least one cell is marked, the nearest if the joint is outside.
        """
        _, x, y, scale = joint
        half = max(4.0, scale) / 2
        top = min(max(int(y / 2 - half), 0), self.rows - 1)
        left = min(max(int(x / 2 - half), 0), self.columns - 1)
        rows = slice(top, max(int(y / 2 + half), top + 1))
        columns = slice(left, max(int(x / 2 + half), left + 1))
        self.grid[owner, rows, columns] = 1


def suppress(
    people: list[Person], size: tuple[int, int], *, joint: float, person: float
) -> list[Person]:
    """Without joints that a better person has, without weak joints and weak people; best first.

    Args:
        people: K joints each.
        size: (H, W) in pixels.
        joint: A joint of no more confidence is nobody's.
        person: A person of less mean confidence is nobody.
    """
    if not people:
        return []
    taken = Taken(len(people[0]), size)
    kept = []
    for one in sorted(people, key=_score, reverse=True):
        left = list(one)
        for owner, (v, x, y, scale) in enumerate(one):
            if v > 0:
                if taken.holds(owner, x, y):
                    v *= 1e-5
                else:
                    taken.take(owner, one[owner])
                left[owner] = (v if v > joint else 0.0, x, y, scale)
        if _score(left) >= person:
            kept.append(left)
    return sorted(kept, key=_score, reverse=True)


def _score(person: Person) -> float:
    """Mean confidence."""
    return sum(joint[0] for joint in person) / len(person)


def _push(heap: list[tuple[float, int, int]], item: tuple[float, int, int]) -> None:
    """Add to a binary heap with the largest first value on top.

    ``heapq`` would put equal values in the order of what follows them; floods are full of equal
    values, and a textbook heap's order of those is the published one.
    """
    heap.append(item)
    at = len(heap) - 1
    while at > 0 and heap[(at - 1) // 2][0] < item[0]:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = item


def _pop(heap: list[tuple[float, int, int]]) -> tuple[float, int, int]:
    """Take the top: its hole sinks to a leaf, and the last item rises from there."""
    top, last = heap[0], heap.pop()
    count, at = len(heap), 0
    if not count:
        return top
    while 2 * at + 1 < count:
        child = 2 * at + 2
        if child == count or heap[child][0] < heap[child - 1][0]:
            child -= 1
        heap[at] = heap[child]
        at = child
    while at > 0 and heap[(at - 1) // 2][0] < last[0]:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = last
    return top
