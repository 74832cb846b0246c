"""The calibrate verb: a painted model whose scores are made to say how often it is right."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.painted import BONES, paint, person
from vitruvian.cli.main import main
from vitruvian.runtime.load import load

BOX = (60.0, 40.0, 160.0, 240.0)


@pytest.fixture
def labels(work):
    """COCO annotations of 12 pictures; the labels of every second one are far from the person."""
    images, people = [], []
    for i in range(1, 13):
        cv2.imwrite(f"{i}.png", paint((300, 220), BOX)[..., ::-1])
        images.append({"id": i, "file_name": f"{i}.png", "width": 220, "height": 300})
        xy = person(BOX) + (90 if i % 2 else 0)
        flat = np.concatenate([xy, np.full((17, 1), 2)], 1).ravel().tolist()
        box = {"bbox": [60, 40, 100, 200], "area": 9000, "iscrowd": 0, "num_keypoints": 17}
        people.append({"id": i, "image_id": i, "category_id": 1, "keypoints": flat, **box})
    category = {"id": 1, "name": "person", "keypoints": list(BONES.keypoints), "skeleton": []}
    data = {"images": images, "annotations": people, "categories": [category]}
    (work / "labels.json").write_text(json.dumps(data))
    return "coco:labels.json@."


def test_scores_become_the_share_that_is_right(labels, capsys):
    words = ["calibrate", "pose.onnx", "--data", labels, "-o", "better.onnx"]
    assert main([*words, "--json", "told.json"]) == 0
    told = re.search(r"error ([\d.]+) before, ([\d.]+) after", capsys.readouterr().out)
    assert float(told[2]) < float(told[1])
    before, after = (load(name, detector=None, threads=1) for name in ("pose.onnx", "better.onnx"))
    box = np.array([BOX], np.float32)
    first, second = (pose("2.png", boxes=box) for pose in (before, after))
    written = json.loads(Path("told.json").read_text())
    assert (written["keypoints"], written["pictures"]) == (12 * 17, 12)
    assert f"{written['before']['ece']:.3f}" == told[1]
    assert f"{written['after_held_out']['ece']:.3f}" == told[2]
    assert written["calibrated_sha256"] == after.provenance["model"]["sha256"]
    assert {"command", "vitruvian", "runtime"} <= {*written}
    np.testing.assert_array_equal(first.xy, second.xy)
    assert np.abs(second.scores - 0.5).max() < 0.15 < np.abs(first.scores - 0.5).max()


def test_too_few_keypoints_are_refused(labels, capsys, work):
    words = ["calibrate", "pose.onnx", "--data", labels, "-o", "better.onnx", "--limit", "2"]
    assert main(words) == 1
    assert "needs 100 keypoints" in capsys.readouterr().err
    assert not (work / "better.onnx").exists()
