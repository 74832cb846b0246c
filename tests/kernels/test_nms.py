import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.kernels.nms import greedy, iou, meeting, nms, soft_nms, soften


def test_iou_of_known_pairs():
    a = np.array([[0, 0, 10, 10], [0, 0, 0, 0]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(iou(a, b), [[1, 50 / 150, 0], [0, 0, 0]])


def test_the_better_of_two_overlapping_boxes_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    np.testing.assert_array_equal(nms(boxes, np.array([0.3, 0.9, 0.5]), 0.5), [1, 2])


def test_what_a_removed_box_overlapped_stays():
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    np.testing.assert_array_equal(nms(boxes, np.array([0.9, 0.8, 0.7]), 0.3), [0, 2])


def test_nobody_suppresses_nobody():
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0), 0.5).shape == (0,)


def test_of_equal_scores_the_first_stays():
    np.testing.assert_array_equal(greedy(np.ones((3, 3)), np.array([0.5, 0.5, 0.5]), 0.9), [0])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_survivors_are_apart_and_the_rest_overlap_a_better_one(count, seed, threshold):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(1, 40, (count, 2))]).astype(np.float32)
    scores = rng.uniform(size=count)
    kept = nms(boxes, scores, threshold)
    overlap = iou(boxes, boxes)
    assert (np.diff(scores[kept]) <= 0).all()
    assert (overlap[np.ix_(kept, kept)] - np.eye(len(kept)) <= threshold).all()
    for lost in set(range(count)) - set(kept.tolist()):
        better = [i for i in kept if scores[i] >= scores[lost]]
        assert overlap[lost, better].max() > threshold


def test_what_scores_nan_is_nobody_and_suppresses_nobody():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.3, np.nan, 0.5])
    np.testing.assert_array_equal(nms(boxes, scores, 0.5), [2, 0])
    assert soft_nms(boxes, scores)[0].tolist() == [2, 0]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 300])
def test_blocks_give_what_one_by_one_gives(count):
    rng = np.random.default_rng(count)
    corner = rng.uniform(0, 100, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 60, (count, 2))])
    scores = rng.uniform(size=count).round(2)  # with ties
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if all(iou(boxes[[i]], boxes[[j]])[0, 0] <= 0.4 for j in kept):
            kept.append(i)
    assert nms(boxes, scores, 0.4).tolist() == kept


def _one_by_one(similarity, scores, decay, threshold, sigma):
    """Bodla et al. 2017, Fig. 3, in words."""
    left = {i: float(score) for i, score in enumerate(scores)}
    order = []
    while left:
        best = max(left, key=left.get)
        order.append((best, left.pop(best)))
        for i in left:
            s = similarity[best, i]
            if decay == "linear":
                left[i] *= 1 - s if s > threshold else 1.0
            else:
                left[i] *= np.exp(-(s**2) / sigma)
    return [(i, score) for i, score in order if score >= 0.001]


@pytest.mark.parametrize("decay", ["linear", "gaussian"])
def test_soft_suppression_equals_its_definition(decay):
    rng = np.random.default_rng(4)
    corner = rng.uniform(0, 40, (30, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 40, (30, 2))])
    scores = rng.uniform(0.1, 1, 30)
    kept, found = soft_nms(boxes, scores, decay=decay)
    expected = _one_by_one(iou(boxes, boxes), scores, decay, 0.3, 0.5)
    assert kept.tolist() == [i for i, _ in expected]
    np.testing.assert_allclose(found, [score for _, score in expected])


def test_soft_suppression_keeps_an_exact_copy_only_where_its_score_decays_slowly():
    same, scores = np.ones((2, 2)), np.array([0.9, 0.8])
    assert soften(same, scores, decay="linear", floor=0.0)[0].tolist() == [0]
    kept, found = soften(same, scores)
    assert kept.tolist() == [0, 1]
    assert found[1] == pytest.approx(0.8 * np.exp(-2))
    assert soften(same, scores, most=1)[0].tolist() == [0]


def test_pairs_that_meet_are_found_once_each():
    low = np.array([[0, 0], [5, 5], [20, 0], [0, 9], [np.nan, 0]], np.float64)
    high = np.array([[10, 8], [21, 6], [30, 4], [4, 12], [5, 5]], np.float64)
    assert sorted(zip(*(x.tolist() for x in meeting(low, high)), strict=True)) == [(0, 1)]
    high[0, 1] = 9
    assert sorted(zip(*(x.tolist() for x in meeting(low, high)), strict=True)) == [(0, 1), (0, 3)]
    assert [x.tolist() for x in meeting(low[:0], high[:0])] == [[], []]


def test_too_many_pairs_are_not_listed():
    low, high = np.zeros((600, 2)), np.ones((600, 2))
    assert meeting(low, high) is None


@pytest.mark.parametrize("flat", [False, True])
def test_either_way_gives_what_the_definition_gives(flat):
    rng = np.random.default_rng(7)
    corner = rng.uniform(0, 100, (200, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 60, (200, 2))])
    boxes[::9, 2] = boxes[::9, 0] if flat else boxes[::9, 2]
    scores = rng.uniform(size=200)
    np.testing.assert_array_equal(nms(boxes, scores, 0.4), greedy(iou(boxes, boxes), scores, 0.4))
