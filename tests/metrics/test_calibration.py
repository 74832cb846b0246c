import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.calibration import Calibration
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.metrics.calibration import fit, held_out, isotonic, reliability


def test_five_scores_give_the_worked_numbers():
    scores = np.array([0.95, 0.9, 0.8, 0.65, 0.3])
    right = np.array([True, True, False, True, False])
    found = reliability(scores, right)
    assert found.ece == pytest.approx(0.32)
    assert found.brier == pytest.approx(0.173)
    assert found.worst == pytest.approx(0.8)
    assert found.count == (0, 0, 0, 1, 0, 0, 1, 0, 1, 2)
    assert found.confidence[9] == pytest.approx(0.925)


def test_a_score_of_one_is_in_the_last_bin():
    assert reliability(np.ones(3), np.ones(3, bool)).count[-1] == 3


@pytest.mark.parametrize("scores", [np.zeros(0), np.array([1.2]), np.array([np.nan])])
def test_scores_that_are_no_chances_are_refused(scores):
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        reliability(scores, np.ones(len(scores), bool))


def test_pooling_gives_the_known_answer():
    found = isotonic(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 3.0, 1.0]))
    assert found.tolist() == [1.0, 2.25, 2.25, 4.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_isotonic_values_never_fall_and_keep_the_mean(values):
    found = isotonic(np.array(values), np.ones(len(values)))
    assert (np.diff(found) >= 0).all()
    assert found.mean() == pytest.approx(np.mean(values))


def overconfident(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, count)
    return scores, rng.random(count) < scores**2


def test_a_fitted_calibration_turns_scores_into_chances():
    scores, right = overconfident(4000)
    chances = held_out(scores, right, range(4000))
    assert reliability(scores, right).ece > 0.15
    assert reliability(chances, right).ece < 0.03
    found = fit(scores, right)
    assert found(np.array([[0.5]], np.float32))[0, 0] == pytest.approx(0.25, abs=0.06)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_any_outcome_gives_a_valid_calibration(count, seed):
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.0, 0.3, 0.5, 1.0], count)
    found = fit(scores, rng.random(count) < 0.5)
    low, high = found(np.array([[0.0, 1.0]], np.float32))[0]
    assert 0 <= low <= high <= 1


def test_a_group_is_never_used_for_its_own_chances():
    scores = np.tile([0.2, 0.8], 10)
    right = scores > 0.5
    right[:2] = [True, False]
    chances = held_out(scores, right, np.repeat(np.arange(10), 2).tolist(), parts=10)
    assert chances[:2] == pytest.approx([0.0, 1.0], abs=1e-6)


@pytest.mark.parametrize(
    "knots", [((), ()), ((0.5, 0.2), (0.1, 0.2)), ((0.1, 0.2), (0.5, 0.1)), ((0.1,), (1.5,))]
)
def test_knots_that_fall_are_refused(knots):
    with pytest.raises(ConfigError, match="calibration"):
        Calibration(scores=knots[0], chances=knots[1])
