import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.kernels.grow import NOBODY, Taken, _pop, _push, follow, grow, links, suppress

LIMBS = np.array([[0, 1], [1, 2]])


def ways(*rows):
    """Links of (limb or its way back, x, y, confidence, x there, y there, scale there)."""
    table = np.array(rows, np.float64).reshape(-1, 7)
    return links(LIMBS, table[:, 0].astype(int), table[:, 1:])


def along(*rows):
    """Rows of one way, sorted as ``follow`` wants them."""
    _, xs, listed, _ = ways(*((0, *row) for row in rows))[0][0]
    return xs, listed


def test_a_single_row_leads_there_with_half_its_confidence():
    assert follow(*along((5, 5, 0.8, 20, 30, 4)), (0.9, 5, 5, 4), 1.0) == (0.4, 20, 30, 4)


def test_two_rows_that_agree_are_blended_by_their_confidence():
    rows = along((5, 5, 0.6, 20, 30, 4), (5, 5, 0.3, 21.5, 30, 4))

    assert follow(*rows, (0.9, 5, 5, 4), 1.0) == pytest.approx((0.45, 20.5, 30, 4))


def test_two_rows_that_lead_to_different_places_are_not_blended():
    rows = along((5, 5, 0.6, 20, 30, 4), (5, 5, 0.5, 23, 30, 4))

    assert follow(*rows, (0.9, 5, 5, 4), 1.0) == (0.3, 20, 30, 4)


def test_rows_that_start_beyond_half_a_scale_do_not_count():
    assert follow(*along((7.1, 5, 0.8, 20, 30, 4)), (0.9, 5, 5, 4), 1.0) is None
    assert follow(*along((5, 7.1, 0.8, 20, 30, 4)), (0.9, 5, 5, 4), 1.0) is None
    assert follow(*along((6.9, 5, 0.8, 20, 30, 4)), (0.9, 5, 5, 4), 1.0) is not None


def test_a_joint_without_a_way_back_is_not_taken():
    there, back = (0, 5, 5, 0.8, 20, 30, 4), (2, 20, 30, 0.8, 5, 5, 4)
    astray = (2, 20, 30, 0.8, 9, 9, 4)
    found = []
    for rows in ((there, back), (there, astray), (there,)):
        person = [NOBODY] * 3
        person[0] = (0.9, 5.0, 5.0, 4.0)
        grow(person, ways(*rows))
        found.append(person[1][0] > 0)

    assert found == [True, False, False]


def test_a_weak_joint_is_not_taken():
    person = [NOBODY] * 3
    person[0] = (0.9, 5.0, 5.0, 4.0)

    grow(person, ways((0, 5, 5, 0.2, 20, 30, 4)), reverse=False)  # sqrt(0.1 x 0.9) < 0.9 / 2

    assert person[1] == NOBODY


def test_joints_outside_of_the_view_hold_the_border():
    taken = Taken(1, (41, 41))
    taken.take(0, (0.9, 60.0, -9.0, 4.0))

    assert taken.holds(0, 50, -3)
    assert not taken.holds(0, 0, 0)
    places = taken.places(np.zeros(2, int), np.array([[50.0, -3], [0, 0]]))
    assert [taken.bytes[place] for place in places] == [1, 0]


def test_the_better_person_keeps_a_joint_that_two_have():
    good = [(0.9, 5.0, 5.0, 4.0), (0.9, 30.0, 5.0, 4.0)]
    other = [(0.8, 5.0, 5.0, 4.0), (0.8, 5.0, 30.0, 4.0)]

    first, second = suppress([other, good], (41, 41), joint=0.15, person=0.15)

    assert first == good
    assert [joint[0] for joint in second] == [0, 0.8]


def test_nobody_is_left_of_no_people():
    assert suppress([], (9, 9), joint=0.15, person=0.15) == []


@given(st.lists(st.floats(0, 1)))
def test_the_heap_gives_the_largest_first(values):
    heap = []
    for number, value in enumerate(values):
        _push(heap, (value, number, 0))

    assert [_pop(heap)[0] for _ in values] == sorted(values, reverse=True)
