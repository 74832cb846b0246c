"""From scored connections of peaks to people: greedy matching per limb, then assembly.

Cao et al. 2017, section 2.4: of a limb's candidates the best come first and no peak is used twice;
limbs that share a peak belong to one person. Few items are left by then, so these are plain loops.
"""

from dataclasses import dataclass, field

import numpy as np

Connection = tuple[int, int, float]
"""First peak, second peak, score."""


@dataclass(slots=True, kw_only=True)
class People:
    """People under construction.

    Attributes:
        parts: Of each person the peak of each keypoint, -1 for none.
        total: Of each person the sum of the scores of peaks and connections.
        count: Of each person the number of peaks that were added.
        gone: People that were merged into others.
        owners: Of each peak the people it belongs to.
    """

    keypoints: int
    scores: list[float]
    parts: list[list[int]] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    owners: dict[int, list[int]] = field(default_factory=dict)

    def new(self) -> int:
        """Somebody without peaks."""
        self.parts.append([-1] * self.keypoints)
        self.total.append(0.0)
        self.count.append(0)
        return len(self.parts) - 1

    def give(self, person: int, keypoint: int, peak: int) -> None:
        """Set a keypoint; the peak that was there is nobody's."""
        before = self.parts[person][keypoint]
        if before >= 0:
            self.owners[before].remove(person)
        self.parts[person][keypoint] = peak
        self.owners.setdefault(peak, []).append(person)

    def add(self, person: int, keypoint: int, peak: int, score: float) -> None:
        """Set a keypoint, and count it with its peak's score and ``score``."""
        self.give(person, keypoint, peak)
        self.total[person] += self.scores[peak] + score
        self.count[person] += 1

    def merge(self, first: int, second: int, score: float) -> None:
        """Make ``second``, who shares no keypoint with ``first``, a part of ``first``."""
        for keypoint, peak in enumerate(self.parts[second]):
            if peak >= 0:
                self.owners[peak].remove(second)
                self.give(first, keypoint, peak)
        self.total[first] += self.total[second] + score
        self.count[first] += self.count[second]
        self.gone.add(second)

    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Peaks N K int64, totals N float64 and counts N int64 of those who are left."""
        rows = [i for i in range(len(self.parts)) if i not in self.gone]
        return (
            np.array([self.parts[i] for i in rows], np.int64).reshape(-1, self.keypoints),
            np.array([self.total[i] for i in rows], np.float64),
            np.array([self.count[i] for i in rows], np.int64),
        )


def greedy(
    limb: np.ndarray, first: np.ndarray, second: np.ndarray, score: np.ndarray, limbs: int
) -> list[list[Connection]]:
    """Connections of each limb, best first, no peak twice.

    Args:
        limb: M; which limb a candidate is of.
        first: M; its first peak.
        second: M; its second peak.
        score: M; of equal ones the first comes first.
        limbs: Number of limbs.
    """
    order = np.lexsort((-score, limb))
    count = 1 + int(max(first.max(initial=-1), second.max(initial=-1)))
    ends = (limb * count + end for end in (first, second))
    columns = (a[order].tolist() for a in (limb, first, second, score, *ends))
    found: list[list[Connection]] = [[] for _ in range(limbs)]
    used = bytearray(limbs * count)
    for e, i, j, s, a, b in zip(*columns, strict=True):
        if not (used[a] or used[b]):
            used[a] = used[b] = 1
            found[e].append((i, j, s))
    return found


def merge(
    people: People,
    limb: tuple[int, int],
    connections: list[Connection],
    *,
    new: bool,
    faithful: bool,
) -> None:
    """Add a limb's connections; one between two people without a common keypoint unites them.

    Args:
        people: Changed in place.
        limb: The two keypoints.
        connections: From :func:`greedy`.
        new: Whether a connection of nobody's peaks is somebody.
        faithful: A connection to somebody who has another such keypoint replaces it, as in the
            published code, and counts again; else it is left out.
    """
    a, b = limb
    for i, j, score in connections:
        found = sorted({*people.owners.get(i, ()), *people.owners.get(j, ())})
        if not found:
            if new:
                person = people.new()
                people.add(person, a, i, 0.0)
                people.add(person, b, j, score)
            continue
        parts = people.parts[found[0]]
        if len(found) > 1 and _disjoint(parts, people.parts[found[1]]):
            people.merge(found[0], found[1], score)
        elif faithful:
            if parts[b] != j:
                people.add(found[0], b, j, score)
        elif len(found) == 1:
            for keypoint, peak in ((a, i), (b, j)):
                if parts[keypoint] < 0:
                    people.add(found[0], keypoint, peak, score)


def extend(
    people: People, limb: tuple[int, int], connections: list[Connection], *, new: bool, first: bool
) -> None:
    """Add a limb's connections to whoever has the first peak (Osokin 2019); nobody is united.

    Args:
        people: Changed in place.
        limb: The two keypoints.
        connections: From :func:`greedy`.
        new: Whether a connection of nobody's peak is somebody. If not, the limb only fills in
            keypoints, which do not count.
        first: This is the first limb: everybody is new.
    """
    a, b = limb
    for i, j, score in connections:
        if not new:
            for keypoint, peak, other in ((b, j, i), (a, i, j)):
                for person in people.owners.get(other, ()):
                    if people.parts[person][keypoint] < 0:
                        people.give(person, keypoint, peak)
            continue
        owners = [] if first else list(people.owners.get(i, ()))
        for person in owners:
            people.add(person, b, j, score)
        if not owners:
            person = people.new()
            people.add(person, a, i, 0.0)
            people.add(person, b, j, score)


def _disjoint(first: list[int], second: list[int]) -> bool:
    return all(i < 0 or j < 0 for i, j in zip(first, second, strict=True))
