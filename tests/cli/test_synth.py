import hashlib
import json

import cv2
import numpy as np
import pytest

from tests.contracts.test_datasets import check_table
from tests.image.fake_makehuman import bvh
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.datasets import open_dataset
from vitruvian.datasets.synthetic import run_lengths, to_record
from vitruvian.image import makehuman_files, scenes
from vitruvian.image.read import read
from vitruvian.systems.vitruvian import vitruvian_pose_s
from vitruvian.train.feed import People, Pictures


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def synth(vitruvian, tmp_path):
    def run(folder, *, scenes=3, workers=1, size=64, seed=7):
        words = ["--scenes", scenes, "--workers", workers, "--size", size, "--seed", seed]
        return vitruvian("synth", "-o", str(tmp_path / folder), *map(str, words))

    return run


def test_the_number_of_workers_changes_no_byte(synth, tmp_path):
    one, two = synth("one"), synth("two", workers=2)
    assert one.code == two.code == 0, one.err + two.err
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_bytes(synth, tmp_path):
    synth("whole", scenes=3)
    synth("parts", scenes=2)
    records = tmp_path / "parts" / "scenes.jsonl"
    with records.open("a") as out:
        out.write('{"image": {"id": 3, "fi')  # stopped within a line
    kept = tmp_path / "parts" / "images" / "0000000.jpg"
    before = kept.stat().st_mtime_ns
    done = synth("parts", scenes=3)
    assert "3 pictures, 1 of them new" in done.out
    assert kept.stat().st_mtime_ns == before
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_a_picture_that_is_gone_is_drawn_again(synth, tmp_path):
    synth("dir", scenes=2)
    before = contents(tmp_path / "dir")
    (tmp_path / "dir" / "images" / "0000001.jpg").unlink()
    assert "1 of them new" in synth("dir", scenes=2).out
    after = contents(tmp_path / "dir")
    for name in ("images/0000001.jpg", "people.json"):
        assert after[name] == before[name]


def test_both_readers_open_what_was_written(synth, tmp_path):
    synth("dir", scenes=3, size=96)
    folder = tmp_path / "dir"
    table = open_dataset(f"synthetic:{folder}")
    check_table(table)
    assert read(table[0].path).shape == (96, 96, 3)
    same = open_dataset(f"coco:{folder}/people.json@{folder}/images")
    np.testing.assert_array_equal(table.xy, same.xy)
    assert len(table) == 3
    assert len(table.xy) >= 3


def test_boxes_and_areas_are_those_of_the_masks(synth, tmp_path):
    synth("dir", scenes=3, size=96)
    data = json.loads((tmp_path / "dir" / "people.json").read_text())
    assert {"seed", "index", "focal"} <= set(data["images"][0]["scene"])
    for person in data["annotations"]:
        runs = person["segmentation"]["counts"]
        mask = np.repeat(np.arange(len(runs)) % 2, runs).reshape(96, 96, order="F")
        rows, columns = np.nonzero(mask)
        x, y, w, h = person["bbox"]
        assert (x, y, x + w - 1, y + h - 1) == (
            columns.min(), rows.min(), columns.max(), rows.max(),
        )  # fmt: skip
        assert person["area"] == mask.sum()
        assert {"build", "pose", "angles"} <= set(person["person"])


def test_a_stream_gives_the_samples_and_pictures_of_the_folder(synth, tmp_path):
    synth("dir", scenes=2, size=96, seed=3)
    written = open_dataset(f"synthetic:{tmp_path / 'dir'}")
    stream = open_dataset("synthetic:stream?seed=3&scenes=2&size=96")
    assert len(stream) == 2
    assert stream.skeleton == written.skeleton
    pictures = Pictures()
    for one, other in zip(stream, written, strict=True):
        for name in ("xy", "visible", "boxes", "area", "crowd", "size", "fully_annotated", "ids"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(pictures(one.path), read(other.path))


def test_training_reads_a_stream_without_any_file():
    stream = open_dataset("synthetic:stream?seed=3&scenes=3&size=96")
    system = vitruvian_pose_s()
    views = []
    for _ in range(2):
        source = People([stream], system)
        view, targets = source.item(0, np.random.default_rng(5))[:2]
        views.append(view)
        assert targets
    assert views[0].shape == (*system.input.size, 3)
    np.testing.assert_array_equal(*views)
    assert views[0].std() > 5


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("stream?seed=3", "whole numbers"),
        ("stream?scenes=three", "whole numbers"),
        ("stream?scenes=3&size=8", "size from 64"),
        ("stream?scenes=3&colour=red", "no setting colour; there are seed"),
        ("stream?scenes=3&assets=nowhere", "nowhere: no such folder"),
    ],
)
def test_a_stream_that_makes_no_sense_is_explained(spec, said):
    with pytest.raises((ConfigError, InputError), match=said):
        open_dataset(f"synthetic:{spec}")


def test_a_picture_beyond_the_stream_is_an_index_error():
    with pytest.raises(IndexError, match="has 2 pictures"):
        open_dataset("synthetic:stream?scenes=2&size=64")[2]


