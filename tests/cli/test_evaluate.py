"""The evaluate verb: its tables, its comparison, its refusals."""

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from vitruvian.cli import evaluate
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.bootstrap import Interval
from vitruvian.metrics.oks_ap import CocoScores
from vitruvian.metrics.report import DetectorRow, Person, Report, Row

BONES = skeleton("coco17")


def _args(*words):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return parser.parse_args(words)


def _report(right=6):
    half = Interval(value=0.5, low=0.412, high=0.6, people=4)
    nothing = Interval(value=np.nan, low=np.nan, high=np.nan, people=0)
    scores = dict.fromkeys(CocoScores.__dataclass_fields__, 0.25) | {"ap75": -1.0}
    row = Row(
        boxes="gt", source="all", pictures=3, oks_fraction=half, pck=half,
        coco=CocoScores(**scores), joints={"nose": (0.75, 4), "tail": (np.nan, 0)},
    )  # fmt: skip
    people = [
        Person(boxes="gt", source="zoo", image_id=1, id=n, thresholds=right, correct=right,
               counted=12) for n in range(4)
    ]  # fmt: skip
    return Report(
        model={"name": "m"}, data="coco:x", reference="torso", left_out=("tail",), rows=(row,),
        detector=(
            DetectorRow(source="all", size="large", recall=half, ap=None),
            DetectorRow(source="all", size="small", recall=nothing, ap=None),
        ),
        people=tuple(people),
    )  # fmt: skip


def test_the_tables_show_what_is_known_and_a_dash_for_the_rest():
    text = evaluate.tables(_report())
    lines = text.splitlines()
    assert "the model has no tail" in lines[1]
    assert lines[4].split() == [
        "gt", "all", "3", "4", "50.0", "[41.2,", "60.0]", "50.0", "[41.2,", "60.0]",
        "25.0", "25.0", "-", "25.0",
    ]  # fmt: skip
    assert "nose    75.0 of 4" in text
    assert "tail    - of 0" in text
    assert "large" in text
    assert "small" not in text


def test_two_reports_are_compared_in_percent(tmp_path, capsys):
    files = [tmp_path / "old.json", tmp_path / "new.json"]
    for file, right in zip(files, (6, 9), strict=True):
        file.write_text(_report(right).to_json())
    assert evaluate.run(_args("--compare", *map(str, files))) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0][-3:] == ["new", "-", "old"]
    assert rows[1] == ["gt", "all", "OKS", "4", "30.0", "[30.0,", "30.0]", "*"]
    assert rows[2] == ["gt", "all", "PCK", "4", "25.0", "[25.0,", "25.0]", "*"]


@pytest.fixture
def two_reports(tmp_path, monkeypatch):
    """Reports of three pictures; the second model is better on 2 and, by more, on 3."""
    monkeypatch.chdir(tmp_path)
    names = list(BONES.keypoints)
    images, people = [], []
    for i in (1, 2, 3):
        cv2.imwrite(f"{i}.png", np.full((200, 160, 3), 255, np.uint8))
        images.append({"id": i, "file_name": f"{i}.png", "height": 200, "width": 160})
        people.append(
            {"id": 10 * i, "image_id": i, "category_id": 1, "iscrowd": 0, "area": 9000,
             "keypoints": [80, 100, 2] * 17, "bbox": [40, 20, 80, 160]}
        )  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": names}
    data = {"images": images, "annotations": people, "categories": [category]}
    Path("labels.json").write_text(json.dumps(data))
    for name, thresholds, x in (("old", (9, 4, 2), 50.0), ("new", (9, 5, 9), 110.0)):
        rows = [
            Person(boxes="gt", source="zoo", image_id=i, id=10 * i, thresholds=right, correct=6,
                   counted=12, pose=(x, 60.0, 0.9) * 17)
            for i, right in zip((1, 2, 3), thresholds, strict=True)
        ]  # fmt: skip
        row = replace(_report().rows[0], joints=dict.fromkeys(names, (0.5, 3)))
        report = replace(_report(), data="coco:labels.json@.", rows=(row,), people=tuple(rows))
        Path(f"{name}.json").write_text(report.to_json())
    return tmp_path


def _dots(panel):
    """Mean x of what is drawn in colour on white, in the panel's pixels."""
    return np.flatnonzero((np.ptp(panel.astype(int), axis=2) > 60).any(0)).mean()


