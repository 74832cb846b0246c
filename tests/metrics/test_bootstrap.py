"""Bootstrap intervals: their width, their pairing, their seeds."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from vitruvian.core.errors import InputError
from vitruvian.metrics.bootstrap import interval, paired_interval


def test_the_interval_of_a_proportion_has_the_width_of_theory():
    right = (np.arange(400) % 4 == 0).astype(float)
    found = interval(right, np.ones(400), np.random.default_rng(0), resamples=4000)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (found.value, found.people) == (0.25, 400)
    assert found.low == pytest.approx(0.25 - half, abs=0.005)
    assert found.high == pytest.approx(0.25 + half, abs=0.005)


def test_the_same_seed_gives_the_same_interval():
    rows = np.random.default_rng(1).random(50)
    one, two = (interval(rows, np.ones(50), np.random.default_rng(7)) for _ in range(2))
    assert one == two


def test_people_without_labels_are_left_out():
    found = interval(np.array([3.0, 9.0]), np.array([4.0, 0.0]), np.random.default_rng(0))
    assert (found.value, found.low, found.high, found.people) == (0.75, 0.75, 0.75, 1)
    nobody = interval(np.zeros(2), np.zeros(2), np.random.default_rng(0))
    assert nobody.people == 0
    assert np.isnan(nobody.value)


def test_a_pair_that_always_differs_alike_has_no_width():
    rng = np.random.default_rng(0)
    hits = rng.integers(0, 9, 200).astype(float)
    first = np.stack([hits, np.full(200, 10.0)], 1)
    found = paired_interval(first, first + np.array([1, 0]), np.random.default_rng(0))
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises((InputError, TypeCheckError)):
        paired_interval(first, first[1:], rng)
