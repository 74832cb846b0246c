"""From limbs to people: one-to-one limbs, best first, then people that grow limb by limb.

Li et al. 2020: a tree of limbs would do, but redundant limbs repair what one wrong or missing limb
breaks. A person that two limbs disagree on keeps the better limb. Compiled by numba.
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class People(NamedTuple):
    """Those who are being assembled.

    Attributes:
        peaks: N K; peak of each keypoint, or -1.
        scores: N K; score of the limb that brought it, or -1.
        total: N; sum of the peaks' and limbs' scores.
        number: N; number of keypoints, as it was counted while the person grew; 0 for somebody who
            was merged into another.
        longest: N; length of the longest limb, pixels.
    """

    peaks: np.ndarray
    scores: np.ndarray
    total: np.ndarray
    number: np.ndarray
    longest: np.ndarray


@njit(cache=True, nogil=True)
def one_to_one(limb: np.ndarray, ends: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Rows of the candidates to keep: best first, no peak twice in the same limb.

    Args:
        limb: M, ascending.
        ends: M 2, peaks at the ends.
        rank: M; of equal ones the first row comes first.

    Returns:
        Rows by limb, and within a limb best first.
    """
    taken = np.full(ends.max() + 1 if len(ends) else 0, -1)
    kept, count, begin = np.empty(len(limb), np.int64), 0, 0
    while begin < len(limb):
        end = np.searchsorted(limb, limb[begin], side="right")
        for row in begin + np.argsort(-rank[begin:end], kind="mergesort"):
            a, b = ends[row]
            if taken[a] != limb[row] and taken[b] != limb[row]:
                taken[a] = taken[b] = limb[row]
                kept[count] = row
                count += 1
        begin = end
    return kept[:count]


@njit(cache=True, nogil=True)
def assemble(
    limb: np.ndarray,
    ends: np.ndarray,
    score: np.ndarray,
    length: np.ndarray,
    worth: np.ndarray,
    joints: np.ndarray,
    keypoints: int,
    stretch: float,
    tolerance: float,
) -> People:
    """People from limbs, in their order.

    Args:
        limb: M.
        ends: M 2, peaks.
        score: M.
        length: M, pixels.
        worth: One per peak, its score.
        joints: E 2, keypoints at the ends of each limb.
        keypoints: Number of keypoints.
        stretch: A limb is at most this many times as long as the longest of the person.
        tolerance: Two people are one if a limb between them has this share of their worst limb's
            score.
    """
    most = len(limb)
    people = People(
        np.full((most, keypoints), -1),
        np.full((most, keypoints), -1.0),
        np.zeros(most),
        np.zeros(most, np.int64),
        np.zeros(most),
    )
    known = 0
    for row in range(len(limb)):
        (a, b), (i, j) = joints[limb[row]], ends[row]
        first = second = -1
        met = 0
        for who in range(known):
            if people.peaks[who, a] == i or people.peaks[who, b] == j:
                first, second = (who, second) if met == 0 else (first, who)
                met += 1
        if met == 0:
            people.peaks[known, a], people.peaks[known, b] = i, j
            people.scores[known, a] = people.scores[known, b] = score[row]
            people.total[known] = worth[i] + worth[j] + score[row]
            people.number[known], people.longest[known] = 2, length[row]
            known += 1
        elif met == 1:
            _extend(people, first, b, j, score[row], length[row], worth, stretch)
        elif met == 2:
            _merge(people, first, second, score[row], length[row], stretch, tolerance)
    left = np.flatnonzero(people.number[:known])
    return People(
        people.peaks[left],
        people.scores[left],
        people.total[left],
        people.number[left],
        people.longest[left],
    )


@njit(cache=True, nogil=True)
def _extend(
    people: People,
    who: int,
    joint: int,
    peak: int,
    good: float,
    long: float,
    worth: np.ndarray,
    stretch: float,
) -> None:
    """Someone has one end of the limb: its far end is new, or better, or known already."""
    held, before = people.peaks[who, joint], people.scores[who, joint]
    fits = stretch * people.longest[who] > long
    if held < 0 and fits:
        people.number[who] += 1
        people.total[who] += worth[peak] + good
    elif held >= 0 and held != peak and before < good and fits:
        people.total[who] += worth[peak] + good - worth[held] - before
    elif held == peak and before <= good:
        people.total[who] += good - before
    else:
        return
    people.peaks[who, joint], people.scores[who, joint] = peak, good
    people.longest[who] = max(people.longest[who], long)


@njit(cache=True, nogil=True)
def _merge(
    people: People,
    first: int,
    second: int,
    good: float,
    long: float,
    stretch: float,
    tolerance: float,
) -> None:
    """The limb joins two people: they are one if they share no keypoint and the limb is good."""
    worst = np.inf
    for k in range(people.peaks.shape[1]):
        one, other = people.peaks[first, k] >= 0, people.peaks[second, k] >= 0
        if one and other:
            return
        if one or other:
            worst = min(worst, max(people.scores[first, k], people.scores[second, k]))
    if good < tolerance * worst or stretch * people.longest[first] <= long:
        return
    people.peaks[first] = np.maximum(people.peaks[first], people.peaks[second])
    people.scores[first] = np.maximum(people.scores[first], people.scores[second])
    people.total[first] += people.total[second] + good
    people.number[first] += people.number[second]
    people.longest[first] = max(people.longest[first], long)
    people.peaks[second], people.number[second] = -1, 0
