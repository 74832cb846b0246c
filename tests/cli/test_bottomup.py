"""Bottom-up models on the command line."""

import json

import cv2
import pytest

from tests.painted import BONES, paint, person, scene_model

FIRST, SECOND = (20.0, 40.0, 80.0, 150.0), (230.0, 30.0, 290.0, 140.0)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """The current folder: ``scene.onnx``, ``two.png``, and its labels ``two.json``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.onnx").write_bytes(scene_model())
    cv2.imwrite("two.png", paint((160, 320), FIRST, SECOND)[..., ::-1])
    people = [
        {
            "id": i,
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "num_keypoints": 17,
            "area": 6600,
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "keypoints": [v for x, y in person(box).tolist() for v in (x, y, 2)],
        }
        for i, box in enumerate((FIRST, SECOND), start=1)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(BONES.keypoints), "skeleton": []}
    image = {"id": 1, "file_name": "two.png", "width": 320, "height": 160}
    labels = {"images": [image], "annotations": people, "categories": [category]}
    (tmp_path / "two.json").write_text(json.dumps(labels))
    return tmp_path


def test_predict_finds_people_without_a_detector(vitruvian, scene):
    words = ("two.png", "--model", "scene.onnx", "--threads", "1", "--quiet", "-o", "out.json")
    assert vitruvian("predict", *words).code == 0
    found = json.loads((scene / "out.json").read_text())
    people = found if isinstance(found, list) else found["annotations"]
    assert len(people) == 2
    refused = vitruvian("predict", *words, "--whole-image")
    assert refused.code == 2
    assert "'painted_scene' is a bottom-up model" in refused.err


def test_evaluate_measures_the_people_that_it_finds(vitruvian, scene):
    words = ("scene.onnx", "--data", "coco:two.json@.", "--threads", "1", "--quiet", "-o", "r.json")
    done = vitruvian("evaluate", *words)
    assert done.code == 0, done.err
    report = json.loads((scene / "r.json").read_text())
    assert [row["boxes"] for row in report["rows"]] == ["detector"]
    assert report["rows"][0]["oks_fraction"]["value"] > 0.8


def test_info_tells_the_rule_of_the_view(vitruvian, scene):
    out = vitruvian("info", "scene.onnx").out
    assert "bottomup" in out
    assert "short" in out
