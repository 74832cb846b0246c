"""Converting labels from the command line."""

import json

import cv2
import numpy as np
import pytest

from vitruvian.datasets import open_dataset


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """``in/labels.json``: a person, a hidden keypoint, a crowd; pictures in ``in/images``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "images").mkdir(parents=True)
    cv2.imwrite("in/images/a.png", np.zeros((40, 30, 3), np.uint8))
    person = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 20, 30], "area": 100, "iscrowd": 0}
    data = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 30}],
        "annotations": [
            person | {"id": 7, "keypoints": [5, 6, 2, 7, 8, 1]},
            person | {"id": 8, "keypoints": [0] * 6, "iscrowd": 1},
            person | {"id": 9, "keypoints": [5, 6]},
        ],
        "categories": [{"id": 1, "name": "stick", "keypoints": ["top", "end"]}],
    }
    (tmp_path / "in" / "labels.json").write_text(json.dumps(data))
    return tmp_path


def test_what_the_target_cannot_hold_is_said_and_counted(vitruvian, labels):
    done = vitruvian(
        "convert-dataset", "coco:in/labels.json@in/images", "yolo_pose:out/data.yaml#train",
        "--skip-bad",
    )  # fmt: skip
    assert done.code == 0
    assert "annotations[2] (id 9) keypoints is [5, 6]; expected 6 numbers" in done.err
    assert "1 left out" in done.err
    assert "yolo_pose does not keep: 1 crowd regions" in done.err
    assert "yolo_pose does not keep: 1 areas" in done.err
    assert "flags" not in done.err
    assert done.out == "yolo_pose:out/data.yaml#train: 1 pictures, 1 people\n"
    table = open_dataset("yolo_pose:out/data.yaml#train")
    assert table.visible.tolist() == [[2, 1]]
    assert table.xy.tolist() == [[[5, 6], [7, 8]]]


def test_a_bad_record_stops_the_conversion(vitruvian, labels):
    done = vitruvian("convert-dataset", "coco:in/labels.json@in/images", "coco:out.json")
    assert done.code == 1
    assert "annotations[2] (id 9)" in done.err
    assert not (labels / "out.json").exists()


def test_the_name_to_open_the_result_by_is_printed(vitruvian, labels):
    source = "coco:in/labels.json@in/images"
    done = vitruvian("convert-dataset", source, "cvat:out/a.xml", "--skip-bad")
    assert done.out.startswith("cvat:out/a.xml@in/images: 1 pictures")
    done = vitruvian("convert-dataset", source, "coco:out/b.json@in", "--skip-bad")
    assert "does not keep" not in done.err
    assert open_dataset("coco:out/b.json@in").names == ["images/a.png"]
    done = vitruvian("convert-dataset", source, "mpii:out/c.json", "--skip-bad")
    assert done.code == 2
    assert "write_mpii" in done.err
