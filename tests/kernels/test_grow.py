import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.kernels.grow import follow, grow, holds, nobody, people, pop, push, suppress, take
from vitruvian.kernels.grow import ways as sorted_ways

LIMBS = np.array([[0, 1], [1, 2]])
SEED = np.array([0.9, 5.0, 5.0, 4.0])


def ways(*rows):
    """(Limb or its way back, x, y, confidence, x there, y there, scale there)."""
    table = np.array(rows, np.float64).reshape(-1, 7)
    return sorted_ways(table[:, 0].astype(np.int32), table[:, 1:], (4, 41, 41))


def followed(*rows):
    """From the seed along limb 0."""
    return follow(0, SEED, 1.0, ways(*((0, *row) for row in rows)))


def grown(*rows, reverse=True):
    """Whether the person of the seed has a second joint."""
    person = np.zeros((3, 4))
    person[0] = SEED
    grow(person, LIMBS, 0.15, 0.5, 1.0, reverse, ways(*rows))
    return person[1, 0] > 0


def test_a_single_row_leads_there_with_half_its_confidence():
    assert followed((5, 5, 0.8, 20, 30, 4)) == (0.4, 20, 30, 4)


def test_two_rows_that_agree_are_blended_by_their_confidence():
    found = followed((5, 5, 0.6, 20, 30, 4), (5, 5, 0.3, 21.5, 30, 4))

    assert found == pytest.approx((0.45, 20.5, 30, 4))


def test_two_rows_that_lead_to_different_places_are_not_blended():
    assert followed((5, 5, 0.6, 20, 30, 4), (5, 5, 0.5, 23, 30, 4)) == (0.3, 20, 30, 4)


def test_of_equal_rows_the_last_one_leads_whatever_squares_they_are_in():
    row = np.array([(17, 15, 0.6, 20, 30, 4), (15, 17, 0.6, 25, 30, 4), (15, 15, 0.6, 30, 30, 4)])
    joint = np.array([0.9, 16.0, 16.0, 4.0])

    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        table = sorted_ways(np.zeros(3, np.int32), row[list(order)], (4, 41, 41))
        assert follow(0, joint, 1.0, table)[1] == row[order[-1], 3]


def test_rows_that_start_beyond_half_a_scale_do_not_count():
    assert followed((7.1, 5, 0.8, 20, 30, 4))[0] == 0
    assert followed((5, 7.1, 0.8, 20, 30, 4))[0] == 0
    assert followed((6.9, 5, 0.8, 20, 30, 4))[0] > 0


def test_a_joint_without_a_way_back_is_not_taken():
    there, back = (0, 5, 5, 0.8, 20, 30, 4), (2, 20, 30, 0.8, 5, 5, 4)
    astray = (2, 20, 30, 0.8, 9, 9, 4)

    assert [grown(there, back), grown(there, astray), grown(there)] == [True, False, False]


def test_a_weak_joint_is_not_taken():
    assert not grown((0, 5, 5, 0.2, 20, 30, 4), reverse=False)  # sqrt(0.1 x 0.9) < 0.9 / 2


def test_seeds_on_somebody_start_nobody():
    seeds = np.array([SEED, [0.9, 6.0, 6.0, 4.0], [0.9, 30.0, 5.0, 4.0]])
    taken = nobody((3, 41, 41))

    found = people(np.zeros(3, np.int32), seeds, taken, LIMBS, 0.15, 0.5, ways())

    assert found[:, 0].tolist() == seeds[[0, 2]].tolist()
    assert not found[:, 1:].any()
    assert not taken.any()


def test_more_people_than_there_was_room_for():
    x, y = (side.ravel() for side in np.meshgrid(np.arange(10) * 30.0, np.arange(10) * 30.0))
    seeds = np.column_stack([np.full(100, 0.9), x, y, np.full(100, 4.0)])

    found = people(np.zeros(100, np.int32), seeds, nobody((3, 300, 300)), LIMBS, 0.15, 0.5, ways())

    assert np.array_equal(found[:, 0], seeds)


def test_joints_outside_of_the_view_hold_the_border():
    taken = nobody((1, 41, 41))
    take(taken, 0, np.array([0.9, 60.0, -9.0, 4.0]), True)

    assert holds(taken, 0, np.array([0.9, 50.0, -3.0, 4.0]))
    assert not holds(taken, 0, np.array([0.9, 0.0, 0.0, 4.0]))


def test_the_better_person_keeps_a_joint_that_two_have():
    good = [(0.9, 5.0, 5.0, 4.0), (0.9, 30.0, 5.0, 4.0)]
    other = [(0.8, 5.0, 5.0, 4.0), (0.8, 5.0, 30.0, 4.0)]

    first, second = suppress(np.array([other, good]), nobody((2, 41, 41)), joint=0.15, person=0.15)

    assert first.tolist() == np.array(good).tolist()
    assert second[:, 0].tolist() == [0, 0.8]


def test_nobody_is_left_of_no_people():
    assert len(suppress(np.zeros((0, 3, 4)), nobody((3, 9, 9)), joint=0.15, person=0.15)) == 0


@given(st.lists(st.floats(0, 1)))
def test_the_heap_gives_the_largest_first(values):
    heap, edge, found = np.empty(len(values)), np.zeros((len(values), 2), np.int64), []
    for number, value in enumerate(values):
        push(heap, edge, number, value, number, 0)
    for left in range(len(values) - 1, -1, -1):
        found.append((heap[0], values[edge[0, 0]]))
        pop(heap, edge, left)

    assert found == [(value, value) for value in sorted(values, reverse=True)]
