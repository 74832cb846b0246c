from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.kernels.multicut import objective, solve, solve_in_stages


def every_pair(count):
    return np.stack(np.triu_indices(count, 1), axis=1)


def cheapest(unary, pairs, cost):
    """Cost of the best of all partitions."""
    count = len(unary)
    return min(
        objective(np.array(labels) - 1, unary, pairs, cost)
        for labels in product(range(count + 1), repeat=count)
    )


def problem(seed, count, density=1.0):
    """Random costs, more of them repulsive than attractive."""
    rng = np.random.default_rng(seed)
    pairs = every_pair(count)
    pairs = pairs[rng.random(len(pairs)) < density]
    return rng.normal(-0.5, 1, count), pairs, rng.normal(0.3, 1.5, len(pairs))


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([0.5, 1.0]))
def test_the_optimum_is_found_and_proven(seed, count, density):
    unary, pairs, cost = problem(seed, count, density)

    found = solve(unary, pairs, cost, seconds=60)

    assert found.objective == pytest.approx(cheapest(unary, pairs, cost), abs=1e-6)
    assert found.objective == pytest.approx(objective(found.labels, unary, pairs, cost))
    assert found.gap == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("count", [8, 20, 40])
def test_random_costs_are_solved_no_worse_than_greedily(count):
    unary, pairs, cost = problem(count, count)
    greedy = solve(unary, pairs, cost, seconds=0)
    found = solve(unary, pairs, cost, seconds=5)
    assert found.objective <= greedy.objective + 1e-9
    assert greedy.bound <= found.bound + 1e-9
    assert found.bound <= found.objective


def two_people(noise, seed=0, count=30):
    """Candidates of two people: attractive within, repulsive between; and one that is nobody."""
    rng = np.random.default_rng(seed)
    whose = np.arange(count) % 2
    pairs = every_pair(count + 1)
    same = np.append(whose, -1)[pairs]
    cost = np.where(same[:, 0] == same[:, 1], -2.0, 2.0) + noise * rng.normal(size=len(pairs))
    return np.append(np.full(count, -1.0), 3.0), pairs, cost, whose


@pytest.mark.parametrize("noise", [0, 1, 2])
def test_two_people_of_60_candidates_are_told_apart_and_it_is_proven(noise):
    unary, pairs, cost, whose = two_people(noise, count=59)
    found = solve(unary, pairs, cost, seconds=60)
    assert found.labels.tolist() == [*whose, -1]
    assert found.gap == pytest.approx(0, abs=1e-6)


def test_pairs_that_cost_nothing_do_not_join():
    found = solve(np.full(3, -1.0), np.zeros((0, 2), np.int64), np.zeros(0))
    assert found.labels.tolist() == [0, 1, 2]
    assert (found.objective, found.bound) == (-3.0, -3.0)


def test_who_costs_more_than_he_brings_is_suppressed():
    unary, pairs = np.array([-1.0, 0.5, 0.5]), np.array([[0, 1], [1, 2]])
    found = solve(unary, pairs, np.array([-1.0, -0.4]))
    assert found.labels.tolist() == [0, 0, -1]
    assert found.objective == pytest.approx(-1.5)


def test_being_together_is_transitive_beyond_the_pairs_that_have_a_cost():
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
    together = solve(np.full(4, -1.0), pairs, np.array([-2.0, -2.0, -1.0, 0.9]))
    apart = solve(np.full(4, -1.0), pairs, np.array([-2.0, -2.0, -1.0, 1.1]))
    assert together.labels.tolist() == [0, 0, 0, 0]
    assert apart.labels.tolist() == [0, 0, 0, 1]
    assert apart.objective == pytest.approx(-8.0)
    assert apart.gap == pytest.approx(0, abs=1e-6)


def test_nobody_is_solved():
    found = solve(np.zeros(0), np.zeros((0, 2), np.int64), np.zeros(0))
    assert (len(found.labels), found.objective, found.gap) == (0, 0.0, 0.0)


def test_stages_keep_what_was_decided_and_admit_it():
    unary, pairs = np.full(3, -1.0), np.array([[0, 1], [0, 2], [1, 2]])
    cost = np.array([0.5, -1.0, -1.0])
    assert solve(unary, pairs, cost).objective == pytest.approx(-4.5)
    staged = solve_in_stages(unary, pairs, cost, np.array([0, 0, 1]))
    assert staged.labels.tolist() in ([0, 1, 0], [0, 1, 1])
    assert staged.objective == pytest.approx(-4.0)
    assert staged.bound == -np.inf


def test_stages_find_two_clear_people():
    unary, pairs, cost, whose = two_people(0.5)
    stage = np.arange(31) // 11
    found = solve_in_stages(unary, pairs, cost, stage, seconds=60)
    assert found.labels.tolist() == [*whose, -1]
    assert found.objective == pytest.approx(solve(unary, pairs, cost, seconds=60).objective)


def test_one_stage_is_the_whole_problem():
    unary, pairs, cost = problem(3, 6)
    whole, staged = solve(unary, pairs, cost), solve_in_stages(unary, pairs, cost, np.zeros(6, int))
    assert staged.labels.tolist() == whole.labels.tolist()
    assert staged.gap == pytest.approx(0, abs=1e-6)