def test_statues_are_regions_to_ignore(synth, tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, "STATUES", 1.0)
    for index in range(12):
        made = scenes.scene(2, index, 96)
        if made.statue.any() and not made.statue.all():
            break
    rows = to_record(made)["annotations"]
    assert [row["iscrowd"] for row in rows] == made.statue.astype(int).tolist()
    for row, statue in zip(rows, made.statue, strict=True):
        if statue:
            assert row["num_keypoints"] == 0
            assert not any(row["keypoints"])
            assert row["person"]["statue"] is True


def test_people_stand_before_photographs_and_take_poses_of_clips(vitruvian, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "clips").mkdir()
    red = np.zeros((120, 90, 3), np.uint8)
    red[..., 2] = 200
    cv2.imwrite(str(tmp_path / "photos" / "red.png"), red)
    (tmp_path / "clips" / "stretch.bvh").write_text(bvh([("Zrotation", {"upperarm01.L": 45.0})]))
    words = ["-o", tmp_path / "out", "--scenes", 6, "--size", 64]
    folders = ["--backgrounds", tmp_path / "photos", "--poses", tmp_path / "clips"]
    done = vitruvian("synth", *map(str, words + folders))
    assert done.code == 0, done.err
    data = json.loads((tmp_path / "out" / "people.json").read_text())
    poses = [person["person"]["pose"] for person in data["annotations"]]
    assert any(pose.startswith("stretch") for pose in poses)
    picture = read(str(tmp_path / "out" / "images" / "0000000.jpg")).astype(int)
    assert np.median(picture[..., 0] - picture[..., 1]) > 50


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bodies", "makehuman"], "--bodies makehuman needs --assets DIR; vitruvian synth --get"),
        (["--assets", "x"], "--assets is of --bodies makehuman"),
        (["--bodies", "makehuman", "--assets", "nowhere"], "nowhere: no such folder"),
        (["--poses", "."], "holds no .bvh file"),
        (["--backgrounds", "."], "no photograph"),
    ],
)
def test_missing_sources_are_named_before_anything_is_drawn(
    vitruvian, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    done = vitruvian("synth", "-o", "out", "--scenes", "2", *words)
    assert done.code in (1, 2)
    assert said in done.errors[0]
    assert not (tmp_path / "out").exists()


def test_a_run_needs_a_folder_and_a_number(vitruvian):
    done = vitruvian("synth", "--seed", "3")
    assert done.code == 2
    assert "synth needs -o DIR and --scenes N, or --get-assets DIR" in done.errors[0]


def test_assets_are_fetched_once(vitruvian, tmp_path, monkeypatch):
    digest = hashlib.sha256(b"v 0 0 0").hexdigest()
    monkeypatch.setattr(makehuman_files, "wanted", lambda: {"mpfb/data/a.obj": digest})
    source = tmp_path / "src/mpfb/data/a.obj"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"v 0 0 0")
    monkeypatch.setitem(makehuman_files.SOURCES, "mpfb2", tmp_path.as_uri() + "/")
    for new in (1, 0):
        done = vitruvian("synth", "--get-assets", str(tmp_path / "got"))
        assert f"1 files of MakeHuman and MPFB, {new} of them new" in done.out
    assert (tmp_path / "got/mpfb/data/a.obj").read_bytes() == b"v 0 0 0"


def test_run_lengths_begin_with_the_zeros_and_go_down_the_columns():
    mask = np.array([[True, False], [True, True]])
    assert run_lengths(mask) == [0, 2, 1, 1]
    assert run_lengths(np.zeros((2, 3), bool)) == [6]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scenes": 0}, "--scenes 0"),
        ({"scenes": -3}, "--scenes -3"),
        ({"size": 8}, "--size 8; give a number from 64 to 2048"),
        ({"size": 100_000}, "--size 100000"),
        ({"workers": 0}, "--workers 0"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_clear_line(synth, tmp_path, wrong, said):
    done = synth("dir", **wrong)
    assert done.code == 2
    assert len(done.errors) == 1
    assert said in done.errors[0]
    assert not (tmp_path / "dir").exists()


def test_a_target_that_cannot_be_written_is_named(synth, tmp_path):
    (tmp_path / "file").write_text("no folder")
    done = synth("file/below")
    assert done.code == 1
    assert len(done.errors) == 1
    assert str(tmp_path / "file") in done.errors[0]


def test_a_folder_of_another_seed_or_size_is_left_alone(synth, tmp_path):
    synth("dir", scenes=1)
    before = contents(tmp_path / "dir")
    for other in ({"seed": 8}, {"size": 96}):
        done = synth("dir", **other)
        assert done.code == 1
        assert "give another folder" in done.errors[0]
    assert contents(tmp_path / "dir") == before


def test_a_record_file_of_something_else_is_refused(synth, tmp_path):
    synth("dir", scenes=1)
    (tmp_path / "dir" / "scenes.jsonl").write_text("[1, 2]\n")
    done = synth("dir")
    assert done.code == 1
    assert "scenes.jsonl" in done.errors[0]
