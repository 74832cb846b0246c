import json

import numpy as np
import pytest

from tests.contracts.test_datasets import check_table
from vitruvian.datasets import open_dataset
from vitruvian.datasets.synthetic import run_lengths
from vitruvian.image.read import read


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
