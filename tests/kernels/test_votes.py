"""Votes: they conserve mass and place, and a plain loop agrees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vitruvian.kernels.votes import centroid, collect, support

unit = st.floats(0, 1)
ballots = st.integers(0, 20).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(0, 2)),
        hnp.arrays(np.float64, (n, 2), elements=unit),
        hnp.arrays(np.float64, n, elements=unit),
    )
)


@given(ballots)
def test_votes_inside_the_grid_conserve_mass_and_centre_of_mass(ballot):
    owner, place, weight = ballot
    xy = place * (6, 4)

    grid = collect(owner, xy, weight, (3, 5, 7))

    rows, cols = np.mgrid[:5, :7]
    for p in range(3):
        mine = owner == p
        assert grid[p].sum() == pytest.approx(weight[mine].sum())
        assert (grid[p] * cols).sum() == pytest.approx((weight * xy[:, 0])[mine].sum())
        assert (grid[p] * rows).sum() == pytest.approx((weight * xy[:, 1])[mine].sum())


@given(ballots)
def test_collecting_and_supporting_agree_with_the_sum_over_the_bilinear_kernel(ballot):
    """G-RMI Eq. 1 written as it stands."""
    owner, place, weight = ballot
    xy = place * (10, 8) - 2

    grid = collect(owner, xy, weight, (3, 5, 7))

    for p, y, x in np.ndindex(grid.shape):
        near = np.maximum(1 - np.abs(xy - (x, y)), 0).prod(axis=1)
        expected = (near * weight)[owner == p].sum()
        assert grid[p, y, x] == pytest.approx(expected, abs=1e-9)
    cell = np.array([[3, 2]] * 3)
    assert support(owner, xy, weight, cell) == pytest.approx(grid[:, 2, 3], abs=1e-9)


def test_a_vote_between_four_cells_gives_each_its_share():
    grid = collect(np.array([0]), np.array([[1.25, 0.5]]), np.array([8.0]), (1, 3, 3))

    assert grid[0].tolist() == [[0, 3, 1], [0, 3, 1], [0, 0, 0]]


def test_the_part_of_a_vote_outside_the_grid_is_lost():
    far = np.array([[-0.5, 0], [1e12, 0], [0, -1e12]])

    grid = collect(np.zeros(3, np.int64), far, np.ones(3), (1, 2, 2))

    assert grid[0].tolist() == [[0.5, 0], [0, 0]]


def test_the_centroid_is_taken_over_three_by_three_cells():
    maps = np.zeros((2, 5, 5))
    maps[0, 2, 2], maps[0, 2, 3], maps[0, 0, 0] = 3, 1, 9
    maps[1, 0, 0], maps[1, 1, 0] = 1, 1

    assert centroid(maps, np.array([[2, 2], [0, 0]])).tolist() == [[2.25, 2], [0, 0.5]]


def test_the_centroid_of_nothing_is_the_cell_itself():
    assert centroid(np.zeros((1, 3, 3)), np.array([[1, 2]])).tolist() == [[1, 2]]
