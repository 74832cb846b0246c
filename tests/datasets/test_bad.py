"""Bad records, reader by reader: named when they are errors, counted when they are left out."""

import json

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets import open_dataset
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_keypoints
from vitruvian.datasets.table import pairs_by_name, present


def skipping(spec):
    bad = Bad(skip=True)
    return open_dataset(spec, bad=bad), bad.left_out


def _coco(folder, *, images=(), people=(), categories=()):
    image = {"file_name": "a.png", "height": 40, "width": 30}
    person = {"category_id": 1, "bbox": [1, 2, 3, 4], "area": 5, "keypoints": [1, 2, 2, 3, 4, 1]}
    data = {
        "images": [{"id": 1} | image, *({"id": n} | image | i for n, i in enumerate(images, 2))],
        "annotations": [
            {"id": 1, "image_id": 1} | person,
            *({"id": n, "image_id": 1} | person | p for n, p in enumerate(people, 2)),
        ],
        "categories": [{"id": 1, "name": "stick", "keypoints": ["top", "end"]}, *categories],
    }
    file = folder / "c.json"
    file.write_text(json.dumps(data, default=lambda _: None))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": [1, 2, 2]}, r"annotations\[1\] \(id 2\) keypoints is .*expected 6 numbers"),
        ({"keypoints": [1, 2, 7, 3, 4, 1]}, r"annotations\[1\] .*flags 0, 1 or 2"),
        ({"bbox": None}, r"annotations\[1\] .*bbox is None; expected 4 numbers"),
        ({"bbox": [1, 2, -3, 4]}, r"annotations\[1\] .*no side negative"),
        ({"area": "big"}, r"annotations\[1\] .*area is 'big'; expected one number"),
        ({"image_id": 99}, r"annotations\[1\] .*image_id is 99; no image has this id"),
        ({"category_id": 9}, r"annotations\[1\] .*category_id is 9; categories are \['1'\]"),
        ({"category_id": [1]}, r"annotations\[1\] .*category_id is \[1\]"),
    ],
)
def test_a_bad_coco_annotation_is_named_or_left_out(tmp_path, changes, message):
    file = _coco(tmp_path, people=[changes, {}])
    with pytest.raises(InputError, match=message):
        open_dataset(f"coco:{file}")
    table, left_out = skipping(f"coco:{file}")
    assert table.ids.tolist() == [1, 3]
    assert len(left_out) == 1


def test_people_of_a_picture_that_is_left_out_go_with_it(tmp_path):
    file = _coco(tmp_path, images=[{"height": "tall"}, {"id": 1}], people=[{"image_id": 2}])
    with pytest.raises(InputError, match=r"images\[2\] \(id 1\) id is 1; another image has"):
        open_dataset(f"coco:{file}")
    table, left_out = skipping(f"coco:{file}")
    assert (table.image_ids.tolist(), table.ids.tolist()) == ([1], [1])
    assert len(left_out) == 3


def test_an_absent_field_is_said_once_for_all_records(tmp_path):
    file = _coco(tmp_path)
    data = json.loads(file.read_text())
    data["annotations"] = [{"id": n, "image_id": 1, "category_id": 1} for n in range(3)]
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"\(id 0\) has no 'keypoints'; .* \(and 2 more like it\)"):
        open_dataset(f"coco:{file}")
    table, left_out = skipping(f"coco:{file}")
    assert (len(table), len(table.xy), len(left_out)) == (1, 0, 3)


def test_of_categories_with_different_keypoints_the_more_frequent_is_kept(tmp_path):
    hand = {"id": 2, "name": "hand", "keypoints": ["wrist"]}
    file = _coco(tmp_path, people=[{}, {"category_id": 2}], categories=[hand])
    with pytest.raises(InputError, match=r"categories \['stick', 'hand'\] have different"):
        open_dataset(f"coco:{file}")
    table, left_out = skipping(f"coco:{file}")
    assert table.skeleton.keypoints == ("top", "end")
    assert (len(table.xy), len(left_out)) == (2, 1)


def test_a_skeleton_that_is_not_shipped_keeps_its_pairs_and_sigmas(tmp_path):
    extra = {"swaps": [["top", "end"]], "sigmas": [0.1, 0.2], "parents": [["end", "top"]]}
    file = _coco(tmp_path)
    data = json.loads(file.read_text())
    data["categories"][0] |= extra
    file.write_text(json.dumps(data))
    bones = coco_keypoints(file).skeleton
    assert (bones.swaps, bones.sigmas) == ((("top", "end"),), (0.1, 0.2))
    data["categories"][0]["sigmas"] = [1]
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"c\.json: categories: skeleton 'stick': 1 sigmas for 2"):
        coco_keypoints(file)


@pytest.mark.parametrize("text", ["", "{", '{"images": [', "[]", "null", "\x00"])
def test_a_truncated_file_is_an_error_even_when_records_are_skipped(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        skipping(f"coco:{tmp_path / 'c.json'}")


def test_missing_pictures_are_named_or_left_out(tmp_path):
    file = _coco(tmp_path, images=[{"file_name": "b.png"}, {"file_name": "c.png"}])
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 30, 3), np.uint8))
    (tmp_path / "c.png").write_bytes(b"no picture")
    table = coco_keypoints(file, tmp_path)
    with pytest.raises(
        InputError, match=r"picture 1 of 3 \(id 2\) of coco: no picture at .*b\.png"
    ):
        present(table, Bad())
    bad = Bad(skip=True)
    left = present(table, bad)
    assert (left.names, len(left.xy), len(bad.left_out)) == (["a.png"], 1, 2)
    assert "c.png: not a picture that can be read" in bad.left_out[1]


