import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.kernels.nms import greedy, iou, nms


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


@pytest.mark.parametrize("threshold", [0.6, 0.3])
def test_box_nms_agrees_with_the_fixture(parity_data, threshold):
    for case in json.loads((parity_data / "fn-oks_nms.json").read_text())["cases"]:
        boxes = np.array(case["boxes"])
        kept = nms(boxes[:, :4], boxes[:, 4], threshold)
        assert kept.tolist() == case[f"nms_{threshold}"]
