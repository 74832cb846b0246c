"""COCO-WholeBody's five lists of keypoints become one of 133."""

import json

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset

LISTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


def _file(folder, **changes):
    person = {name: [number, 10, 2] * count for number, (name, count) in enumerate(LISTS.items())}
    person |= {"id": 5, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 50.0,
               "bbox": [0, 0, 10, 10], "face_valid": True} | changes  # fmt: skip
    data = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 30}],
        "annotations": [{name: value for name, value in person.items() if value is not None}],
        "categories": [{"id": 1, "name": "person", "keypoints": ["nose"] * 17}],
    }
    (folder / "labels.json").write_text(json.dumps(data))
    return f"wholebody:{folder / 'labels.json'}"


def test_the_parts_stand_one_after_the_other(tmp_path):
    table = open_dataset(_file(tmp_path, foot_kpts=[0, 0, 0] * 5 + [7, 8, 0.4]))
    assert table.xy.shape == (1, 133, 2)
    assert table.xy[0, :17, 0].tolist() == [0] * 17
    assert np.isnan(table.xy[0, 17:22]).all()
    assert table.xy[0, 22].tolist() == [7, 8]
    assert table.visible[0, 22] == 1
    ends = [table.xy[0, k, 0] for k in (23, 90, 91, 111, 112, 132)]
    assert ends == [2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"foot_kpts": None}, "has no 'foot_kpts'"),
        ({"face_kpts": [1, 2, 2]}, r"face_kpts is \[1, 2, 2\]; expected 204 numbers"),
        ({"lefthand_kpts": [1, 2, 3] * 21}, "lefthand_kpts is .* visibility flags 0, 1 or 2"),
    ],
)
def test_a_bad_list_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=rf"annotations\[0\] \(id 5\) {message}"):
        open_dataset(_file(tmp_path, **changes))
