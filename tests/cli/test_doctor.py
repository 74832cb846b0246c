import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitruvian.cli import doctor
from vitruvian.runtime import weights


@pytest.fixture
def shipped(work, monkeypatch):
    """An installation with the painted models."""
    index = {}
    for name in ("pose", "detector"):
        data = (work / f"{name}.onnx").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        index[name] = {"file": f"{name}.onnx", "sha256": digest, "bytes": len(data)}
    (work / "models.json").write_text(json.dumps(index))

    monkeypatch.setattr(weights, "FOLDER", work)
    return work


def test_a_healthy_installation(vitruvian, shipped):
    done = vitruvian("doctor")
    assert done.code == 0
    assert "BROKEN" not in done.out
    for line in ("numpy ", "openvino ", "OpenVINO cpu", "bundled model pose", "prediction works"):
        assert line in done.out


def test_a_tampered_model_is_found(vitruvian, shipped):
    path = shipped / "models.json"
    path.write_text(path.read_text().replace('"bytes": ', '"bytes": 1'))
    done = vitruvian("doctor")
    assert done.code == 1
    assert "BROKEN models" in done.out
    assert "numpy " in done.out


def test_a_missing_package_is_named(vitruvian, monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", {"no-such-package": ""})
    done = vitruvian("doctor")
    assert done.code == 1
    assert "BROKEN versions: no-such-package is not installed" in done.out


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Two splits of painted pictures: sick labels, a corrupt picture, one picture in both."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        pixels = rng.integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(f"{name}.png", cv2.resize(pixels, (80, 60)))
    (tmp_path / "bad.png").write_bytes((tmp_path / "b.png").read_bytes()[:200])
    cv2.imwrite("twin.jpg", cv2.imread("c.png"))
    person = {
        "category_id": 1,
        "bbox": [1, 2, 20, 30],
        "area": 100,
        "keypoints": [5, 6, 2, 7, 8, 1],
    }
    write("train.json", ("a.png", "bad.png", "c.png"), [
        person | {"id": 1, "image_id": 1, "area": 0},
        person | {"id": 1, "image_id": 3, "keypoints": [5, 6, 2, 90, 8, 1]},
        person | {"id": 3, "image_id": 3, "keypoints": [5, 6, 2]},
        person | {"id": 4, "image_id": 1, "keypoints": [5, 6, 0, 7, 9, 1]},
    ])  # fmt: skip
    write("val.json", ("b.png", "twin.jpg"), [person | {"id": 1, "image_id": 1}])
    return tmp_path


def write(name, files, people):
    images = [
        {"id": n, "file_name": file, "height": 60, "width": 80} for n, file in enumerate(files, 1)
    ]
    categories = [{"id": 1, "name": "stick", "keypoints": ["top", "end"]}]
    data = {"images": images, "annotations": people, "categories": categories}
    Path(name).write_text(json.dumps(data))


def test_sick_data_are_described_and_repaired(vitruvian, labels):
    specs = ("coco:train.json@.", "coco:val.json@.")
    done = vitruvian("doctor", *specs, "--fix", "new/fixed.json", "--json", "found.json")
    assert (done.code, done.err) == (1, "")
    for line in (
        "coco:train.json@.: 3 pictures, 3 people, 2 keypoints of stick",
        "records: 1 found; fix: left out",
        "  train.json: annotations[2] (id 3) keypoints is",
        "visibility: 1 found; fix: not labelled",
        "pictures: 1 found; fix: left out\n  bad.png: cannot decode",
        "identifiers: 1 found; fix: a new identifier\n  c.png person 1: another person has",
        "outside picture: 1 found; fix: not labelled\n  c.png person 5: outside the picture (end)",
        "areas: 1 found; fix: 0.53 of the box\n  a.png person 1: its area is not positive",
        "splits: 1 found; fix: left out\n  c.png: the same picture as twin.jpg of coco:val",
        "coco:val.json@.:\nnothing found",
        "repaired: coco:new/fixed.json@.: 1 pictures, 2 people",
    ):
        assert line in done.out
    report = json.loads(Path("found.json").read_text())
    assert len(report["coco:train.json@."]) == 7
    assert report["coco:val.json@."] == []
    again = vitruvian("doctor", "coco:new/fixed.json@.", "coco:val.json@.")
    assert (again.code, again.out.count("nothing found")) == (0, 2)


def test_labels_can_be_checked_without_their_pictures(vitruvian, labels):
    done = vitruvian("doctor", "coco:val.json@nowhere", "--no-pictures")
    assert (done.code, "nothing found" in done.out) == (0, True)
    done = vitruvian("doctor", "coco:val.json@nowhere")
    assert done.code == 1
    assert "pictures: 1 found; to be decided by you\n  none of 2 pictures can be read" in done.out


def test_sigmas_of_two_annotators(vitruvian, labels):
    done = vitruvian("doctor", "--sigmas", "coco:val.json", "coco:val.json", "--json", "s.json")
    assert done.code == 0
    assert done.out.splitlines() == ["top  0.0000  1 people", "end  0.0000  1 people"]
    assert json.loads(Path("s.json").read_text())["top"] == {"sigma": 0.0, "people": 1}


def test_the_doctor_needs_data_to_repair(vitruvian):
    done = vitruvian("doctor", "--fix", "x.json")
    assert done.code == 2
    assert "give DATA" in done.err
