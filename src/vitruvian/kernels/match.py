"""From scored connections of peaks to people: greedy matching per limb, then assembly.

Cao et al. 2017, section 2.4: of a limb's candidates the best come first and no peak is used twice;
limbs that share a peak belong to one person. Compiled by numba.
"""

import numpy as np
from numba import njit

from vitruvian.kernels.sample_lines import Axis, agreement

People = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Peaks N K int64, -1 for none; the sums N of the scores of peaks and connections; and how many
peaks were added, N int64."""


@njit(cache=True, nogil=True)
def connect(
    fields: np.ndarray,
    down: Axis,
    across: Axis,
    limbs: np.ndarray,
    first: np.ndarray,
    xy: np.ndarray,
    samples: int,
    floor: float,
    misses: int,
    passing_only: bool,
    reach: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chosen connections of each limb, best first.

    Args:
        fields: 2E h w float32; for this and what follows see :func:`agreement`.
        down: Axis of the h cells.
        across: Axis of the w cells.
        limbs: E 2; the keypoints that a limb joins.
        first: K + 1; the first peak of each keypoint, and at last how many there are.
        xy: A 2 int64; grid points of the peaks.
        samples: See there.
        floor: See there.
        misses: See there.
        passing_only: See there.
        reach: Connections longer than this many grid points score less; 0 for no such rule.

    Returns:
        First and second peak of each connection (C 2), its score, which is above 0 (C float32), and
        the first connection of each limb (E + 1).
    """
    most = 0
    for a, b in limbs:
        most += min(first[a + 1] - first[a], first[b + 1] - first[b])
    ends, score = np.empty((most, 2), np.int64), np.empty(most, np.float32)
    begin = np.zeros(len(limbs) + 1, np.int64)
    for e in range(len(limbs)):
        a, b = limbs[e]
        start, stop = xy[first[a] : first[a + 1]], xy[first[b] : first[b + 1]]
        means = agreement(
            fields[2 * e : 2 * e + 2],
            down,
            across,
            start,
            stop,
            samples,
            floor,
            misses,
            passing_only,
        )
        if reach:
            for i in range(len(start)):
                for j in range(len(stop)):
                    if means[i, j] > 0:
                        length = np.hypot(stop[j, 0] - start[i, 0], stop[j, 1] - start[i, 1])
                        means[i, j] += min(reach / length - 1, 0)
        chosen, at = greedy(means), begin[e]
        for i, j in chosen:
            ends[at], score[at] = (first[a] + i, first[b] + j), means[i, j]
            at += 1
        begin[e + 1] = at
    return ends[: begin[-1]], score[: begin[-1]], begin


@njit(cache=True, nogil=True)
def greedy(score: np.ndarray) -> np.ndarray:
    """Rows and columns (C 2) of scores above 0, best first, none twice; of equal ones the first."""
    rows, columns = np.nonzero(score > 0)
    worth = np.empty(len(rows), score.dtype)
    for at in range(len(rows)):
        worth[at] = -score[rows[at], columns[at]]
    left, right = np.zeros(score.shape[0], np.bool_), np.zeros(score.shape[1], np.bool_)
    chosen, count = np.empty((min(score.shape), 2), np.int64), 0
    for at in np.argsort(worth, kind="mergesort"):
        i, j = rows[at], columns[at]
        if not (left[i] or right[j]):
            left[i] = right[j] = True
            chosen[count] = i, j
            count += 1
    return chosen[:count]


@njit(cache=True, nogil=True)
def merge(
    ends: np.ndarray,
    score: np.ndarray,
    begin: np.ndarray,
    limbs: np.ndarray,
    order: np.ndarray,
    new: np.ndarray,
    worth: np.ndarray,
    keypoints: int,
    faithful: bool,
) -> People:
    """People from connections; one between two people without a common keypoint unites them.

    Args:
        ends: C 2; see :func:`connect`.
        score: C.
        begin: E + 1.
        limbs: E 2.
        order: E; the order of the limbs.
        new: E; whether a connection of nobody's peaks is somebody.
        worth: A; scores of the peaks.
        keypoints: Number of keypoints K.
        faithful: A connection to somebody who has another such keypoint replaces it, as in the
            published code, and counts again; else it is left out.
    """
    parts = np.full((len(ends), keypoints), -1)
    total, count, people = np.zeros(len(ends)), np.zeros(len(ends), np.int64), 0
    for e in order:
        a, b = limbs[e]
        for row in range(begin[e], begin[e + 1]):
            i, j = ends[row]
            owner = other = -1
            for person in range(people):
                if parts[person, a] == i or parts[person, b] == j:
                    if owner >= 0:
                        other = person
                        break
                    owner = person
            if owner < 0:
                if new[e]:
                    parts[people, a], parts[people, b] = i, j
                    total[people], count[people] = worth[i] + worth[j] + score[row], 2
                    people += 1
            elif other >= 0 and not ((parts[owner] >= 0) & (parts[other] >= 0)).any():
                parts[owner] = np.maximum(parts[owner], parts[other])
                total[owner] += total[other] + score[row]
                count[owner] += count[other]
                parts[other], count[other] = -1, 0
            elif faithful:
                if parts[owner, b] != j:
                    parts[owner, b] = j
                    total[owner] += worth[j] + score[row]
                    count[owner] += 1
            elif other < 0:
                for keypoint, peak in ((a, i), (b, j)):
                    if parts[owner, keypoint] < 0:
                        parts[owner, keypoint] = peak
                        total[owner] += worth[peak] + score[row]
                        count[owner] += 1
    kept = np.flatnonzero(count[:people])
    return parts[kept], total[kept], count[kept]


@njit(cache=True, nogil=True)
def extend(
    ends: np.ndarray,
    score: np.ndarray,
    begin: np.ndarray,
    limbs: np.ndarray,
    order: np.ndarray,
    new: np.ndarray,
    worth: np.ndarray,
    first: np.ndarray,
) -> People:
    """People from connections, each to whoever has its first peak (Osokin 2019); nobody is united.

    The peaks of a limb of which one end has none are people of their own unless somebody has them.

    Args:
        ends: C 2; see :func:`connect`.
        score: C.
        begin: E + 1.
        limbs: E 2.
        order: E; the order of the limbs.
        new: E; whether a connection of nobody's peak is somebody. If not, the limb only fills in
            keypoints, which do not count.
        worth: A; scores of the peaks.
        first: K + 1; see :func:`connect`.
    """
    most, keypoints = len(ends) + len(worth), len(first) - 1
    parts = np.full((most, keypoints), -1)
    total, count, people = np.zeros(most), np.zeros(most, np.int64), 0
    for e in order:
        a, b = limbs[e]
        if first[a] == first[a + 1] or first[b] == first[b + 1]:
            for k in (a, b):
                for i in range(first[k], first[k + 1]):
                    if not (parts[:people, k] == i).any():
                        parts[people, k], total[people], count[people] = i, worth[i], 1
                        people += 1
            continue
        for row in range(begin[e], begin[e + 1]):
            i, j = ends[row]
            known = False
            for person in range(people):
                if not new[e]:
                    if parts[person, a] == i and parts[person, b] < 0:
                        parts[person, b] = j
                    elif parts[person, b] == j and parts[person, a] < 0:
                        parts[person, a] = i
                elif parts[person, a] == i and e != order[0]:
                    parts[person, b], known = j, True
                    total[person] += worth[j] + score[row]
                    count[person] += 1
            if new[e] and not known:
                parts[people, a], parts[people, b] = i, j
                total[people], count[people] = worth[i] + worth[j] + score[row], 2
                people += 1
    return parts[:people], total[:people], count[:people]
