"""YOLO-pose: its yaml, its rows, its refusals."""

import cv2
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset

YAML = """
# three points of a hand
path: .   # here
train: images/train
val:
  - images/val
kpt_shape: [3, 3]
flip_idx: [0, 2, 1]
names:
  0: hand
kpt_names:
  0: [wrist, left, right]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data.yaml").write_text(YAML)
    for name in ("images/val/a.jpg", "images/val/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((100, 200, 3), np.uint8))
    _label(tmp_path, "0 0.5 0.5 0.2 0.4 0.5 0.5 2 0.25 0.1 1 0 0 0\n\n")
    return tmp_path


def _label(folder, text):
    file = folder / "labels" / "val" / "a.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_rows_are_shares_of_the_picture(folder):
    table = open_dataset(f"yolo_pose:{folder / 'data.yaml'}")
    assert table.names == ["images/val/a.jpg", "images/val/b.png"]
    assert [len(sample) for sample in table] == [1, 0]
    np.testing.assert_allclose(table.boxes, [[80, 30, 120, 70]])
    np.testing.assert_allclose(table.xy[0], [[100, 50], [50, 10], [np.nan, np.nan]])
    assert table.visible[0].tolist() == [2, 1, 0]
    assert table.skeleton.keypoints == ("wrist", "left", "right")
    assert table.skeleton.swaps == (("left", "right"),)
    assert table[0].size == (100, 200)


def test_without_flags_zero_is_not_labelled(folder):
    (folder / "data.yaml").write_text("val: images/val\nkpt_shape: [2, 2]\n")
    _label(folder, "0 0.5 0.5 0.2 0.4 0.5 0.5 0 0")
    table = open_dataset(f"yolo_pose:{folder / 'data.yaml'}")
    assert table.visible[0].tolist() == [2, 0]
    assert table.skeleton.keypoints == ("keypoint_0", "keypoint_1")


def test_cocos_flip_index_means_cocos_names(folder):
    flips = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    yaml = f"val: list.txt\nkpt_shape: [17, 3]\nflip_idx: {flips}\n"
    (folder / "data.yaml").write_text(yaml)
    (folder / "list.txt").write_text("./images/val/b.png\n")
    table = open_dataset(f"yolo_pose:{folder / 'data.yaml'}")
    assert table.skeleton.name == "coco17"
    assert table.names == ["images/val/b.png"]


@pytest.mark.parametrize(
    ("yaml", "label", "message"),
    [
        (YAML, "0 0.5 0.5", r"a\.txt: line 1: expected 14 numbers"),
        (YAML, "0 x" + " 0" * 12, r"a\.txt: line 1: expected 14 numbers"),
        (YAML, "0 0.5 0.5 -0.2 0.4" + " 0" * 9, "sizes not negative"),
        ("val: images/val\n", "", "kpt_shape is None"),
        ("kpt_shape: [3, 3]\n", "", "says nothing of 'val'"),
        ("kpt_shape: [3, 3]\nval: nowhere\n", "", "no folder or list of pictures"),
        ("kpt_shape: [3, 3]\nval: images/val\nflip_idx: [0, 1, 1]\n", "", "a permutation of 0"),
        ("kpt_shape\n", "", r"line 1 is 'kpt_shape'"),
        ("val: a\n  - b\n", "", "does not go on with 'val'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(folder, yaml, label, message):
    (folder / "data.yaml").write_text(yaml)
    _label(folder, label)
    with pytest.raises(InputError, match=message):
        open_dataset(f"yolo_pose:{folder / 'data.yaml'}")
