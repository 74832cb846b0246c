"""Grow people along fields that point from one keypoint to the next.

Kreiss, Bertoni and Alahi, "OpenPifPaf", T-ITS 2021, Sec. III. A joint is (confidence, x, y, scale)
in pixels, confidence 0 where there is none; a person is a list of K joints. Arrays would cost more
than they save here: a step looks at ten rows.
"""

import heapq
import math

import numpy as np

Joint = tuple[float, float, float, float]
Person = list[Joint]
NOBODY: Joint = (0.0, 0.0, 0.0, 0.0)
FLOODED = 1e-5
"""Confidence of a joint that is given its neighbour's place."""

Row = list[float]
"""Number, x, y, confidence, x there, y there, scale there."""

_SQUARE = 24.0
"""Side of the squares that rows are kept by, pixels."""


class Rows:
    """Rows of all ways, found by where they start; they become lists where somebody looks."""

    def __init__(self, way: np.ndarray, rows: np.ndarray) -> None:
        """Rows M 6 (all but the number) and the way M of each."""
        table = np.column_stack([np.arange(len(rows)), rows])
        place = np.floor(rows[:, :2] / _SQUARE).astype(np.int64)
        self.low = place.min(axis=0, initial=0).tolist()
        self.size = (place.max(axis=0, initial=0) + 1 - self.low).tolist()
        i, j = (place - self.low).T
        key = (way * self.size[1] + j) * self.size[0] + i
        order = np.argsort(key, kind="stable")
        self.table, key = table[order], key[order]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        ends = np.append(starts[1:], len(key))[: len(starts)]
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        self.spans = dict(zip(key[starts].tolist(), spans, strict=True))
        self.lists: dict[int, list[Row]] = {}

    def near(self, way: int, x: float, y: float, half: float) -> list[Row]:
        """Rows of a way that start within ``half`` of a point on either axis, by their number."""
        left, right, low, high = x - half, x + half, y - half, y + half
        (i0, j0), (columns, lines) = self.low, self.size
        first_i, last_i = int(left // _SQUARE) - i0, int(right // _SQUARE) - i0
        first_j, last_j = int(low // _SQUARE) - j0, int(high // _SQUARE) - j0
        if first_i < 0 or first_j < 0 or last_i >= columns or last_j >= lines:
            first_i, first_j = max(first_i, 0), max(first_j, 0)
            last_i, last_j = min(last_i, columns - 1), min(last_j, lines - 1)
        rows: list[Row] = []
        for j in range(first_j, last_j + 1):
            key = (way * lines + j) * columns
            for i in range(first_i, last_i + 1):
                rows += self.lists.get(key + i) or self._listed(key + i)
        found = [row for row in rows if left <= row[1] <= right and low <= row[2] <= high]
        if first_i < last_i or first_j < last_j:
            found.sort()
        return found

    def _listed(self, key: int) -> list[Row]:
        begin, end = self.spans.get(key, (0, 0))
        rows: list[Row] = self.table[begin:end].tolist()
        self.lists[key] = rows
        return rows


Links = list[list[tuple[int, Rows, int, int]]]
"""For each keypoint, in the order of the limbs, where one gets from there: the other keypoint; all
rows and the number of the way, -1 for one without any; the position of the way back in the other
keypoint's list."""


def links(limbs: np.ndarray, owner: np.ndarray, rows: np.ndarray) -> Links:
    """Rows by where they start and where they lead.

    Args:
        limbs: E 2, keypoints.
        owner: M; e for a row from the first keypoint of limb e, E + e for one from the second.
        rows: M 6 (x, y, confidence, x there, y there, scale there); their order breaks ties.
    """
    every = Rows(owner, rows)
    some = np.bincount(owner, minlength=2 * len(limbs)) > 0
    number = np.where(some, np.arange(2 * len(limbs)), -1).tolist()
    made: Links = [[] for _ in range(int(limbs.max(initial=-1)) + 1)]
    for e, (a, b) in enumerate(limbs.tolist()):
        there, back = len(made[a]), len(made[b])
        made[a].append((b, every, number[e], back))
        made[b].append((a, every, number[e + len(limbs)], there))
    return made


def follow(rows: Rows, way: int, joint: Joint, reach: float) -> Joint | None:
    """The other end of the limb that starts at ``joint``: the two best rows blended.

    Args:
        rows: Of all ways.
        way: The one that is followed.
        joint: Where the limb starts.
        reach: Rows count that start within this many half scales of the joint, on either axis.
    """
    _, x, y, scale = joint
    half = reach * max(scale, 0.5) / 2
    sharp, first, second = -2 / max(scale, 1e-6) ** 2, 0.0, 0.0
    best = other = None
    for row in rows.near(way, x, y, half):
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
            for end, rows, way, back in ways[start]:
                if person[end][0] > 0 or way < 0:
                    continue
                found = follow(rows, way, joint, reach)
                if found is None:
                    continue
                v = math.sqrt(found[0] * joint[0])
                if v < least or v < share * joint[0]:
                    continue
                if reverse:
                    home = follow(rows, ways[end][back][2], found, reach)
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
