"""OKS of matched people and the fraction of people above the thresholds."""

import numpy as np
import pytest

from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.oks_fraction import above_thresholds, oks_fraction, oks_of_pairs

X = [50, 45, 55, 40, 60, 30, 70, 20, 80, 15, 85, 35, 65, 35, 65, 35, 65]
Y = [20, 15, 15, 18, 18, 50, 50, 80, 80, 110, 110, 120, 120, 160, 160, 200, 200]
TRUTH = np.stack([X, Y], 1)[None].astype(np.float32)
SIGMAS = skeleton("coco17").oks_sigmas


@pytest.mark.parametrize(
    ("shift", "oks"), [(2, 0.98806), (5, 0.930364), (10, 0.776402), (15, 0.622543), (20, 0.496669)]
)
def test_a_shifted_person_has_the_similarity_of_the_official_tool(shift, oks):
    found = TRUTH + np.float32([shift, 0])
    assert oks_of_pairs(found, TRUTH, np.array([20000.0]), SIGMAS)[0] == pytest.approx(
        oks, abs=1e-6
    )


def test_what_was_not_found_adds_nothing_and_what_is_not_labelled_does_not_count():
    found, truth = TRUTH.copy(), TRUTH.copy()
    truth[0, 10:] = np.nan
    found[0, :5] = np.nan
    assert oks_of_pairs(found, truth, np.array([5e3]), SIGMAS)[0] == pytest.approx(0.5)
    truth[:] = np.nan
    assert np.isnan(oks_of_pairs(found, truth, np.array([5e3]), SIGMAS)).all()


def test_the_fraction_is_strict_and_leaves_unlabelled_people_out():
    oks = np.array([1.0, 0.5, 0.776, np.nan])
    assert above_thresholds(oks[:3]).sum(1).tolist() == [10, 0, 6]
    assert oks_fraction(oks) == pytest.approx(16 / 30)
    assert np.isnan(oks_fraction(np.array([np.nan])))
