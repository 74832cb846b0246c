"""Box AP against the official tool, and recall by size."""

import contextlib
import io
from dataclasses import astuple

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import pytest

from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Boxes
from vitruvian.metrics.box_ap import box_ap, recalled, size_of

DOT = Skeleton(name="dot", keypoints=("a",))


def _sample(boxes, image_id=1, crowd=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    return Sample(
        path="", size=(480, 640), skeleton=DOT, image_id=image_id, boxes=boxes,
        xy=np.zeros((count, 1, 2), np.float32), visible=np.full((count, 1), 2, np.uint8),
        area=np.ones(count, np.float32),
        crowd=np.zeros(count, bool) if crowd is None else np.array(crowd),
    )  # fmt: skip


def _boxes(xyxy, scores):
    return Boxes(
        xyxy=np.array(xyxy, np.float32).reshape(-1, 4), scores=np.array(scores, np.float32)
    )


def test_recall_pairs_each_person_with_a_box_of_its_own():
    people = np.float32([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
    one = _boxes([[1, 0, 11, 10]], [0.9])
    assert recalled(people, one).tolist() == [True, False, False]
    two = _boxes([[0, 0, 10, 10], [3, 0, 13, 10], [50, 50, 60, 54]], [0.1, 0.2, 0.9])
    assert recalled(people, two).tolist() == [True, True, False]
    assert recalled(people, _boxes([], [])).tolist() == [False] * 3


def test_sizes_are_those_of_the_box():
    boxes = np.float32([[0, 0, 31, 33], [0, 0, 32, 32], [5, 5, 100, 101], [0, 0, 96, 96]])
    assert size_of(boxes) == ["small", "medium", "medium", "large"]


def test_perfect_boxes_score_one_and_none_score_zero():
    truth = [_sample([[0, 0, 20, 20], [50, 50, 100, 150]])]
    perfect = box_ap(truth, [_boxes([[50, 50, 100, 150], [0, 0, 20, 20]], [0.9, 0.8])])
    assert astuple(perfect) == pytest.approx((1, 1, 1, 1, 1, -1))
    assert astuple(box_ap(truth, [_boxes([], [])])) == (0, 0, 0, 0, 0, -1)


@pytest.mark.parametrize("seed", range(20))
def test_the_numbers_equal_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for image_id in range(1, 6):
        corner, extent = rng.integers(0, 300, (4, 2)), rng.integers(5, 250, (4, 2))
        boxes = np.concatenate([corner, corner + extent], 1)
        truth.append(_sample(boxes, image_id, rng.random(4) < 0.2))
        jitter = np.repeat(boxes, 2, 0) + rng.integers(-20, 20, (8, 4))
        jitter[:, 2:] = np.maximum(jitter[:, 2:], jitter[:, :2] + 1)
        found.append(_boxes(jitter, rng.integers(0, 8, 8) / 8))
    np.testing.assert_allclose(astuple(box_ap(truth, found)), _official(truth, found), atol=1e-9)


def _official(truth, found):
    def xywh(box):
        x0, y0, x1, y1 = (float(v) for v in box)
        return [x0, y0, x1 - x0, y1 - y0]

    people = [
        {"image_id": s.image_id, "bbox": xywh(box), "category_id": 1, "iscrowd": int(crowd)}
        for s in truth
        for box, crowd in zip(s.boxes, s.crowd, strict=True)
    ]
    for at, row in enumerate(people):
        row |= {"id": at + 1, "area": row["bbox"][2] * row["bbox"][3]}
    results = [
        {"image_id": s.image_id, "category_id": 1, "bbox": xywh(box), "score": float(score)}
        for s, boxes in zip(truth, found, strict=True)
        for box, score in zip(boxes.xyxy, boxes.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        labels = pycocotools.coco.COCO()
        labels.dataset = {
            "images": [{"id": s.image_id} for s in truth],
            "annotations": people,
            "categories": [{"id": 1}],
        }
        labels.createIndex()
        run = pycocotools.cocoeval.COCOeval(labels, labels.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[:6]
