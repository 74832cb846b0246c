"""The data doctor: each check on data with one thing wrong, and what the repaired copy is."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.datasets import open_dataset
from vitruvian.datasets.mirrored import better_pairs, exchanged, exchanges
from vitruvian.datasets.pictures import look, near_duplicates, shared
from vitruvian.datasets.problems import diagnose
from vitruvian.datasets.sigmas import estimate_sigmas
from vitruvian.datasets.table import Table, people_table

STICK = Skeleton(name="stick", keypoints=("top", "end"))


def table(**changes):
    """Two people of two keypoints in one picture of 100 x 200, nothing wrong."""
    columns = dict(
        folder=Path("nowhere"),
        names=["a.png"],
        picture_of=np.zeros(2, np.int64),
        skeleton=STICK,
        xy=np.array([[[20, 20], [30, 60]], [[120, 20], [130, 60]]], np.float32),
        visible=np.full((2, 2), 2, np.uint8),
        boxes=np.array([[10, 10, 40, 70], [110, 10, 140, 70]], np.float32),
        source="test",
        sizes=np.array([[100, 200]]),
    )
    return people_table(**columns | changes)


def found(data):
    findings, repaired = diagnose(data)
    return [(one.check, one.person, one.keypoints) for one in findings], repaired


def edited(column, at, value):
    array = column.copy()
    array[at] = value
    return array


def test_nothing_is_found_where_nothing_is_wrong():
    assert found(table())[0] == []


def test_a_repaired_copy_is_healthy():
    sick = table(
        ids=np.array([7, 7]),
        area=np.array([0, 1e6], np.float32),
        boxes=np.array([[10, 10, 10, 10], [110, 10, 140, 30]], np.float32),
        xy=np.array([[[20, 20], [30, 60]], [[300, 20], [130, 60]]], np.float32),
    )
    findings, repaired = found(sick)
    assert {check for check, _, _ in findings} == {
        "identifiers", "areas", "boxes", "outside picture", "outside box",
    }  # fmt: skip
    assert found(repaired)[0] == []


def test_people_of_one_identifier_get_another():
    findings, repaired = found(table(ids=np.array([7, 7])))
    assert findings == [("identifiers", 7, ())]
    assert repaired.ids.tolist() == [7, 8]


def test_a_person_labelled_twice_is_left_out():
    one = table()
    rows = {name: getattr(one, name)[[0, 0]] for name in ("xy", "visible", "boxes")}
    findings, repaired = found(table(**rows))
    assert findings == [("doubles", 2, ())]
    assert repaired.ids.tolist() == [1]


@pytest.mark.parametrize("area", [0, -5, np.nan, 1e6])
def test_an_area_that_cannot_be_is_that_of_the_box(area):
    findings, repaired = found(table(area=np.array([area, 900], np.float32)))
    assert findings == [("areas", 1, ())]
    np.testing.assert_allclose(repaired.area, [0.53 * 30 * 60, 900])


def test_boxes_of_no_use_are_made_of_keypoints_or_left_out():
    boxes = np.array([[0, 0, 0, 0], [300, 10, 340, 70]], np.float32)
    visible = np.array([[2, 2], [0, 0]], np.uint8)
    xy = edited(table().xy, 1, np.nan)
    findings, repaired = found(table(boxes=boxes, visible=visible, xy=xy))
    assert findings == [("boxes", 1, ()), ("boxes", 2, ()), ("areas", 1, ())]
    np.testing.assert_allclose(repaired.boxes, [[16, 16, 34, 64]])


def test_keypoints_outside_picture_or_box():
    findings, repaired = found(table(xy=edited(table().xy, (0, 1), [-3, 60])))
    assert findings == [("outside picture", 1, ("end",))]
    assert repaired.visible.tolist() == [[2, 0], [2, 2]]
    findings, repaired = found(table(xy=edited(table().xy, (0, 1), [60, 60])))
    assert findings == [("outside box", 1, ("end",))]
    assert repaired.boxes[0].tolist() == [10, 10, 60, 70]
    assert found(table(xy=edited(table().xy, (1, 1), [145, 60])))[0] == []


def test_flags_that_mean_something_else():
    findings, repaired = found(table(xy=edited(table().xy, (0, 0), 0)))
    assert findings == [("visibility", 1, ("top",))]
    assert repaired.visible.tolist() == [[0, 2], [2, 2]]
    many = table(
        picture_of=np.zeros(20, np.int64),
        xy=np.tile(np.arange(20, dtype=np.float32)[:, None, None] + 12, (1, 2, 2)),
        visible=np.ones((20, 2), np.uint8),
        boxes=np.tile(np.array([[10, 10, 50, 50]], np.float32), (20, 1)),
    )
    findings, repaired = found(many)
    assert findings == [("visibility", None, ())]
    assert (repaired.visible == 2).all()


COCO = skeleton("coco17")
UPRIGHT = np.array(
    [
        [0, 0], [3, -3], [-3, -3], [7, -1], [-7, -1], [18, 22], [-18, 22], [27, 50], [-27, 50],
        [30, 75], [-30, 75], [11, 80], [-11, 80], [12, 120], [-12, 120], [13, 160], [-13, 160],
    ],
    float,
)  # fmt: skip


def poses(count, seed=0):
    """People seen from the front, left of the person at the right, turned and bent a little."""
    rng = np.random.default_rng(seed)
    angle = rng.normal(0, 0.1, count)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1)
    bent = UPRIGHT + rng.normal(0, 2.5, (count, 17, 2))
    scale, place = rng.uniform(0.5, 2, (count, 1, 1)), rng.uniform(100, 200, (count, 1, 2))
    return scale * bent @ turn.reshape(-1, 2, 2) + place


def test_a_limb_that_changed_sides_is_found_and_nobody_else():
    xy = poses(500)
    legs = [COCO.index(name) for name in ("left_knee", "right_knee", "left_ankle", "right_ankle")]
    xy[3, legs] = xy[3, [legs[1], legs[0], legs[3], legs[2]]]
    elbows = [COCO.index("left_elbow"), COCO.index("right_elbow")]
    xy[7, elbows] = xy[7, elbows[::-1]]
    result = {row: {p[0] for p in pairs} for row, pairs, _ in exchanged(xy, COCO)}
    assert result == {3: {"left_knee", "left_ankle"}, 7: {"left_elbow"}}
    assert exchanged(xy[:50], COCO) == []


def test_the_repaired_copy_has_the_limb_where_it_belongs():
    xy = poses(400).astype(np.float32)
    wrists = [COCO.index("left_wrist"), COCO.index("right_wrist")]
    sick = xy.copy()
    sick[5, wrists] = xy[5, wrists[::-1]]
    visible = np.full((400, 17), 2, np.uint8)
    visible[5, wrists[0]] = 1
    low, high = xy.min(1) - 30, xy.max(1) + 30
    data = table(
        picture_of=np.zeros(400, np.int64), skeleton=COCO, xy=sick, visible=visible,
        boxes=np.concatenate([low, high], 1), sizes=np.array([[2000, 2000]]),
    )  # fmt: skip
    findings, repaired = diagnose(data)
    assert [(one.check, one.person, one.fix) for one in findings] == [
        ("left and right", 6, "exchanged")
    ]
    np.testing.assert_array_equal(repaired.xy, xy)
    assert repaired.visible[5, wrists].tolist() == [2, 1]


def test_exchanges_are_pairs_and_what_hangs_on_them():
    tried = {frozenset(a for a, _ in pairs) for pairs in exchanges(COCO)}
    assert frozenset({"left_knee", "left_ankle"}) in tried
    assert frozenset({"left_wrist"}) in tried
    assert all(len(pairs) < len(COCO.swaps) for pairs in tried)


@pytest.mark.parametrize(
    "swaps",
    [
        COCO.swaps[:-1],
        (),
        (*COCO.swaps[:-2], ("left_knee", "right_ankle"), ("left_ankle", "right_knee")),
        (*COCO.swaps, ("nose", "nose2")),
    ],
)
def test_pairs_that_fail_when_mirrored_are_corrected(swaps):
    names = (*COCO.keypoints, "nose2")
    xy = poses(500)
    xy = np.concatenate([xy, xy[:, :1] + [0, 8]], 1)
    wrong = Skeleton(name="other", keypoints=names, swaps=swaps)
    better, gain = better_pairs(xy, wrong)
    assert {frozenset(p) for p in better} == {frozenset(p) for p in COCO.swaps}
    assert gain > 1
    right = replace(wrong, swaps=COCO.swaps)
    assert better_pairs(xy, right) == (COCO.swaps, 0.0)


@pytest.mark.shared
def test_real_labels_have_the_pairs_of_their_skeletons(shared):
    for spec in ("lsp:samples/lsp", "flic:annotations/flic/flic_annot_valid.h5"):
        reader, _, where = spec.partition(":")
        data = open_dataset(f"{reader}:{shared}/{where}")
        assert better_pairs(data.xy.astype(float), data.skeleton)[1] == 0


def paint(file, seed, quality=95, size=(96, 128)):
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8).astype(np.uint8), size[::-1])
    cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])


def pictures(folder, names, sizes):
    count = len(names)
    empty = np.zeros((0, 2, 2), np.float32)
    return table(
        folder=folder, names=names, picture_of=np.zeros(0, np.int64), xy=empty,
        visible=empty[:, :, 0].astype(np.uint8), boxes=np.zeros((0, 4), np.float32),
        sizes=np.array(sizes).reshape(count, 2),
    )  # fmt: skip


def test_pictures_that_are_corrupt_or_of_another_size(tmp_path):
    for n in range(3):
        paint(tmp_path / f"{n}.jpg", n)
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    names = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    data = pictures(tmp_path, names, [[96, 128], [96, 128], [128, 96], [9, 9]])
    (findings, repaired), looks = look(data)
    assert [(one.check, one.picture) for one in findings] == [
        ("pictures", "1.jpg"), ("sizes", "2.jpg"), ("pictures", "3.jpg"),
    ]  # fmt: skip
    assert repaired.names == looks.names == ["0.jpg", "2.jpg"]
    assert repaired.sizes.tolist() == [[96, 128], [96, 128]]
    (findings, repaired), _ = look(replace(data, folder=tmp_path / "elsewhere"))
    assert len(findings) == 1
    assert "none of 4 pictures can be read" in findings[0].what
    assert len(repaired) == 4


def test_a_picture_in_two_splits_is_found_whatever_was_done_to_it(tmp_path):
    for n in range(12):
        paint(tmp_path / f"{n}.jpg", n)
        paint(tmp_path / f"other{n}.jpg", 100 + n)
    paint(tmp_path / "worse.jpg", 3, quality=30)
    paint(tmp_path / "smaller.jpg", 5, size=(48, 64))
    grey = np.full((50, 50, 3), 90, np.uint8)
    for name in ("flat1.png", "flat2.png"):
        cv2.imwrite(str(tmp_path / name), grey)
    train = [*(f"{n}.jpg" for n in range(12)), "flat1.png"]
    val = [*(f"other{n}.jpg" for n in range(12)), "worse.jpg", "smaller.jpg", "flat2.png"]
    (_, one), looks = look(pictures(tmp_path, train, [[0, 0]] * 13))
    (_, _), others = look(pictures(tmp_path, val, [[0, 0]] * 15))
    assert near_duplicates(looks, others) == [(3, 12), (5, 13)]
    findings, repaired = shared(one, looks, others, "val")
    assert [(one.picture, one.what) for one in findings] == [
        ("3.jpg", "the same picture as worse.jpg of val"),
        ("5.jpg", "the same picture as smaller.jpg of val"),
    ]
    assert len(repaired) == 11


def labelled_by(rng, truth, sigmas, area):
    noise = rng.normal(size=truth.shape) * sigmas[:, None] * np.sqrt(area / 2)
    return (truth + noise).astype(np.float32)


def test_sigmas_of_two_annotators_are_those_they_were_made_with():
    rng, sigmas, area, count = np.random.default_rng(0), np.array([0.02, 0.1]), 5000.0, 800
    truth = rng.uniform(0, 100, (count, 2, 2))
    common: dict[str, object] = dict(
        names=[f"{n}.jpg" for n in range(count)], picture_of=np.arange(count),
        visible=np.full((count, 2), 2, np.uint8), sizes=np.full((count, 2), 100),
        boxes=np.tile(np.array([[0, 0, 100, 100]], np.float32), (count, 1)),
        area=np.full(count, area, np.float32),
    )  # fmt: skip
    one = table(xy=labelled_by(rng, truth, sigmas, area), **common)
    two = table(xy=labelled_by(rng, truth, sigmas, area), **common)
    found = estimate_sigmas(one, two.select(np.arange(count)[::-1]))
    np.testing.assert_allclose(found.values, sigmas, rtol=0.08)
    assert found.counts.tolist() == [count, count]
    with pytest.raises(InputError, match="no person in common"):
        estimate_sigmas(one, replace(two, names=["x"] * count))


def test_a_table_of_some_people_keeps_its_pictures():
    data: Table = table().only(np.array([False, True]))
    assert (data.first.tolist(), data.ids.tolist()) == ([0, 1], [2])
