"""Readers of the other published formats, on small files of their layout and on real samples."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset


def _json(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data))
    return file


def _mat(file, **variables):
    file.parent.mkdir(parents=True, exist_ok=True)
    savemat(file, variables)
    return file


# AI Challenger


def _aic(points=None, **changes):
    points = points or [5, 6, 1, 7, 8, 2, 0, 0, 3] + [0, 0, 3] * 11
    picture = {
        "image_id": "abc",
        "human_annotations": {"human2": [1, 2, 11, 22], "human1": [0, 0, 5, 5]},
        "keypoint_annotations": {"human1": [0, 0, 3] * 14, "human2": points},
    }
    return [picture | changes]


def test_aic_flags_mean_visible_hidden_and_not_labelled(tmp_path):
    table = open_dataset(f"aic:{_json(tmp_path / 'a.json', _aic())}@{tmp_path}")
    assert table.names == ["abc.jpg"]
    assert table.boxes.tolist() == [[1, 2, 11, 22], [0, 0, 5, 5]]
    assert table.visible[0, :4].tolist() == [2, 1, 0, 0]
    assert table.xy[0, :2].tolist() == [[5, 6], [7, 8]]
    assert np.isnan(table.xy[0, 2:]).all()
    assert not table.visible[1].any()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_aic(points=[1, 2, 4] * 14), r"people\[0\] \(id abc human2\) keypoints is .*flags are 1"),
        (_aic(points=[1, 2]), "expected 42 numbers"),
        (_aic(keypoint_annotations={}), r"pictures\[0\] \(abc\): \['human1', 'human2'\] have"),
        ({"images": []}, "expected a list"),
    ],
)
def test_aic_names_what_is_wrong(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        open_dataset(f"aic:{_json(tmp_path / 'a.json', data)}")


# CrowdPose and Human-Art


def test_crowdpose_keeps_the_crowd_index_and_takes_the_area_of_its_evaluator(tmp_path):
    person = {"id": 1, "image_id": 4, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 10, 20]}
    image = {"id": 4, "file_name": "4.jpg", "height": 50, "width": 50, "crowdIndex": 1.5}
    data = {
        "images": [image],
        "annotations": [person | {"keypoints": [1, 2, 1] * 14}],
        "categories": [{"id": 1, "name": "person", "keypoints": ["head"], "skeleton": [[16, 14]]}],
    }
    table = open_dataset(f"crowdpose:{_json(tmp_path / 'c.json', data)}")
    assert table.skeleton.name == "crowdpose14"
    assert table.area.tolist() == pytest.approx([106])
    assert table.picture_fields["crowd_index"].tolist() == [1.5]
    assert table[0].source == "crowdpose"
    del image["crowdIndex"]
    with pytest.raises(InputError, match=r"images\[0\] \(id 4\) has no 'crowdIndex'"):
        open_dataset(f"crowdpose:{_json(tmp_path / 'c.json', data)}")


@pytest.mark.shared
def test_the_crowdpose_validation_file_has_its_published_counts(shared):
    table = open_dataset(f"crowdpose:{shared}/annotations/crowdpose/crowdpose_val.json")
    index = table.picture_fields["crowd_index"]
    assert (len(table), len(table.xy), int(table.crowd.sum())) == (2000, 8527, 106)
    counts = [(table.visible == v).sum() for v in (0, 1, 2)]
    assert counts == [40_747, 51_590, 27_041]
    sizes = [int((index < 0.2).sum()), int((index >= 0.8).sum())]
    assert sizes == [411, 349]


@pytest.mark.shared
def test_human_art_samples_have_seventeen_joints_inside_their_pictures(shared):
    table = open_dataset(f"humanart:{shared}/samples/humanart/test_humanart.json@{shared}/samples")
    assert (len(table), table.skeleton.name, table[0].source) == (3, "coco17", "humanart")
    for sample in table:
        seen = sample.xy[sample.visible > 0]
        assert ((seen >= 0) & (seen <= sample.size[::-1])).all()


# FLIC


def _flic(file, **columns):
    """Three people on two frames; all 29 slots, of which eleven are filled."""
    coords = np.full((2, 29), np.nan)
    slots = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]
    coords[:, slots] = np.arange(1, 12)
    names = ["b.jpg", "a.jpg", "b.jpg"]
    fields = {
        "filepath": names,
        "coords": [coords, coords + 1, coords + 2],
        "imgdims": [np.array([[480, 720, 3]], np.uint16)] * 3,
        "torsobox": [np.array([[1.0, 2.0, 3.0, 4.0]])] * 3,
        "istrain": [1, 0, 1],
        "istest": [0, 1, 0],
    } | columns
    examples = np.empty((1, 3), [(name, object) for name in fields])
    for name, values in fields.items():
        for n, value in enumerate(values):
            examples[name][0, n] = value
    return _mat(file, examples=examples)


def test_flic_people_of_one_frame_come_together(tmp_path):
    table = open_dataset(f"flic:{_flic(tmp_path / 'examples.mat')}")
    assert (table.names, table.first.tolist()) == (["b.jpg", "a.jpg"], [0, 2, 3])
    assert [table.xy[n, 0, 0] for n in range(3)] == [0, 2, 1]
    assert table.xy[0, :, 0].tolist() == list(range(11))
    assert table[0].size == (480, 720)
    assert table.person_fields["torso"][0].tolist() == [0, 1, 2, 3]
    assert (table.visible == 2).all()


def test_flic_splits_leave_doubtful_rows_out(tmp_path):
    file = _flic(tmp_path / "examples.mat", isbad=[0, 0, 1], isunchecked=[0, 0, 0])
    assert open_dataset(f"flic:{file}#train").names == ["b.jpg"]
    assert open_dataset(f"flic:{file}#test").names == ["a.jpg"]
    _mat(tmp_path / "tr_plus_indices.mat", tr_plus_indices=np.array([[2], [1]]))
    assert open_dataset(f"flic:{file}#plus").names == ["a.jpg", "b.jpg"]
    _mat(tmp_path / "tr_plus_indices.mat", tr_plus_indices=np.array([[4]]))
    with pytest.raises(InputError, match="made for FLIC-full"):
        open_dataset(f"flic:{file}#plus")


def test_a_broken_flic_row_is_named(tmp_path):
    file = _flic(tmp_path / "examples.mat", coords=[np.zeros((2, 29)), np.zeros((2, 5)), 1])
    with pytest.raises(InputError, match=r"examples\(2\) is not of the published layout"):
        open_dataset(f"flic:{file}")


@pytest.mark.shared
def test_the_flic_files_have_their_published_counts(shared):
    test, train = (
        open_dataset(f"flic:{shared}/annotations/flic/flic_annot_{part}.h5")
        for part in ("valid", "train")
    )
    assert (len(test.xy), len(train.xy)) == (1016, 3987)
    left = test.skeleton.index("left_shoulder")
    right = test.skeleton.index("right_shoulder")
    assert (test.xy[:, left, 0] > test.xy[:, right, 0]).all()


# PoseTrack

_LIMBS = [
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
]
_SLOTS = ["nose", "head_bottom", "head_top", "left_ear", "right_ear", *_LIMBS]


def test_posetrack_2018_is_read_by_name_with_regions_and_tracks(tmp_path):
    points = [value for k in range(17) for value in (k, 10 * k, 1)]
    points[2] = 0
    person = {"image_id": 10_000_010_003, "keypoints": points, "track_id": 4, "id": 1}
    image = {"id": 10_000_010_003, "file_name": "images/val/v/3.jpg", "is_labeled": True}
    regions = {"ignore_regions_x": [[1, 9, 5]], "ignore_regions_y": [[2, 3, 8]]}
    data = {
        "categories": [{"keypoints": _SLOTS}],
        "images": [image | regions, image | {"id": 10_000_010_004, "is_labeled": False}],
        "annotations": [person | {"bbox_head": [1, 2, 3, 4]}],
    }
    file = _json(tmp_path / "annotations" / "val" / "v.json", data)
    table = open_dataset(f"posetrack:{file.parent}")
    assert table.names == ["images/val/v/3.jpg"]
    assert table.folder == tmp_path
    names = table.skeleton.keypoints
    assert table.xy[0, names.index("neck")].tolist() == [1, 10]
    assert table.visible[0, names.index("nose")] == 0
    assert table.xy[0, names.index("right_ankle")].tolist() == [16, 160]
    assert table.crowd.tolist() == [False, True]
    assert table.boxes[1].tolist() == [1, 2, 9, 8]
    assert table.boxes[0].tolist() == pytest.approx([-14.0, -5.0, 31.0, 175.0])
    assert table.person_fields["track"].tolist() == [4, -1]
    assert table.person_fields["head"][0].tolist() == [1, 2, 4, 6]
    assert table.picture_fields["frame"].tolist() == [3]
    del person["keypoints"]
    broken = data | {"annotations": [person]}
    with pytest.raises(InputError, match=r"v\.json: first frame: .*keypoints"):
        open_dataset(f"posetrack:{_json(file, broken)}")


def test_posetrack_2017_unwraps_its_lists_of_one(tmp_path):
    joint = [{"id": [14], "x": [7], "y": [8], "is_visible": [1]}]
    head = {"x1": [1], "y1": [2], "x2": [3], "y2": [4]}
    person = head | {"track_id": [9], "annopoints": [{"point": joint}]}
    region = {"point": [{"x": [0], "y": [1]}, {"x": [5], "y": [6]}]}
    frame = {"image": [{"name": "images/v/1.jpg"}], "imgnum": [1], "is_labeled": [1]}
    frames = [
        frame | {"annorect": [person], "ignore_regions": [region]},
        frame | {"is_labeled": [0]},
        frame | {"annorect": []},
    ]
    file = _json(tmp_path / "v.json", {"annolist": frames})
    table = open_dataset(f"posetrack:{file}@{tmp_path}")
    assert (len(table), table.first.tolist()) == (2, [0, 2, 2])
    assert table.xy[0, table.skeleton.index("head_top")].tolist() == [7, 8]
    assert (table.visible[0] > 0).sum() == 1
    assert table.person_fields["head"][0].tolist() == [1, 2, 3, 4]


def test_other_files_are_no_posetrack(tmp_path):
    with pytest.raises(InputError, match="neither 'annolist'"):
        open_dataset(f"posetrack:{_json(tmp_path / 'a.json', {'x': 1})}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no JSON of a video"):
        open_dataset(f"posetrack:{tmp_path / 'empty'}")


@pytest.mark.shared
def test_real_posetrack_frames_have_their_pictures(shared):
    table = open_dataset(f"posetrack:{shared}/samples/posetrack18/annotations/val")
    assert (len(table), int((~table.crowd).sum())) == (3, 14)
    # Heads that the frame cuts off are labelled where they would be.
    body = [k for k, name in enumerate(table.skeleton.keypoints) if name != "head_top"]
    for sample in table:
        seen = sample.xy[:, body][sample.visible[:, body] > 0]
        assert ((seen >= 0) & (seen <= sample.size[::-1])).all()


# J-HMDB and Penn Action


@pytest.fixture
def jhmdb(tmp_path):
    for clip, frames in (("one", 2), ("two", 1)):
        joints = np.zeros((2, 15, frames))
        joints[0], joints[1] = np.arange(1, 16)[:, None], 21
        _mat(tmp_path / "joint_positions/run" / clip / "joint_positions.mat", pos_img=joints)
    mask = np.zeros((240, 320, 2), np.uint8)
    mask[10:21, 30:41, 0] = 3
    _mat(tmp_path / "puppet_mask/run/one/puppet_mask.mat", part_mask=mask)
    for name in ("splits/run_test_split2.txt", "sub_splits/run_test_split_2.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("one.avi 1\n\ntwo.avi 2\n")
    return tmp_path


def test_jhmdb_boxes_are_those_of_the_puppet(jhmdb):
    table = open_dataset(f"jhmdb:{jhmdb}")
    assert table.names == ["run/one/00001.png", "run/one/00002.png", "run/two/00001.png"]
    assert table.xy[0, :, 0].tolist() == list(range(15))
    assert table.boxes[0].tolist() == [30, 10, 40, 20]
    assert table.boxes[1].tolist() == pytest.approx([-1.4, 18.6, 15.4, 21.4])
    assert table[2].size == (240, 320)
    assert table.picture_fields["frame"].tolist() == [0, 1, 0]


def test_jhmdb_splits_are_lists_of_clips(jhmdb):
    assert open_dataset(f"jhmdb:{jhmdb}#train2").names[0] == "run/one/00001.png"
    assert open_dataset(f"jhmdb:{jhmdb}#sub-test2").names == ["run/two/00001.png"]
    with pytest.raises(InputError, match=r"no ACTION_test_split1\.txt"):
        open_dataset(f"jhmdb:{jhmdb}#train1")
    (jhmdb / "splits/run_test_split2.txt").write_text("one.avi\n")
    with pytest.raises(InputError, match=r"line 1 is 'one\.avi'"):
        open_dataset(f"jhmdb:{jhmdb}#train2")


def _penn(file, rows=2, **changes):
    x = np.tile(np.arange(1.0, 14.0), (2, 1))
    variables = {
        "x": x, "y": x + 10, "visibility": np.tile([0] + [1] * 12, (2, 1)), "train": 1,
        "bbox": np.array([[1.0, 2, 31, 42], [2.0, 3, 32, 43]])[:rows],
        "dimensions": np.array([[270, 480, 2]]), "nframes": 2, "action": "bowl", "pose": "left",
    }  # fmt: skip
    return _mat(file, **(variables | changes))


def test_penn_action_repeats_a_box_that_is_missing_at_the_end(tmp_path):
    _penn(tmp_path / "labels" / "0001.mat", rows=1)
    _penn(tmp_path / "labels" / "0002.mat", train=-1)
    table = open_dataset(f"penn_action:{tmp_path}#train")
    assert table.names == ["0001/000001.jpg", "0001/000002.jpg"]
    assert table.boxes.tolist() == [[0, 1, 30, 41]] * 2
    assert np.isnan(table.xy[:, 0]).all()
    assert table.xy[1, 1].tolist() == [1, 11]
    assert table[0].size == (270, 480)
    both = open_dataset(f"penn_action:{tmp_path}")
    assert both.picture_fields["video"].tolist() == ["0001", "0001", "0002", "0002"]
    assert len(open_dataset(f"penn_action:{tmp_path}#test")) == 2


def test_a_broken_penn_clip_is_named(tmp_path):
    _penn(tmp_path / "labels" / "0001.mat", x=np.zeros((2, 5)))
    with pytest.raises(InputError, match=r"0001\.mat: clip is not of the published layout"):
        open_dataset(f"penn_action:{tmp_path}")
    with pytest.raises(InputError, match="no labels/"):
        open_dataset(f"penn_action:{tmp_path / 'labels'}")


# OCHuman


def _ochuman(**changes):
    names = ["head", *reversed(_COCO_NAMES)]
    flags = {"missing": 0, "vis": 1, "self_occluded": 2, "others_occluded": 3}
    points = [v for k in range(18) for v in (k, k, [1, 2, 3, 0][k % 4])]
    whole = {"bbox": [1, 2, 11, 22], "keypoints": points, "segms": {"outer": []}, "max_iou": 0.6}
    other = whole | {"keypoints": None}
    images = [
        {"image_id": str(n), "file_name": f"{n}.jpg", "width": 50, "height": 60,
         "annotations": people}
        for n, people in enumerate([[other], [other, whole]])
    ]  # fmt: skip
    data = {"keypoint_names": names, "keypoint_visible": flags, "images": images}
    return data | changes


_COCO_NAMES = [n for n in _SLOTS if not n.startswith("head")]
_COCO_NAMES[1:1] = ["left_eye", "right_eye"]


def test_ochuman_is_read_by_name_and_by_its_own_flags(tmp_path):
    table = open_dataset(f"ochuman:{_json(tmp_path / 'o.json', _ochuman())}")
    assert (table.skeleton.name, len(table), table.first.tolist()) == ("coco17", 2, [0, 1, 3])
    assert not table.visible[0].any()
    # Slot k of the file is joint 17 - k; its flag cycles through vis, self, others, missing.
    assert table.visible[2, ::-1].tolist() == [[2, 2, 1, 0][k % 4] for k in range(1, 18)]
    assert table.xy[2, 0].tolist() == [17, 17]
    assert table.area[0] == 200
    val = open_dataset(f"ochuman:{_json(tmp_path / 'o.json', _ochuman())}#val")
    assert (val.names, val.crowd.tolist()) == (["1.jpg"], [True, False])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoint_names": ["nose"]}, "keypoint_names lacks .*left_ankle"),
        ({"keypoint_visible": {"missing": 0}}, "keypoint_visible has no 'vis'"),
    ],
)
def test_ochuman_names_what_is_wrong(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        open_dataset(f"ochuman:{_json(tmp_path / 'o.json', _ochuman(**changes))}")
