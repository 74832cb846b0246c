"""From limbs to people: one-to-one limbs, best first, then people that grow limb by limb.

Li et al. 2020: a tree of limbs would do, but redundant limbs repair what one wrong or missing limb
breaks. A person that two limbs disagree on keeps the better limb.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True)
class Person:
    """Someone who is being assembled.

    Attributes:
        peaks: Peak of each keypoint, or -1.
        scores: Score of the limb that brought it, or -1.
        total: Sum of the peaks' and limbs' scores.
        count: Number of keypoints, as it was counted while the person grew.
        longest: Length of the longest limb, pixels.
    """

    peaks: list[int]
    scores: list[float]
    total: float = 0.0
    count: int = 0
    longest: float = 0.0


@dataclass(slots=True)
class Crowd:
    """Everyone so far, and who has which peak.

    Attributes:
        people: In the order of their first limbs; None where someone was merged into another.
        holders: Peak -> positions of the people who have it, ascending.
    """

    people: list[Person | None] = field(default_factory=list)
    holders: dict[int, list[int]] = field(default_factory=dict)

    def give(self, who: int, peak: int) -> None:
        """``who`` has ``peak`` from now on."""
        held = self.holders.setdefault(peak, [])
        if who not in held:
            held.append(who)
            held.sort()

    def take(self, who: int, peak: int) -> None:
        """``who`` no longer has ``peak``."""
        self.holders[peak].remove(who)


def one_to_one(limb: np.ndarray, ends: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Rows of the candidates to keep: best first, no peak twice in the same limb.

    Args:
        limb: M, ascending.
        ends: M 2, peaks at the ends.
        rank: M; of equal ones the first row comes first.

    Returns:
        Rows by limb, and within a limb best first.
    """
    order = np.lexsort((-rank, limb))
    count = int(ends.max(initial=-1)) + 1
    places = limb[order, None] * count + ends[order]
    taken = bytearray(count * (int(limb.max(initial=-1)) + 1))
    kept = []
    for row, (a, b) in zip(order.tolist(), places.tolist(), strict=True):
        if not (taken[a] or taken[b]):
            taken[a] = taken[b] = 1
            kept.append(row)
    return np.array(kept, np.int64)


def assemble(
    limb: np.ndarray,
    ends: np.ndarray,
    score: np.ndarray,
    length: np.ndarray,
    peak_score: np.ndarray,
    joints: np.ndarray,
    keypoints: int,
    *,
    stretch: float,
    tolerance: float,
) -> list[Person]:
    """People from limbs, in their order.

    Args:
        limb: M.
        ends: M 2, peaks.
        score: M.
        length: M, pixels.
        peak_score: One per peak.
        joints: E 2, keypoints at the ends of each limb.
        keypoints: Number of keypoints.
        stretch: A limb is at most this many times as long as the longest of the person.
        tolerance: Two people are one if a limb between them has this share of their worst limb's
            score.
    """
    crowd, worth = Crowd(), peak_score.tolist()
    joint_of = joints.tolist()
    rows = zip(limb.tolist(), ends.tolist(), score.tolist(), length.tolist(), strict=True)
    for e, (a, b), good, long in rows:
        met = sorted({*crowd.holders.get(a, ()), *crowd.holders.get(b, ())})
        if len(met) == 1:
            _extend(crowd, met[0], joint_of[e][1], b, good, long, worth, stretch)
        elif len(met) == 2:
            _merge(crowd, met[0], met[1], good, long, stretch, tolerance)
        elif not met:
            _begin(crowd, joint_of[e], (a, b), good, long, worth, keypoints)
    return [person for person in crowd.people if person is not None]


def _begin(
    crowd: Crowd,
    joint: list[int],
    ends: tuple[int, int],
    good: float,
    long: float,
    worth: list[float],
    keypoints: int,
) -> None:
    person = Person([-1] * keypoints, [-1.0] * keypoints, count=2, longest=long)
    person.total = worth[ends[0]] + worth[ends[1]] + good
    for k, peak in zip(joint, ends, strict=True):
        person.peaks[k], person.scores[k] = peak, good
        crowd.give(len(crowd.people), peak)
    crowd.people.append(person)


def _extend(
    crowd: Crowd,
    who: int,
    joint: int,
    peak: int,
    good: float,
    long: float,
    worth: list[float],
    stretch: float,
) -> None:
    """Someone has one end of the limb: its far end is new, or better, or known already."""
    person = crowd.people[who]
    assert person is not None
    held, fits = person.peaks[joint], stretch * person.longest > long
    if held < 0:
        if not fits:
            return
        person.count += 1
        person.total += worth[peak] + good
    elif held != peak:
        if person.scores[joint] >= good or not fits:
            return
        person.total += worth[peak] + good - worth[held] - person.scores[joint]
        crowd.take(who, held)
    elif person.scores[joint] <= good:
        person.total += good - person.scores[joint]
    else:
        return
    person.peaks[joint], person.scores[joint] = peak, good
    person.longest = max(person.longest, long)
    crowd.give(who, peak)


def _merge(
    crowd: Crowd,
    first: int,
    second: int,
    good: float,
    long: float,
    stretch: float,
    tolerance: float,
) -> None:
    """The limb joins two people: they are one if they share no keypoint and the limb is good."""
    one, other = crowd.people[first], crowd.people[second]
    assert one is not None
    assert other is not None
    if any(p >= 0 and q >= 0 for p, q in zip(one.peaks, other.peaks, strict=True)):
        return
    worst = min(s for s in (*one.scores, *other.scores) if s >= 0)
    if good < tolerance * worst or stretch * one.longest <= long:
        return
    for joint, peak in enumerate(other.peaks):
        if peak >= 0:
            one.peaks[joint], one.scores[joint] = peak, other.scores[joint]
            crowd.take(second, peak)
            crowd.give(first, peak)
    one.total += other.total + good
    one.count += other.count
    one.longest = max(one.longest, long)
    crowd.people[second] = None
