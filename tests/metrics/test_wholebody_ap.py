"""COCO-WholeBody's scores: its example, and which poses and people count in a part."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.wholebody import wholebody
from vitruvian.metrics.wholebody_ap import PARTS, wholebody_ap

BONES = skeleton("coco_wholebody133")
XY = (np.random.default_rng(0).random((1, 133, 2)) * [80, 180] + [20, 20]).astype(np.float32)


def _sample(**changes):
    fields = {
        "path": "", "size": (300, 300), "skeleton": BONES, "xy": XY,
        "visible": np.full((1, 133), 2, np.uint8), "image_id": 1,
        "boxes": np.float32([[20, 20, 100, 200]]), "area": np.float32([12000]),
        "crowd": np.zeros(1, bool),
    }  # fmt: skip
    return Sample(**fields | changes)


def _poses(xy=XY, scores=None, score=(0.9,)):
    return Poses(
        xy=xy,
        scores=np.ones(xy.shape[:2], np.float32) if scores is None else scores,
        boxes=np.zeros((len(xy), 4), np.float32),
        score=np.float32(score),
        skeleton=BONES,
        size=(300, 300),
    )


@pytest.mark.shared
def test_the_example_files_give_the_published_numbers(shared):
    folder = shared / "annotations" / "evaluators"
    table = wholebody(f"{folder / 'example_wholebody_val.json'}@nowhere")
    names = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
    rows = json.loads((folder / "example_wholebody_preds.json").read_text())
    samples, found = list(table), []
    for sample in samples:
        here = [row for row in rows if row["image_id"] == sample.image_id]
        points = np.array([[n for name in names for n in row[name]] for row in here], np.float32)
        points = points.reshape(-1, 133, 3)
        poses = _poses(points[..., :2], points[..., 2], [row["score"] for row in here])
        found.append(replace(poses, size=sample.size))
    scores = wholebody_ap(samples, found)
    ap = dict(zip(PARTS, (0.8539, 0.9571, 0.7270, 0.5487, 0.4978, 0.6421), strict=True))
    ar = dict(zip(PARTS, (0.8958, 0.9750, 0.7462, 0.5750, 0.5615, 0.7042), strict=True))
    assert scores.ap == pytest.approx(ap, abs=5e-5)
    assert scores.ar == pytest.approx(ar, abs=5e-5)


def test_a_part_that_is_not_labelled_has_no_score_and_spoils_no_other():
    visible = np.full((1, 133), 2, np.uint8)
    visible[:, PARTS["face"]] = 0
    xy = np.where(visible[..., None] > 0, XY, np.float32(np.nan))
    scores = wholebody_ap([_sample(xy=xy, visible=visible)], [_poses()])
    assert scores.ap == pytest.approx(dict.fromkeys(PARTS, 1.0) | {"face": -1.0})


def test_a_pose_without_scores_in_a_part_is_left_out_there():
    two = np.concatenate([XY + 900, XY])
    certain = np.ones((2, 133), np.float32)
    certain[0, PARTS["left_hand"]] = 0
    found = _poses(two, certain, (0.9, 0.5))
    scores = wholebody_ap([_sample()], [found])
    assert scores.ap == pytest.approx(dict.fromkeys(PARTS, 0.5) | {"left_hand": 1.0})


def test_other_skeletons_are_refused():
    coco = skeleton("coco17")
    sample = _sample(xy=XY[:, :17], visible=np.full((1, 17), 2, np.uint8), skeleton=coco)
    with pytest.raises(InputError, match="17 keypoints of coco17"):
        wholebody_ap([sample], [Poses.empty(coco, (300, 300))])
