import numpy as np
import pytest

from vitruvian.kernels.match import extend, greedy, merge

LIMBS = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
"""Limbs of four keypoints; the last makes nobody."""
NEW = np.array([True, True, True, False])


def table(rows):
    """Connections (limb, first, second, score) as :func:`connect` gives them."""
    rows = sorted(rows, key=lambda row: row[0])
    begin = np.searchsorted([row[0] for row in rows], np.arange(len(LIMBS) + 1))
    ends = np.array([row[1:3] for row in rows], np.int64).reshape(-1, 2)
    return ends, np.array([row[3] for row in rows], np.float32), begin


def merged(rows, order=(0, 1, 2, 3), *, faithful=False):
    """Parts, totals and counts; all peaks are worth 0.5."""
    worth = np.full(8, 0.5, np.float32)
    found = merge(*table(rows), LIMBS, np.array(order), NEW, worth, 4, faithful)
    return [column.tolist() for column in found]


def extended(rows, order=(0, 1, 2, 3), first=(0, 2, 4, 6, 8)):
    worth = np.full(first[-1], 0.5, np.float32)
    found = extend(*table(rows), LIMBS, np.array(order), NEW, worth, np.array(first))
    return [column.tolist() for column in found]


def test_the_best_connections_come_first_and_share_no_peak():
    score = np.array([[0.9, 0.8], [0.7, 0.1]])

    assert greedy(score).tolist() == [[0, 0], [1, 1]]
    assert greedy(score - 0.5).tolist() == [[0, 0]]
    assert greedy(np.full((2, 3), np.nan)).tolist() == []


def test_of_equal_connections_the_first_one_wins():
    assert greedy(np.full((1, 2), 0.5)).tolist() == [[0, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_out_meets_a_better_connection(seed):
    score = np.random.default_rng(seed).normal(size=(7, 9))
    chosen = greedy(score)

    assert len(set(chosen[:, 0])) == len(set(chosen[:, 1])) == len(chosen)
    assert (np.diff(score[tuple(chosen.T)]) <= 0).all()
    for i, j in np.argwhere(score > 0):
        assert any((i == a or j == b) and score[a, b] >= score[i, j] for a, b in chosen)


def test_limbs_that_share_a_peak_are_one_person():
    parts, total, count = merged([(0, 0, 2, 1.0), (1, 2, 4, 2.0)])

    assert parts == [[0, 2, 4, -1]]
    assert total == [3 * 0.5 + 3.0]
    assert count == [3]


def test_a_limb_between_two_people_unites_them():
    rows = [(0, 0, 2, 1.0), (2, 4, 6, 1.0), (1, 2, 4, 1.0)]

    assert merged(rows, order=(0, 2, 1, 3)) == [[[0, 2, 4, 6]], [5.0], [4]]


def test_a_limb_that_makes_nobody_joins_only_whom_there_is():
    assert merged([(3, 6, 0, 1.0)]) == [[], [], []]


RIVALS = [(0, 0, 2, 1.0), (1, 2, 4, 1.0), (2, 4, 6, 1.0), (3, 6, 1, 1.0)]
"""A person of four keypoints, and a limb from one of them to another's of a kind it has."""


def test_a_limb_to_a_second_keypoint_of_a_kind_is_left_out():
    assert merged(RIVALS) == [[[0, 2, 4, 6]], [5.0], [4]]


def test_the_published_code_replaces_the_keypoint_and_counts_it_again():
    assert merged(RIVALS, faithful=True) == [[[1, 2, 4, 6]], [6.5], [5]]


def test_people_who_share_a_keypoint_stay_two():
    rows = [(0, 0, 2, 1.0), (1, 3, 5, 1.0), (2, 5, 7, 1.0), (3, 7, 0, 1.0)]

    assert merged(rows)[0] == [[0, 2, -1, -1], [-1, 3, 5, 7]]


def test_extending_copies_a_peak_and_unites_nobody():
    parts, _, count = extended([(0, 0, 2, 1.0), (2, 4, 6, 1.0), (1, 2, 4, 1.0)], (0, 2, 1, 3))

    assert parts == [[0, 2, 4, -1], [-1, -1, 4, 6]]
    assert count == [3, 2]


def test_extending_by_a_limb_that_makes_nobody_fills_in_without_counting():
    parts, total, count = extended([(0, 0, 2, 1.0), (3, 6, 0, 9.0)])

    assert parts == [[0, 2, -1, 6]]
    assert (total, count) == ([2.0], [2])


def test_peaks_of_a_limb_without_a_far_end_are_people_of_their_own():
    parts, total, count = extended([], first=(0, 0, 2, 2, 2))

    assert parts == [[-1, 0, -1, -1], [-1, 1, -1, -1]]
    assert (total, count) == ([0.5, 0.5], [1, 1])
