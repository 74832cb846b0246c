"""CrowdPose's rules: the worked example and the example files."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets import open_dataset
from vitruvian.datasets.table import read_json
from vitruvian.metrics.crowdpose_ap import crowdpose_ap

BONES = skeleton("crowdpose14")
BASE = np.stack([20 + 7 * np.arange(14), 20 + 12 * np.arange(14)], 1).astype(np.float32)


def _sample(image_id, labelled=range(14)):
    visible = np.array([[2 if k in labelled else 0 for k in range(14)]], np.uint8)
    return Sample(
        path="", size=(480, 640), skeleton=BONES, image_id=image_id,
        xy=np.where(visible[..., None] > 0, BASE, np.float32(np.nan)), visible=visible,
        boxes=np.float32([[10, 10, 120, 190]]), area=np.float32([1]), crowd=np.zeros(1, bool),
    )  # fmt: skip


def _found(shift, score):
    return Poses(
        xy=BASE[None] + np.float32([shift, 0]), scores=np.ones((1, 14), np.float32),
        boxes=np.zeros((1, 4), np.float32), score=np.float32([score]), skeleton=BONES,
        size=(480, 640),
    )  # fmt: skip


TRUTH = [_sample(i) for i in (1, 2, 3)]
FOUND = [_found(0, 0.9), _found(6, 0.8), _found(400, 0.7)]
INDEX = np.array([0.1, 0.2, 0.8])


def test_one_picture_of_each_kind_gives_the_numbers_of_the_evaluators():
    scores = astuple(crowdpose_ap(TRUTH, FOUND, INDEX))
    expected = [0.6307, 0.6634, 0.6634, 0.6333, 0.6667, 0.6667, 1, 0.9, 0]
    assert scores == pytest.approx(expected, abs=5e-5)


def test_a_person_with_head_and_neck_alone_is_nobody():
    truth = [*TRUTH[:2], _sample(3, labelled=(12, 13))]
    scores = crowdpose_ap(truth, [*FOUND[:2], _found(0, 0.7)], INDEX)
    assert (scores.hard, scores.ar50) == (-1, 1)
    emptied = [*TRUTH[:2], replace(TRUTH[2], visible=np.zeros((1, 14), np.uint8))]
    assert crowdpose_ap(emptied, [*FOUND[:2], _found(0, 0.7)], INDEX) == scores


def test_every_picture_needs_an_index():
    with pytest.raises((InputError, TypeError), match="crowd indices"):
        crowdpose_ap(TRUTH, FOUND, INDEX[:2])


@pytest.mark.shared
def test_the_example_files_give_the_published_numbers(shared):
    folder = shared / "annotations" / "evaluators"
    table = open_dataset(f"crowdpose:{folder}/example_crowdpose_val.json")
    rows = read_json(folder / "example_crowdpose_preds.json")
    found = []
    for sample in table:
        mine = [row for row in rows if row["image_id"] == sample.image_id]
        points = np.array([row["keypoints"] for row in mine], np.float32).reshape(-1, 14, 3)
        found.append(
            Poses(
                xy=points[:, :, :2], scores=points[:, :, 2].clip(0, 1),
                boxes=np.zeros((len(mine), 4), np.float32),
                score=np.array([row["score"] for row in mine], np.float32),
                skeleton=BONES, size=sample.size,
            )
        )  # fmt: skip
    scores = astuple(crowdpose_ap(list(table), found, table.picture_fields["crowd_index"]))
    expected = [0.7877, 0.9881, 0.7314, 0.8222, 1, 0.7778, 1, 0.9802, 0.4116]
    assert scores == pytest.approx(expected, abs=5e-5)
