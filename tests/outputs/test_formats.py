import csv
import json
import os
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from vitruvian.core.convert import convert
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import skeleton
from vitruvian.outputs.formats import kind_of, open_output

ORIGIN = {"model": {"name": "m", "sha256": "0" * 64}, "version": "1"}


def nobody(result):
    empty = Poses.empty(result.poses.skeleton, result.poses.size)
    return replace(result, poses=empty, source="folder/nobody.jpg", image_id=8)


@pytest.mark.parametrize(
    ("path", "form", "kind"),
    [
        ("a.jpg", "", "picture"),
        ("a.PNG", "", "picture"),
        ("a.mp4", "", "video"),
        ("a.json", "", "coco"),
        ("a.json", "coco", "coco"),
        ("a.json", "openpose", "openpose"),
        ("a.csv", "openpose", "csv"),
        ("a.jsonl", "", "jsonl"),
        ("a.npz", "", "npz"),
        ("new/", "", "pictures"),
        ("new/", "openpose18", "openpose_folder"),
        (".", "", "pictures"),
    ],
)
def test_the_name_says_what_is_written(path, form, kind):
    assert kind_of(path, form) == kind


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [
        ("out", "", "cannot tell what to write to 'out'"),
        ("out.txt", "", "known are .jpg"),
        ("out/", "coco", "one file"),
        ("out.json", "yolo", "no format 'yolo'; accepted are coco"),
    ],
)
def test_a_name_that_says_nothing_is_refused(path, form, message):
    with pytest.raises(ConfigError, match=message):
        kind_of(path, form)


def test_coco_results_have_zeros_for_what_was_not_found(tmp_path, result):
    with open_output(str(tmp_path / "a.json")) as write:
        write(result)
        write(nobody(result))
        write(replace(result, image_id=9, frame=3, time=0.1))
    rows = json.loads((tmp_path / "a.json").read_text())
    assert [row["image_id"] for row in rows] == [7, 7, 9, 9]
    assert rows[0]["category_id"] == 1
    assert rows[0]["file_name"] == "folder/a.b.jpg"
    assert rows[2]["frame"] == 3
    keypoints = np.array(rows[0]["keypoints"]).reshape(17, 3)
    np.testing.assert_array_equal(keypoints[3], 0)
    np.testing.assert_allclose(keypoints[4, :2], result.poses.xy[0, 4], atol=1e-3)
    np.testing.assert_allclose(keypoints[4, 2], result.poses.scores[0, 4], atol=1e-3)
    np.testing.assert_allclose(rows[1]["bbox"], [20, 5, 40, 90])
    assert rows[1]["score"] == 0.5


def test_coco_results_are_read_by_the_official_tool(tmp_path, result):
    tool = pytest.importorskip("pycocotools.coco")
    truth = tool.COCO()
    truth.dataset = {"images": [{"id": 7}], "categories": [{"id": 1}], "annotations": []}
    truth.createIndex()
    with open_output(str(tmp_path / "a.json")) as write:
        write(result)
    assert len(truth.loadRes(str(tmp_path / "a.json")).anns) == 2


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl", "a.npz"])
def test_no_result_at_all_is_still_a_file_of_its_format(tmp_path, name):
    with open_output(str(tmp_path / name)):
        pass
    path = tmp_path / name
    if name == "a.json":
        assert json.loads(path.read_text()) == []
    if name == "a.csv":
        assert path.read_text().startswith("source,frame")
    if name == "a.npz":
        assert len(np.load(path)["xy"]) == 0


def test_csv_has_a_row_per_person_and_blanks_for_what_was_not_found(tmp_path, result):
    with open_output(str(tmp_path / "a.csv")) as write:
        write(nobody(result))
        write(result)
        write(replace(result, frame=4, time=0.25))
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [(row["person"], row["frame"], row["time"]) for row in rows] == [
        ("0", "", ""),
        ("1", "", ""),
        ("0", "4", "0.25"),
        ("1", "4", "0.25"),
    ]
    assert rows[0]["left_ear_x"] == ""
    assert float(rows[1]["nose_x"]) == pytest.approx(result.poses.xy[1, 0, 0], abs=1e-3)
    assert float(rows[0]["x1"]) == 90


def test_json_lines_stand_alone(tmp_path, result):
    with open_output(str(tmp_path / "a.jsonl"), provenance=ORIGIN) as write:
        write(result)
        write(nobody(result))
    first, second = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert first["size"] == [100, 120]
    assert first["vitruvian"] == ORIGIN
    assert first["people"][0]["keypoints"]["left_ear"] is None
    assert first["people"][1]["keypoints"]["nose"][2] == pytest.approx(
        result.poses.scores[1, 0], abs=1e-3
    )
    assert second["people"] == []


