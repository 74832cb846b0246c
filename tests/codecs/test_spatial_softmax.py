import numpy as np
import pytest

from vitruvian.codecs.spatial_softmax import SpatialSoftmax, softmax
from vitruvian.core.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))
SIZE = (32, 48)


def test_targets_are_distributions() -> None:
    codec = SpatialSoftmax(skeleton=PAIR, outside=0.1)
    xy = np.array([[20.0, 11.0], [-30.0, 5.0]], np.float32)
    target = codec.encode(xy, np.array([2, 1], np.uint8), SIZE)["heatmap"]
    np.testing.assert_allclose(target.value.sum(axis=(1, 2)), 1, atol=1e-5)
    assert np.ptp(target.value[1]) == 0
    np.testing.assert_allclose(target.weight.ravel(), [1, 0.1])


def test_what_is_not_labelled_has_no_weight() -> None:
    codec = SpatialSoftmax(skeleton=PAIR)
    xy = np.array([[np.nan, np.nan], [20.0, 11.0]], np.float32)
    target = codec.encode(xy, np.array([0, 2], np.uint8), SIZE)["heatmap"]
    assert target.value[0].max() == target.weight[0].max() == 0


def test_the_score_is_the_mass_around_the_answer() -> None:
    codec = SpatialSoftmax(skeleton=PAIR, radius=1)
    logits = np.full((1, 2, 8, 12), -30.0, np.float32)
    logits[0, 0, 3, 4], logits[0, 0, 6, 10] = np.log(0.7), np.log(0.3)
    logits[0, 1, 0, 0] = 0
    found = codec.decode({"heatmap": logits}, SIZE)
    assert found.scores[0].tolist() == pytest.approx([0.7, 1.0], abs=1e-5)
    np.testing.assert_allclose(found.xy[0, 0], [4 * 4 + 1.5, 3 * 4 + 1.5], atol=1e-4)
    np.testing.assert_allclose(found.xy[0, 1], [1.5, 1.5], atol=1e-4)


def test_the_position_is_the_expectation_between_cells() -> None:
    codec = SpatialSoftmax(skeleton=PAIR, radius=1)
    logits = np.full((1, 2, 8, 12), -40.0, np.float32)
    logits[0, :, 3, 4], logits[0, :, 3, 5] = np.log(0.75), np.log(0.25)
    x, y = codec.decode({"heatmap": logits}, SIZE).xy[0, 0]
    assert x == pytest.approx((4.25 + 0.5) * 4 - 0.5, abs=1e-3)
    assert y == pytest.approx(13.5, abs=1e-3)


def test_softmax_does_not_overflow() -> None:
    logits = np.array([1e4, 0, -1e4], np.float32).reshape(1, 1, 1, 3)
    assert softmax(logits).ravel().tolist() == [1, 0, 0]


def test_a_target_without_sigma_is_shared_by_the_four_nearest_cells() -> None:
    codec = SpatialSoftmax(skeleton=PAIR, sigma=0.0, align="legacy")
    xy = np.array([[17.0, 10.0], [45.0, 29.0]], np.float32)
    value = codec.encode(xy, np.array([2, 2], np.uint8), SIZE)["heatmap"].value
    np.testing.assert_allclose(value[0, 2:4, 4:6], [[0.375, 0.125], [0.375, 0.125]], atol=1e-6)
    assert value[0].sum() == pytest.approx(1)
    assert value[1, 7, 11] == 1  # the cells beyond the border do not count


def test_the_position_can_be_the_expectation_over_the_whole_map() -> None:
    codec = SpatialSoftmax(skeleton=PAIR, whole=True, align="legacy")
    logits = np.full((1, 2, 8, 12), -40.0, np.float32)
    logits[0, :, 3, 4], logits[0, :, 7, 10] = np.log(0.75), np.log(0.25)
    x, y = codec.decode({"heatmap": logits}, SIZE).xy[0, 0]
    assert (x, y) == (pytest.approx(5.5 * 4, abs=1e-3), pytest.approx(4 * 4, abs=1e-3))
