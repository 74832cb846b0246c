import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import plain_limbs
from vitruvian.kernels.limb_people import assemble, one_to_one

CHAIN = np.array([[0, 1], [1, 2], [0, 2]])
"""Limbs a-b, b-c and, redundant, a-c."""


def grow(rows, worth, **settings):
    limb, a, b, score, length = (np.array(column) for column in zip(*rows, strict=True))
    settings = {"stretch": 16.0, "tolerance": 0.7} | settings
    ends = np.stack([a, b], axis=1)
    return assemble(limb, ends, score, length, np.array(worth), CHAIN, 3, *settings.values())


def test_a_peak_serves_one_limb_of_a_kind_and_the_best_first():
    limb = np.array([0, 0, 0, 1])
    ends = np.array([[0, 2], [0, 3], [1, 2], [2, 0]])
    assert one_to_one(limb, ends, np.array([0.5, 0.9, 0.7, 0.1])).tolist() == [1, 2, 3]


def test_of_equal_candidates_the_first_is_kept():
    ends = np.array([[0, 1], [0, 2]])
    assert one_to_one(np.array([0, 0]), ends, np.array([0.5, 0.5])).tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(5, 9)), max_size=25), st.integers(0, 99))
def test_what_is_left_out_meets_a_better_one(ends, seed):
    ends = np.array(ends, np.int64).reshape(-1, 2)
    rank = np.random.default_rng(seed).random(len(ends))
    kept = one_to_one(np.zeros(len(ends), int), ends, rank)
    assert len(set(ends[kept, 0])) == len(set(ends[kept, 1])) == len(kept)
    for row in set(range(len(ends))) - set(kept.tolist()):
        better = kept[rank[kept] >= rank[row]]
        assert ((ends[better] == ends[row]).any(axis=1)).any()


def test_limbs_that_share_a_peak_make_one_person():
    person = grow([(0, 0, 1, 0.9, 10.0), (1, 1, 2, 0.8, 12.0)], [0.5, 0.6, 0.7])
    assert person.peaks.tolist() == [[0, 1, 2]]
    assert person.scores.tolist() == [[0.9, 0.9, 0.8]]
    assert person.total[0] == pytest.approx(0.5 + 0.6 + 0.9 + 0.7 + 0.8)
    assert (person.number.tolist(), person.longest.tolist()) == ([3], [12.0])


def test_a_redundant_limb_only_makes_the_person_surer():
    rows = [(0, 0, 1, 0.9, 10.0), (1, 1, 2, 0.5, 12.0), (2, 0, 2, 0.8, 20.0)]
    person = grow(rows, [0.5, 0.6, 0.7])
    assert person.scores.tolist() == [[0.9, 0.9, 0.8]]
    assert person.number.tolist() == [3]
    assert person.total[0] == pytest.approx(0.5 + 0.6 + 0.9 + 0.7 + 0.8)


def test_a_better_redundant_limb_replaces_a_wrong_end():
    rows = [(0, 0, 1, 0.9, 10.0), (1, 1, 2, 0.5, 12.0), (2, 0, 3, 0.8, 20.0)]
    person = grow(rows, [0.5, 0.6, 0.7, 0.4])
    assert person.peaks.tolist() == [[0, 1, 3]]
    assert person.total[0] == pytest.approx(0.5 + 0.6 + 0.9 + 0.4 + 0.8)


def test_a_limb_far_longer_than_the_person_is_not_added():
    rows = [(0, 0, 1, 0.9, 1.0), (1, 1, 2, 0.8, 16.0)]
    person = grow(rows, [0.5, 0.6, 0.7])
    assert person.peaks.tolist() == [[0, 1, -1]]


FOUR = np.array([[0, 1], [2, 3], [1, 2]])


@pytest.mark.parametrize("score, people", [(0.7, 1), (0.5, 2)])
def test_a_good_limb_between_two_people_makes_them_one(score, people):
    limb, ends = np.array([0, 1, 2]), np.array([[0, 1], [2, 3], [1, 2]])
    found = assemble(
        limb,
        ends,
        np.array([0.9, 0.8, score]),
        np.array([10.0, 30.0, 20.0]),
        np.full(4, 0.5),
        FOUR,
        4,
        16.0,
        0.7,
    )
    assert len(found.peaks) == people
    if people == 1:
        assert found.peaks.tolist() == [[0, 1, 2, 3]]
        assert found.number.tolist() == [4]
        assert found.total[0] == pytest.approx(4 * 0.5 + 0.9 + 0.8 + 0.7)
        assert found.longest.tolist() == [20.0]  # as in the authors' program, not the other's 30


def test_people_who_share_a_keypoint_stay_two():
    rows = [(0, 0, 1, 0.9, 10.0), (1, 2, 3, 0.9, 10.0), (2, 0, 3, 0.9, 10.0)]
    assert len(grow(rows, [0.5] * 4).peaks) == 2


@given(st.integers(0, 2**32))
def test_everybody_is_as_in_plain_python(seed):
    rng = np.random.default_rng(seed)
    joints = np.array([[0, 1], [1, 2], [2, 3], [0, 2], [1, 3]])
    limb = np.sort(rng.integers(0, 5, 40))
    ends = 6 * joints[limb] + rng.integers(0, 6, (40, 2))  # six peaks of each keypoint
    score, length, worth = rng.random(40), rng.uniform(1, 30, 40), rng.random(24)
    kept = one_to_one(limb, ends, score)
    chosen = limb[kept], ends[kept], score[kept], length[kept], worth, joints, 4

    found = assemble(*chosen, 4.0, 0.7)

    assert kept.tolist() == plain_limbs.one_to_one(limb, ends, score).tolist()
    plain = plain_limbs.assemble(*chosen, stretch=4.0, tolerance=0.7)
    for column, name in zip(found, ("peaks", "scores", "total", "count", "longest"), strict=True):
        assert column == pytest.approx(np.array([getattr(person, name) for person in plain]))