def test_npz_stacks_people_and_needs_no_pickle(tmp_path, result):
    with open_output(str(tmp_path / "a.npz"), provenance=ORIGIN) as write:
        write(result)
        write(nobody(result))
        write(replace(result, frame=5, time=0.2))
    data = np.load(tmp_path / "a.npz", allow_pickle=False)
    np.testing.assert_array_equal(data["picture"], [0, 0, 2, 2])
    np.testing.assert_array_equal(data["xy"][:2], result.poses.xy)
    np.testing.assert_array_equal(data["frame"], [-1, -1, 5])
    assert data["source"].tolist() == ["folder/a.b.jpg", "folder/nobody.jpg", "folder/a.b.jpg"]
    assert data["keypoints"][0] == "nose"
    assert json.loads(str(data["vitruvian"])) == ORIGIN


@pytest.mark.parametrize(("form", "body"), [("openpose", "body25"), ("openpose18", "body18")])
def test_openpose_files_have_its_keypoints_and_layout(tmp_path, result, form, body):
    path = tmp_path / "a.json"
    with open_output(str(path), form=form, provenance=ORIGIN) as write:
        write(result)
    data = json.loads(path.read_text())
    assert data["version"] == 1.3
    assert data["vitruvian"] == ORIGIN
    bones, moved = skeleton(body), convert(result.poses, skeleton(body))
    keypoints = np.array(data["people"][1]["pose_keypoints_2d"]).reshape(-1, 3)
    assert keypoints.shape == (len(bones), 3)
    np.testing.assert_allclose(keypoints[:, :2], np.nan_to_num(moved.xy[1]), atol=1e-3)
    assert keypoints[bones.index("neck"), 2] > 0
    assert data["people"][0]["person_id"] == [-1]
    assert data["people"][0]["hand_left_keypoints_2d"] == []


def test_a_folder_of_openpose_files_names_frames_as_openpose_does(tmp_path, result):
    with open_output(f"{tmp_path}/new/", form="openpose") as write:
        write(result)
        write(replace(result, source="clip.mp4", frame=12, time=0.5))
    assert sorted(os.listdir(tmp_path / "new")) == [
        "a.b_keypoints.json",
        "clip_000000000012_keypoints.json",
    ]


def test_a_folder_of_pictures_keeps_sources_of_one_name_apart(tmp_path, result):
    with open_output(f"{tmp_path}/new/") as write:
        write(result)
        write(replace(result, source="elsewhere/a.b.png"))
        write(replace(result, source="clip.mp4", frame=12, time=0.5))
    names = sorted(os.listdir(tmp_path / "new"))
    assert names == ["a.b.jpg", "a.b_2.jpg", "clip_000012.jpg"]
    assert cv2.imread(str(tmp_path / "new" / "a.b.jpg")).shape == (100, 120, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
def test_an_annotated_picture_has_the_format_of_its_suffix(tmp_path, result, suffix):
    path = tmp_path / f"a{suffix}"
    with open_output(str(path)) as write:
        write(result)
    image = cv2.imread(str(path))
    assert image.shape == (100, 120, 3)
    assert np.abs(image[99, 119].astype(int) - 200).max() < 10


def test_the_input_is_never_overwritten(tmp_path, result):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"the original")
    for target in (str(path), f"{tmp_path}/"):
        with pytest.raises(InputError, match="is the input itself"), open_output(target) as write:
            write(replace(result, source=str(path)))
    assert path.read_bytes() == b"the original"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_frames_keep_their_times_and_odd_sides_are_made_even(tmp_path, result, suffix):
    path, times = tmp_path / f"a{suffix}", [0.0, 0.04, 0.2, 0.21, 1.0]
    image = np.full((101, 119, 3), 60, np.uint8)
    with open_output(str(path)) as write:
        for frame, time in enumerate(times):
            write(replace(result, image=image, frame=frame, time=time))
    with av.open(str(path)) as container:
        found = list(container.decode(video=0))
    assert [f.time for f in found] == pytest.approx(times, abs=1.1e-3)
    assert (found[0].height, found[0].width) == (102, 120)
    assert abs(int(found[0].to_ndarray(format="rgb24")[100, 5, 0]) - 60) < 12


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl", "a.npz", "a.mp4"])
def test_an_error_leaves_no_file_behind(tmp_path, result, name):
    def fail():
        with open_output(str(tmp_path / name)) as write:
            write(replace(result, frame=0, time=0.0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == []
