"""The evaluate verb: its tables, its comparison, its refusals."""

import argparse
import json
from typing import ClassVar

import numpy as np
import pytest

from vitruvian.cli import evaluate
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import skeleton
from vitruvian.metrics.bootstrap import Interval
from vitruvian.metrics.oks_ap import CocoScores
from vitruvian.metrics.report import DetectorRow, Person, Report, Row


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