def test_aic_people_and_pictures(tmp_path):
    flat = [1, 2, 1] * 14
    whole = {"image_id": "a", "human_annotations": {"h": [0, 0, 1, 1]}}
    whole |= {"keypoint_annotations": {"h": flat}}
    pictures = [
        whole | {"keypoint_annotations": {}},
        {"no": 1},
        whole | {"image_id": "b", "keypoint_annotations": {"h": [1]}},
        whole,
    ]
    (tmp_path / "a.json").write_text(json.dumps(pictures))
    table, left_out = skipping(f"aic:{tmp_path / 'a.json'}")
    assert (table.names, table.first.tolist(), len(left_out)) == (["b.jpg", "a.jpg"], [0, 0, 1], 3)


def test_ochuman_people_and_pictures(tmp_path):
    person = {"bbox": [0, 0, 4, 4], "keypoints": [1, 2, 1] * 17, "segms": {"outer": []}}
    image = {"image_id": "1", "file_name": "1.jpg", "width": 5, "height": 5}
    data = {
        "keypoint_names": list(skeleton("coco17").keypoints),
        "keypoint_visible": {"missing": 0, "vis": 1, "self_occluded": 2, "others_occluded": 3},
        "images": [
            image | {"annotations": [person, person | {"bbox": [1]}]},
            image,
            image | {"annotations": 3},
        ],
    }
    (tmp_path / "o.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"images\[1\] \(id \?\) has no 'annotations'"):
        open_dataset(f"ochuman:{tmp_path / 'o.json'}")
    table, left_out = skipping(f"ochuman:{tmp_path / 'o.json'}")
    assert (len(table), len(table.xy), len(left_out)) == (1, 1, 3)


def test_mpii_people_of_a_json(tmp_path):
    person = {"image": "a.jpg", "center": [5, 6], "scale": 1.5, "joints": [[1, 2]] * 16}
    person |= {"joints_vis": [1] * 16}
    rows = [person, person | {"joints": [[1]]}, person | {"scale": None}, {"image": "b.jpg"}]
    (tmp_path / "m.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"people\[1\] \(id \?\) joints is .*expected 32 numbers"):
        open_dataset(f"mpii:{tmp_path / 'm.json'}")
    table, left_out = skipping(f"mpii:{tmp_path / 'm.json'}")
    assert (len(table.xy), len(left_out)) == (1, 3)


def test_files_of_a_folder_that_cannot_be_read(tmp_path):
    frames = {"x": np.ones((1, 13)), "y": np.ones((1, 13)), "visibility": np.ones((1, 13))}
    frames |= {"train": 1, "bbox": np.ones((1, 4)), "dimensions": [9, 9, 1]}
    (tmp_path / "labels").mkdir()
    savemat(tmp_path / "labels" / "0001.mat", frames)
    whole = (tmp_path / "labels" / "0001.mat").read_bytes()
    (tmp_path / "labels" / "0002.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"0002\.mat: not readable as a \.mat file"):
        open_dataset(f"penn_action:{tmp_path}")
    table, left_out = skipping(f"penn_action:{tmp_path}")
    assert (len(table), len(left_out)) == (1, 1)


def test_videos_of_posetrack(tmp_path):
    frame = {"image": [{"name": "v/1.jpg"}], "annorect": []}
    (tmp_path / "1.json").write_text(json.dumps({"annolist": [frame, {"annorect": []}]}))
    (tmp_path / "2.json").write_text(json.dumps({"annolist": [frame]}))
    with pytest.raises(InputError, match=r"1\.json: after v/1\.jpg: not the published layout"):
        open_dataset(f"posetrack:{tmp_path}")
    table, left_out = skipping(f"posetrack:{tmp_path}")
    assert (len(table), len(left_out)) == (1, 1)


def test_lines_and_pictures_of_yolo(tmp_path):
    (tmp_path / "data.yaml").write_text("val: val.txt\nkpt_shape: [1, 3]\n")
    (tmp_path / "val.txt").write_text("images/a.png\nimages/none.png\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((10, 10, 3), np.uint8))
    rows = ["0 .5 .5 1 1 .5 .5 2", "0 .5 .5 1 1 .5 .5 3", "0 .5"]
    (tmp_path / "labels" / "a.txt").write_text("\n".join(rows))
    with pytest.raises(InputError, match=r"a\.txt: line 2: visibility flags are 0, 1 or 2"):
        open_dataset(f"yolo_pose:{tmp_path / 'data.yaml'}")
    table, left_out = skipping(f"yolo_pose:{tmp_path / 'data.yaml'}")
    assert (len(table), len(table.xy), len(left_out)) == (1, 1, 3)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("nose", "left_eye", "right_eye"), [("left_eye", "right_eye")]),
        (("LeftEar", "RightEar"), [("LeftEar", "RightEar")]),
        (("l_paw", "r_paw", "tail"), [("l_paw", "r_paw")]),
        (("paw_L", "paw_R"), [("paw_L", "paw_R")]),
        (("lens", "rens", "hall", "harr"), []),
    ],
)
def test_pairs_are_found_by_their_names(names, pairs):
    assert pairs_by_name(names) == tuple(pairs)
