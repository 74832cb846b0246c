"""PCK, PDJ and the area under the curve on hand-made people."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.metrics.pck import (
    auc,
    box_length,
    curve,
    normalised_distance,
    pck,
    torso_length,
)
from vitruvian.metrics.pdj import ALPHAS, pdj

TRUTH = np.float32([[[10, 10], [30, 10], [10, 50], [30, 50]]])
FOUND = TRUTH + np.float32([[[5, 0], [0, 10], [-8, 0], [0, 0]]])


def test_equality_decides_between_the_two_conventions():
    reference = np.array([40.0])
    assert pck(FOUND, TRUTH, reference).correct.tolist() == [[True, False, True, True]]
    strict = pck(FOUND, TRUTH, reference, inclusive=False)
    assert strict.correct.tolist() == [[True, False, False, True]]
    assert (strict.pooled, pck(FOUND, TRUTH, reference).pooled) == (0.5, 0.75)


def test_the_reference_may_be_a_torso_a_box_or_anything():
    bones = Skeleton(name="t", keypoints=("a", "left_shoulder", "right_hip", "b"))
    assert torso_length(TRUTH, bones)[0] == pytest.approx(44.7214, abs=1e-4)
    assert pck(FOUND, TRUTH, torso_length(TRUTH, bones)).pooled == 0.75
    points = np.full((1, 14, 2), np.nan, np.float32)
    points[0, [9, 2]] = [[60, 40], [30, 80]]
    assert torso_length(points, skeleton("lsp14")).tolist() == [50]
    assert box_length(np.float32([[79, 62, 133, 221]])) * 0.2 == pytest.approx([31.8])


def test_a_missing_prediction_is_wrong_and_a_missing_label_does_not_count():
    truth, found = TRUTH.copy(), FOUND.copy()
    truth[0, 0], found[0, 3] = np.nan, np.nan
    hits = pck(found, truth, np.array([40.0]))
    assert hits.counted.tolist() == [[False, True, True, True]]
    assert hits.correct.tolist() == [[False, False, True, False]]
    np.testing.assert_array_equal(hits.joints, [np.nan, 0, 1, 0])
    assert hits.pooled == hits.mean == pytest.approx(1 / 3)


def test_a_person_without_a_reference_does_not_count():
    two = np.concatenate([TRUTH, TRUTH, TRUTH])
    hits = pck(two, two, np.array([np.nan, 0.0, 1.0]))
    assert hits.counted.any(1).tolist() == [False, False, True]


def test_pooled_and_mean_differ_where_joints_are_unevenly_labelled():
    truth = np.zeros((4, 2, 2), np.float32)
    truth[1:, 1] = np.nan
    found = truth + 0.0
    found[:2, 0] += 9
    hits = pck(found, truth, np.ones(4))
    assert (hits.pooled, hits.mean) == (pytest.approx(3 / 5), pytest.approx(0.75))
    assert hits.only([1]).pooled == 1


def test_nobody_is_no_number():
    hits = pck(np.zeros((0, 3, 2)), np.zeros((0, 3, 2)), np.zeros(0))
    assert np.isnan([hits.pooled, hits.mean, *hits.joints]).all()


def test_shapes_that_do_not_fit_are_refused():
    # Run-time shape checks, when they are on, answer first.
    with pytest.raises((InputError, TypeCheckError)):
        pck(FOUND[:, :3], TRUTH, np.ones(1))
    with pytest.raises((InputError, TypeCheckError)):
        pck(FOUND, TRUTH, np.ones(2))


def test_the_area_under_the_curve_is_the_trapezoid_of_the_toolkit():
    distance = np.array([[0, 0.1, 0.25, 0.5, 0.6]])
    alphas = np.arange(51) / 100
    assert curve(distance, alphas).mean() == pytest.approx(0.466667, abs=1e-6)
    assert auc(distance) == pytest.approx(0.466)
    assert auc(np.zeros((2, 3))) == pytest.approx(1)
    assert auc(np.full((2, 3), np.inf)) == 0


def test_the_order_of_people_plays_no_part():
    rng = np.random.default_rng(0)
    truth = rng.random((30, 5, 2)) * 100
    found, reference = truth + rng.normal(0, 10, truth.shape), rng.random(30) * 60 + 1
    order = rng.permutation(30)
    a, b = pck(found, truth, reference), pck(found[order], truth[order], reference[order])
    np.testing.assert_array_equal(a.joints, b.joints)


def test_pdj_rises_from_exact_hits_to_half_a_torso():
    bones = Skeleton(name="t", keypoints=("left_shoulder", "right_hip", "left_wrist"))
    truth = np.float32([[[0, 0], [0, 100], [50, 50]]] * 2)
    found = truth + np.float32([[[0, 0], [0, 0], [0, 0]], [[0, 30], [0, 60], [np.nan, 0]]])
    shares = pdj(found, truth, bones)
    assert shares.shape == (3, len(ALPHAS))
    assert shares[0, [0, 29, 30, 50]].tolist() == [0.5, 0.5, 1, 1]
    assert shares[1, 50] == shares[2, 50] == 0.5
    assert (np.diff(shares) >= 0).all()
    assert normalised_distance(found, truth, torso_length(truth, bones))[1, 2] == np.inf
