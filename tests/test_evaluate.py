"""Evaluation of a predictor that knows the truth and spoils it in known ways."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.core.types import Boxes
from vitruvian.datasets.table import Table
from vitruvian.evaluate import ask, evaluate, outcomes
from vitruvian.metrics.report import compare, in_common, load_report, most_different

COCO = skeleton("coco17")
RNG = np.random.default_rng(3)
BODY = (RNG.random((17, 2)) * [80, 180] + [5, 5]).astype(np.float32)


def _table(bones=COCO, **changes):
    """Three pictures: two people, one person, nobody; the last two from another source."""
    count = len(bones)
    xy = np.stack([BODY[:count] + np.float32([shift, 0]) for shift in (0, 150, 40)])
    corner = np.float32([[0, 0], [150, 0], [40, 0]])
    fields = {
        "folder": Path(), "names": ["0", "1", "2"], "sizes": np.full((3, 2), 300),
        "image_ids": np.array([7, 8, 9]), "first": np.array([0, 2, 3, 3]), "skeleton": bones,
        "xy": xy, "visible": np.full((3, count), 2, np.uint8),
        "boxes": np.concatenate([corner, corner + np.float32([90, 200])], 1).astype(np.float32),
        "area": np.full(3, 9000, np.float32), "crowd": np.zeros(3, bool), "ids": np.arange(1, 4),
        "fully_annotated": np.array([True, False, True]), "sources": ["a", "b", "b"],
    }  # fmt: skip
    return Table(**(fields | changes))


class Oracle:
    """Finds the labelled people of a table, moved by ``shift`` pixels; keeps what it was asked."""

    def __init__(self, table, shift=0.0, extra=False, bones=None):
        self.samples = {sample.path: sample for sample in table}
        self.shift, self.extra, self.bones = shift, extra, bones
        self.calls = []

    def __call__(self, source, *, boxes=None):
        self.calls.append(len(source))
        samples = [self.samples[path] for path in source]
        if boxes is None:
            return [self._all(sample) for sample in samples]
        return [self._in(sample, some.xyxy) for sample, some in zip(samples, boxes, strict=True)]

    def _all(self, sample: Sample) -> Poses:
        everyone = self._in(sample, sample.boxes[::-1])
        if not self.extra:
            return everyone
        stray = replace(
            everyone[:1], xy=everyone.xy[:1] + 90, boxes=everyone.boxes[:1] + 90,
            score=np.float32([0.99])[: len(everyone)],
        )  # fmt: skip
        columns = ("xy", "scores", "boxes", "score")
        both = {c: np.concatenate([getattr(stray, c), getattr(everyone, c)]) for c in columns}
        return replace(everyone, **both)

    def _in(self, sample: Sample, boxes: np.ndarray) -> Poses:
        bones = self.bones or sample.skeleton
        rows = [int(np.argmin(np.abs(sample.boxes - box).sum(1))) for box in boxes]
        xy = sample.xy[rows][:, : len(bones)] + np.float32([self.shift, 0])
        return Poses(
            xy=xy, scores=np.full(xy.shape[:2], 0.9, np.float32), boxes=np.float32(boxes),
            score=np.full(len(xy), 0.8, np.float32), skeleton=bones, size=sample.size,
        )  # fmt: skip


def _rows(report):
    return {(row.boxes, row.source): row for row in report.rows}


def test_the_truth_itself_scores_one_everywhere():
    table = _table()
    report = evaluate(Oracle(table), table)
    assert set(_rows(report)) == {(b, s) for b in ("gt", "detector") for s in ("all", "a", "b")}
    for row in report.rows:
        assert (row.oks_fraction.value, row.pck.value) == (1, 1)
        assert set(row.joints.values()) == {(1.0, row.pck.people)}
    assert _rows(report)["gt", "all"].coco.ap == pytest.approx(1)
    assert _rows(report)["gt", "all"].pictures == 3
    assert (report.reference, report.left_out) == ("torso", ())
    assert all(row.recall.value == 1 for row in report.detector if row.recall.people)


def test_a_known_shift_gives_the_numbers_of_the_formulas():
    table = _table()
    torso = np.linalg.norm(BODY[5] - BODY[12])
    report = evaluate(Oracle(table, shift=0.21 * torso), table, boxes=["gt"])
    assert report.rows[0].pck.value == 0
    assert evaluate(Oracle(table, shift=0.19 * torso), table, boxes=["gt"]).rows[0].pck.value == 1
    variance = (2 * COCO.oks_sigmas.astype(float)) ** 2
    oks = np.exp(-((0.21 * torso) ** 2) / (2 * 9000 * variance)).mean()
    expected = np.mean(oks > np.arange(50, 100, 5) / 100)
    assert report.rows[0].oks_fraction.value == pytest.approx(expected)


def test_a_stray_pose_costs_precision_only_where_everybody_is_labelled():
    table = _table()
    rows = _rows(evaluate(Oracle(table, extra=True), table, boxes=["detector"]))
    assert rows["detector", "all"].oks_fraction.value == 1
    assert rows["detector", "a"].coco.ap < 0.8
    assert rows["detector", "a"].coco.ar == pytest.approx(1)
    # Picture 1 of source b is not fully annotated, and in picture 2 there is nobody.
    assert rows["detector", "b"].coco.ap == -1


def test_detector_scores_come_per_size_with_recall_over_every_picture():
    table = _table()
    report = evaluate(Oracle(table, extra=True), table, boxes=["detector"])
    rows = {(row.source, row.size): row for row in report.detector}
    assert rows["all", "large"].recall.people == 3
    assert rows["all", "small"].recall.people == 0
    assert rows["all", "all"].recall.value == 1
    assert 0 < rows["a", "large"].ap < 1
    assert rows["a", "small"].ap is None


def test_crowds_and_unlabelled_people_do_not_count():
    visible = np.full((3, 17), 2, np.uint8)
    visible[1] = 0
    xy = _table().xy.copy()
    xy[1] = np.nan
    table = _table(visible=visible, xy=xy, crowd=np.array([False, False, True]))
    report = evaluate(Oracle(table), table, boxes=["gt"])
    assert [person.id for person in report.people] == [1]
    assert report.rows[0].pck.people == 1


def test_a_person_nobody_found_counts_as_wrong():
    table = _table()
    nobody = {7: Boxes(xyxy=table.boxes[:1], scores=np.ones(1, np.float32))}
    report = evaluate(Oracle(table), table, boxes=["given"], given=nobody)
    assert report.rows[0].oks_fraction.value == pytest.approx(1 / 3)
    assert report.rows[0].pck.value == pytest.approx(1 / 3)


def test_a_box_that_cannot_be_used_is_not_given_to_the_predictor():
    boxes = _table().boxes.copy()
    boxes[1] = [400, 0, 500, 10]
    table = _table(boxes=boxes)
    assert evaluate(Oracle(table), table, boxes=["gt"]).rows[0].pck.value == pytest.approx(2 / 3)


def test_joints_the_model_does_not_have_are_named_and_not_counted():
    head = Skeleton(name="head", keypoints=COCO.keypoints[:11])
    table = _table()
    report = evaluate(Oracle(table, bones=head), table, boxes=["gt"])
    assert report.left_out == COCO.keypoints[11:]
    assert report.rows[0].oks_fraction.value == 1
    assert report.rows[0].joints["left_hip"][1] == 0
    # The torso needs a hip: the truth has one.
    assert report.rows[0].pck.value == 1


def test_a_skeleton_of_three_keypoints_is_measured_by_the_box():
    hand = Skeleton(name="hand", keypoints=("palm", "tip", "thumb"))
    table = _table(bones=hand)
    report = evaluate(Oracle(table, shift=39), table, boxes=["gt", "detector"])
    assert report.reference == "box"
    for row in report.rows:
        assert (row.oks_fraction, row.coco, row.pck.value) == (None, None, 1)
    assert evaluate(Oracle(table, shift=41), table, boxes=["gt"]).rows[0].pck.value == 0


def test_sources_limits_and_batches_choose_the_pictures():
    table = _table()
    oracle = Oracle(table)
    done = []
    report = evaluate(oracle, table, boxes=["gt"], source="b", progress=done.append)
    assert [row.source for row in report.rows] == ["all"]
    assert (oracle.calls, done, report.rows[0].pictures) == ([2], [2], 2)
    oracle = Oracle(table)
    evaluate(oracle, table, boxes=["gt", "detector"], limit=2, batch=1)
    assert oracle.calls == [1] * 4
    with pytest.raises(InputError, match=r"no picture of source 'c'; the data has \['a', 'b'\]"):
        evaluate(oracle, table, source="c")


def test_reports_of_the_same_people_are_compared_in_pairs(tmp_path):
    table = _table()
    torso = np.linalg.norm(BODY[5] - BODY[12])
    files = tmp_path / "a.json", tmp_path / "b.json"
    for file, shift in zip(files, (0.21 * torso, 0), strict=True):
        report = evaluate(Oracle(table, shift=shift), table, model={"name": file.stem})
        file.write_text(report.to_json())
    first, second = (load_report(file) for file in files)
    pairs = in_common(first.people, second.people)
    found = compare(pairs, np.random.default_rng(0))
    gains = {(d.boxes, d.source, d.metric): d.interval for d in found}
    assert len(gains) == 2 * 3 * 2
    assert gains["gt", "all", "pck"].value == gains["gt", "all", "pck"].low == 1
    assert json.loads(files[0].read_text())["model"] == {"name": "a"}
    assert first.keypoints == table.skeleton.keypoints
    pose = np.array(pairs[0][1].pose).reshape(-1, 3)
    np.testing.assert_allclose(pose[:, :2], table.xy[0], atol=0.06)
    assert len(most_different(pairs)) == 4  # two pictures with people, two kinds of boxes
    assert most_different(in_common(first.people, first.people)) == []


def test_the_curve_rises_where_the_shift_is_a_share_of_the_torso():
    table = _table()
    torso = float(np.linalg.norm(BODY[5] - BODY[12]))
    (row,) = evaluate(Oracle(table, shift=0.305 * torso), table, boxes=["gt"], limit=1).rows
    assert row.curve == (0.0,) * 31 + (1.0,) * 20
    assert row.auc == pytest.approx(0.39)  # trapezoid from .30 to .31, then 1


def test_a_report_of_nobody_is_still_json():
    table = _table().select([2])
    report = evaluate(Oracle(table), table)
    assert report.rows[0].pck.people == 0
    data = json.loads(report.to_json())
    assert data["rows"][0]["pck"]["value"] is None


def test_foreign_reports_and_strangers_are_refused(tmp_path):
    file = tmp_path / "x.json"
    with pytest.raises(InputError, match="not a report"):
        load_report(file)
    file.write_text('{"people": [{"id": 1}]}')
    with pytest.raises(InputError, match="not a report"):
        load_report(file)
    with pytest.raises(InputError, match="no people in common"):
        in_common([], [])


def test_a_thorough_report_tells_mistakes_and_trust(tmp_path):
    table = _table()
    report = evaluate(Oracle(table, shift=2.0), table, boxes=("gt", "detector"), thorough=True)
    assert set(report.diagnosis) == set(report.reliability) == {"gt", "detector"}
    assert sum(report.diagnosis["gt"].kinds.values()) == 3 * 17
    assert sum(report.diagnosis["detector"].kinds.values()) == 2 * 17  # of the whole pictures alone
    assert sum(report.reliability["gt"].count) == 3 * 17
    written = json.loads(report.to_json())
    assert written["diagnosis"]["gt"]["missed"] == 0
    assert written["reliability"]["gt"]["ece"] >= 0


def test_outcomes_say_which_keypoints_were_right():
    table = _table()
    found = outcomes(ask(Oracle(table, shift=300.0), table, boxes=("gt",)), "gt")
    assert len(found) == 3 * 17
    assert not found.right.any()
    near = outcomes(ask(Oracle(table), table, boxes=("gt",)), "gt")
    assert near.right.all()
    assert near.picture.tolist() == [0] * 34 + [1] * 17