def test_the_pictures_that_differ_most_are_drawn_labels_first_second(two_reports):
    words = ["--compare", "old.json", "new.json", "-o", "told.json"]
    assert evaluate.run(_args(*words, "--html", "page.html", "--drawn", "most")) == 0
    text = Path("page.html").read_text()
    captions = re.findall("<figcaption>(.*?)</figcaption>", text)
    assert captions == [
        "zoo 3, gt boxes: labels, old (OKS 20), new (OKS 90)",
        "zoo 2, gt boxes: labels, old (OKS 40), new (OKS 50)",
    ]
    assert text.count("data:image/jpeg") == 2
    files = sorted(Path("most").iterdir())
    assert [file.name for file in files] == ["001.jpg", "002.jpg"]
    drawn = cv2.imread(str(files[0]))
    assert drawn.shape == (320, 870, 3)
    labels, old, new = (_dots(panel) for panel in np.split(drawn, 3, axis=1))
    assert old < labels < new
    told = json.loads(Path("told.json").read_text())["differences"]
    assert told[0]["interval"]["value"] == pytest.approx(0.8 / 3)


def test_as_many_pictures_are_drawn_as_asked_for(two_reports):
    words = ["--compare", "old.json", "new.json", "--drawn", "most"]
    assert evaluate.run(_args(*words, "--pictures", "1")) == 0
    assert len(list(Path("most").iterdir())) == 1
    assert evaluate.run(_args("--compare", "old.json", "new.json", "--html", "p.html")) == 0
    assert evaluate.run(_args(*words[:3], "--html", "p.html", "--pictures", "0")) == 0
    assert "<img" not in Path("p.html").read_text()


def test_reports_without_poses_or_of_other_data_are_not_drawn(two_reports):
    words = ["--compare", "old.json", "new.json", "--drawn", "most"]
    data = json.loads(Path("labels.json").read_text())
    Path("other.json").write_text(json.dumps(data | {"images": [], "annotations": []}))
    with pytest.raises(InputError, match="picture 3 of the reports is not in the data"):
        evaluate.run(_args(*words, "--data", "coco:other.json"))
    data["categories"][0]["keypoints"] = ["a", "b"]
    Path("other.json").write_text(json.dumps(data | {"images": [], "annotations": []}))
    with pytest.raises(InputError, match="2 keypoints, the reports 17 and 17"):
        evaluate.run(_args(*words, "--data", "coco:other.json"))
    for name in ("old.json", "new.json"):
        report = json.loads(Path(name).read_text())
        for person in report["people"]:
            del person["pose"]
        Path(name).write_text(json.dumps(report))
    assert evaluate.run(_args("--compare", "old.json", "new.json")) == 0
    with pytest.raises(InputError, match="keep no poses to draw"):
        evaluate.run(_args(*words))


def test_data_or_a_comparison_must_be_given(tmp_path):
    with pytest.raises(ConfigError, match="give --data"):
        evaluate.run(_args())
    with pytest.raises(InputError, match="not a report"):
        evaluate.run(_args("--compare", str(tmp_path / "a"), str(tmp_path / "b")))
    with pytest.raises(InputError, match="no file of boxes at"):
        evaluate.run(_args("--data", "coco:x.json", "--boxes", "gtt"))


def test_a_model_is_measured_from_the_command_line(tmp_path, capsys, monkeypatch):
    """Everything but the network: the predictor is one that finds nobody."""
    labels = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 50, "width": 40}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [9, 9, 2] * 17,
             "bbox": [5, 5, 30, 40], "area": 600}
        ],
        "categories": [{"id": 1, "keypoints": list(skeleton("coco17").keypoints)}],
    }  # fmt: skip
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "a.jpg").touch()
    asked = {}

    def load(model, **options):
        asked.update(options, model=model)
        return Nobody()

    monkeypatch.setattr("vitruvian.runtime.load.load", load)
    out = tmp_path / "report.json"
    words = ["mine.onnx", "--data", f"coco:{tmp_path / 'labels.json'}", "-o", str(out)]
    assert evaluate.run(_args(*words, "--boxes", "gt")) == 0
    assert (asked["model"], asked["detector"], asked["flip"]) == ("mine.onnx", None, None)
    assert evaluate.run(_args(*words, "--flip")) == 0
    assert (asked["detector"], asked["flip"]) == ("default", True)
    report = json.loads(out.read_text())
    assert report["model"]["name"] == "nobody"
    assert report["model"]["vitruvian"]
    assert [row["boxes"] for row in report["rows"]] == ["gt", "detector"]
    assert report["rows"][0]["oks_fraction"]["value"] == 0
    assert "recall@.5" in capsys.readouterr().out


class Nobody:
    provenance: ClassVar = {"name": "nobody"}
    skeleton = skeleton("coco17")
    takes_boxes = True

    def __call__(self, source, *, boxes=None):
        return [Poses.empty(skeleton("coco17"), (50, 40)) for _ in source]


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "_measured", lambda args: (_report(), None))
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="report"):
        evaluate.run(_args("--data", "coco:x", "-o", str(tmp_path / "file" / "report.json")))
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
