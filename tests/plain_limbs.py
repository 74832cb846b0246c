"""SimplePose's grouping the plain way: whole maps enlarged, every pair of peaks in a loop."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from vitruvian.codecs.limbs import Limbs

FIGURE = np.array(
    [
        *([0, -40], [0, -25], [-15, -24], [-20, 0], [-18, 22], [15, -24], [22, -2], [20, 20]),
        *([-9, 25], [-10, 58], [-11, 90], [9, 25], [12, 57], [10, 91]),
        *([-4, -44], [4, -44], [-9, -41], [9, -41]),
    ],
    np.float32,
)
"""Somebody with the keypoints of ``body18``, 135 pixels high."""


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


def crowd(
    codec: Limbs, count: int, side: int, seed: int = 0, noise: float = 0.02
) -> dict[str, np.ndarray]:
    """Noisy targets of ``count`` people at random places and sizes in a square view."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.6, 1.2, (count, 1, 1))
    place = rng.uniform(60, side - 110, (count, 1, 2))
    xy = (place + scale * FIGURE + rng.normal(0, 2, (count, 18, 2))).astype(np.float32)
    targets = codec.encode(
        xy,
        np.full((count, 18), 2, np.uint8),
        (side, side),
        boxes=np.zeros((count, 4), np.float32),
        trust=np.ones((side, side), np.float32),
    )
    values = {name: target.value[None] for name, target in targets.items()}
    return {n: (v + rng.normal(0, noise, v.shape)).astype(np.float32) for n, v in values.items()}


def people(codec: Limbs, fields: dict[str, np.ndarray]) -> tuple[np.ndarray, list[Person]]:
    """Places and scores of the peaks, M 3, and the people made of them."""
    limb, heat = (_enlarged(fields[name][0], codec.stride) for name in ("limb", "heatmap"))
    peaks = [_peaks(plane, codec) for plane in heat]
    first = np.cumsum([0, *map(len, peaks)])
    found = []
    for e, (a, b) in enumerate(codec._ends.tolist()):
        for i, start in enumerate(peaks[a]):
            for j, stop in enumerate(peaks[b]):
                made = _limb(limb[e], start, stop, codec)
                if made:
                    found.append((e, first[a] + i, first[b] + j, *made))
    rows = np.array(found).reshape(-1, 6)
    ends = rows[:, 1:3].astype(np.int64)
    kept = one_to_one(rows[:, 0].astype(np.int64), ends, rows[:, 5])
    everything = np.concatenate([np.reshape(p, (-1, 3)) for p in peaks])
    assembled = assemble(
        rows[kept, 0].astype(np.int64),
        ends[kept],
        rows[kept, 3],
        rows[kept, 4],
        everything[:, 2],
        codec._ends,
        len(codec.skeleton),
        stretch=codec.stretch,
        tolerance=codec.tolerance,
    )
    return everything, assembled


def _enlarged(maps: np.ndarray, factor: int) -> np.ndarray:
    return np.stack(
        [cv2.resize(m, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) for m in maps]
    )


def _peaks(plane: np.ndarray, codec: Limbs) -> list[tuple[float, float, float]]:
    """x, y and score of each peak."""
    highest = cv2.dilate(plane, np.ones((3, 3), np.uint8))
    found, (h, w), r = [], plane.shape, codec.reach
    for y, x in np.argwhere((plane == highest) & (plane >= codec.floor)).tolist():
        if not (r <= x < w - r and r <= y < h - r):
            found.append((x, y, plane[y, x]))
            continue
        window = plane[y - r : y + r + 1, x - r : x + r + 1]
        down, across = np.mgrid[-r : r + 1, -r : r + 1]
        total = window.sum()
        found.append(
            (x + (window * across).sum() / total, y + (window * down).sum() / total, window.mean())
        )
    return found


def _limb(
    plane: np.ndarray, start: tuple[float, ...], stop: tuple[float, ...], codec: Limbs
) -> tuple[float, float, float] | None:
    """Score, length and rank, if the map supports it."""
    length = float(np.hypot(stop[0] - start[0], stop[1] - start[1]))
    if length == 0:
        return None
    count = min(round(length + 1), codec.samples)
    x, y = (np.rint(np.linspace(start[i], stop[i], count)).astype(int) for i in (0, 1))
    values = plane[y, x]
    score = float(values.mean() + min(0.5 * len(plane) / length - 1, 0))
    if (values > codec.limb_floor).sum() < codec.agree * count or score <= 0:
        return None
    return score, length, 0.5 * score + 0.25 * (start[2] + stop[2])


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
