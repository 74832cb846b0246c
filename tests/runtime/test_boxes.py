import json

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.runtime.boxes import read_boxes


def saved(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_csv_rows_are_found_by_path_name_or_stem(tmp_path):
    text = "source,x0,y0,x1,y1,score\nin/a.jpg,1,2,3,4,0.5\nb,5,6,7,8,\nin/a.jpg,9,9,10,10,1\n"
    boxes = read_boxes(saved(tmp_path, "a.csv", text))
    np.testing.assert_array_equal(boxes.of("in/a.jpg").xyxy, [[1, 2, 3, 4], [9, 9, 10, 10]])
    np.testing.assert_array_equal(boxes.of("in/a.jpg").scores, [0.5, 1])
    np.testing.assert_array_equal(boxes.of("elsewhere/b.png").xyxy, [[5, 6, 7, 8]])
    assert len(boxes.of("c.jpg")) == 0


def test_coco_results_are_found_by_number(tmp_path):
    rows = [{"image_id": 42, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.25}]
    boxes = read_boxes(saved(tmp_path, "a.json", rows)).of("val2017/000000000042.jpg")
    np.testing.assert_array_equal(boxes.xyxy, [[1, 2, 4, 6]])
    np.testing.assert_array_equal(boxes.scores, [0.25])


def test_coco_labels_are_found_by_file_name_without_crowds(tmp_path):
    labels = {
        "images": [{"id": 3, "file_name": "a.jpg"}],
        "annotations": [
            {"image_id": 3, "bbox": [0, 0, 5, 5]},
            {"image_id": 3, "bbox": [0, 0, 50, 50], "iscrowd": 1},
        ],
    }
    boxes = read_boxes(saved(tmp_path, "a.json", labels)).of("a.jpg")
    np.testing.assert_array_equal(boxes.xyxy, [[0, 0, 5, 5]])
    np.testing.assert_array_equal(boxes.scores, [1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "source,x0,y0,x1\na,1,2,3\n", "'y1' is missing"),
        ("a.csv", "source,x0,y0,x1,y1\na,1,2,3,abc\n", "abc"),
        ("a.csv", "x0,y0,x1,y1\n1,2,3,4\n", "'file_name' is missing"),
        ("a.json", "{", "give CSV with"),
        ("a.json", "7", "give CSV with"),
        ("a.json", [{"bbox": [1, 2, 3]}], "cannot read boxes"),
        ("a.json", {"images": []}, "'annotations' is missing"),
    ],
)
def test_files_that_hold_no_boxes_say_what_is_expected(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        read_boxes(saved(tmp_path, name, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_boxes(tmp_path / "missing.csv")
