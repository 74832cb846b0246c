"""Labels on their way through the formats that can be written."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.core.errors import InputError, UnknownName
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.datasets import open_dataset, save_dataset
from vitruvian.datasets.kept import lost
from vitruvian.datasets.table import Table, offsets

HAND = Skeleton(
    name="hand5",
    keypoints=("wrist", "left_tip", "right_tip", "a", "b"),
    swaps=(("left_tip", "right_tip"), ("a", "b")),
    limbs=(("wrist", "a"),),
    sigmas=(0.1, 0.2, 0.2, 0.3, 0.3),
)
SIZE = (48, 64)


def people(seed, counts, bones=HAND, folder=Path("pictures")):
    """Any labels that a tool could hold: every flag, crowds, people without keypoints."""
    rng = np.random.default_rng(seed)
    first = offsets(np.array(counts, np.int64))
    count = int(first[-1])
    visible = rng.integers(0, 3, (count, len(bones))).astype(np.uint8)
    visible[rng.random(count) < 0.2] = 0
    xy = rng.uniform(0.001, 900, (count, len(bones), 2)).astype(np.float32)
    xy[visible == 0] = np.nan
    corner = rng.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 500, (count, 2))], 1)
    return Table(
        folder=folder,
        names=[f"{i}.png" for i in range(len(counts))],
        sizes=np.tile(np.array(SIZE, np.int64), (len(counts), 1)),
        image_ids=np.arange(1, len(counts) + 1),
        first=first,
        skeleton=bones,
        xy=xy,
        visible=visible,
        boxes=boxes.astype(np.float32),
        area=rng.uniform(1, 900, count).astype(np.float32),
        crowd=rng.random(count) < 0.2,
        ids=rng.permutation(count).astype(np.int64),
        fully_annotated=rng.random(len(counts)) < 0.8,
        sources=["here"] * len(counts),
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), np.zeros((*SIZE, 3), np.uint8))
    return folder


FLAGS = ("visibility flags", "keypoints", "places of keypoints", "people", "pictures", "boxes")
TARGETS = {
    "coco": "labels.json",
    "cvat": "annotations.xml",
    "label_studio": "export.json",
    "yolo_pose": "data.yaml",
}


@pytest.mark.parametrize("reader", TARGETS)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    bones=st.sampled_from([HAND, skeleton("coco17"), skeleton("mpii16")]),
)
def test_no_format_loses_a_flag_a_place_or_a_box(
    pictures, tmp_path_factory, reader, seed, counts, bones
):
    table = people(seed, counts, bones, pictures)
    folder = tmp_path_factory.mktemp(reader)
    save_dataset(table, f"{reader}:{folder / TARGETS[reader]}")
    where = "" if reader == "yolo_pose" else f"@{pictures}"
    again = open_dataset(f"{reader}:{folder / TARGETS[reader]}{where}")
    missing = lost(table, again)
    assert {name: missing[name] for name in FLAGS if name in missing} == {}
    assert missing.get("crowd regions", 0) == (0 if reader == "coco" else int(table.crowd.sum()))
    assert again.skeleton.keypoints == bones.keypoints
    assert reader != "coco" or missing == {}
    kept = table if reader == "coco" else table.only(~table.crowd)
    np.testing.assert_array_equal(again.visible, kept.visible)
    np.testing.assert_allclose(again.xy, kept.xy, rtol=1e-6)
    np.testing.assert_allclose(again.boxes, kept.boxes, rtol=1e-5, atol=1e-4)


def test_deeplabcut_keeps_places_and_not_what_is_hidden(tmp_path):
    table = people(3, [2, 0, 1])
    hidden, xy = np.ones_like(table.visible), np.nan_to_num(table.xy)
    hidden[0, 0], xy[0, 0] = 0, np.nan
    table = replace(table, crowd=np.zeros(3, bool), visible=hidden, xy=xy)
    save_dataset(table, f"deeplabcut:{tmp_path / 'CollectedData_me.csv'}")
    again = open_dataset(f"deeplabcut:{tmp_path / 'CollectedData_me.csv'}@{tmp_path}")
    missing = lost(table, again)
    assert missing["visibility flags"] == 14
    assert {"keypoints", "places of keypoints", "people"}.isdisjoint(missing)


def test_what_is_lost_is_counted():
    table = people(0, [2, 1])
    flags = table.visible.copy()
    at = tuple(np.argwhere(flags == 2)[0])
    flags[at] = 1
    moved = table.xy.copy()
    moved[at] += 1
    changed = replace(
        table, visible=flags, xy=moved, area=table.area * 2, skeleton=replace(HAND, limbs=()),
        person_fields={}, sources=["there", "here"],
    )  # fmt: skip
    table = replace(table, person_fields={"track": np.arange(3)})
    expected = {"areas": 3, "limbs": 1, "sources of pictures": 1, "track of people": 3}
    expected |= {"visibility flags": 1, "places of keypoints": 1}
    assert lost(table, changed) == expected
    assert lost(table, table) == {}
    assert lost(table, table.select([0])) == {"pictures": 1}


def test_a_second_split_joins_the_first_of_yolo(pictures, tmp_path):
    file = tmp_path / "data.yaml"
    table = people(1, [1, 2], folder=pictures)
    save_dataset(table.select([0]), f"yolo_pose:{file}#train")
    save_dataset(table.select([1]), f"yolo_pose:{file}#val")
    names = [open_dataset(f"yolo_pose:{file}#{split}").names for split in ("train", "val")]
    assert names == [["images/train/0.png"], ["images/val/1.png"]]
    with pytest.raises(InputError, match="is of other keypoints"):
        save_dataset(people(1, [1], skeleton("coco17"), pictures), f"yolo_pose:{file}")


def test_a_format_without_a_writer_is_named(tmp_path):
    with pytest.raises(UnknownName, match="write_lsp"):
        save_dataset(people(1, [1]), f"lsp:{tmp_path}")
