import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from vitruvian.codecs.tags import Tags
from vitruvian.core.errors import InputError
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.view import View
from vitruvian.datasets import open_dataset
from vitruvian.image.augment import Augment
from vitruvian.runtime.load import load
from vitruvian.systems.metadata import Metadata
from vitruvian.systems.spec import Input, System, Test
from vitruvian.train import everybody
from vitruvian.train.device import Device
from vitruvian.train.everybody import Everybody, trusted
from vitruvian.train.export import export_onnx
from vitruvian.train.feed import Feed
from vitruvian.train.loop import Run, source_of, train
from vitruvian.train.validate import validator

STILL = Augment(flip=0.0, rotation_prob=0.0, zoom=(1.0, 1.0))


def _sample(boxes, crowd=(), known=None, whole=True) -> Sample:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    visible = np.full((count, 1), 2, np.uint8)
    visible[[i for i in range(count) if known is not None and i not in known]] = 0
    return Sample(
        path="",
        size=(40, 60),
        skeleton=Skeleton(name="one", keypoints=("a",)),
        xy=np.where(visible[..., None] > 0, boxes[:, None, :2] + 1, np.nan).astype(np.float32),
        visible=visible,
        boxes=boxes,
        area=np.ones(count, np.float32),
        crowd=np.array([i in crowd for i in range(count)], bool),
        fully_annotated=whole,
    )


def test_labels_are_trusted_in_the_picture_but_not_in_crowds_or_where_people_lack_keypoints():
    sample = _sample([[2, 2, 9, 9], [20, 5, 29, 14], [40, 20, 49, 29]], crowd={1}, known={0, 1})
    trust = trusted(sample, View.letterbox((40, 60), (64, 64)))  # 64 / 60, then padding
    assert trust.shape == (64, 64)
    assert trust[5, 5] == trust[30, 10] == 1
    assert trust[10, 26] == trust[26, 47] == 0
    assert trust[45:].max() == 0
    assert trust[:42].mean() > 0.85


def test_only_the_surroundings_of_people_are_trusted_in_a_picture_not_fully_annotated():
    sample = _sample([[10, 10, 19, 19], [30, 10, 39, 19]], known={0}, whole=False)
    trust = trusted(sample, View.letterbox((40, 60), (40, 60)))
    assert trust[15, 15] == trust[9, 9] == 1
    assert trust[15, 34] == trust[5, 5] == trust[35, 55] == 0


def test_trust_turns_with_the_view():
    sample = _sample([[2, 2, 9, 9]])
    view = View.around(np.array([29.5, 19.5]), (60.0, 60.0), (60, 60), rotation=90.0)
    trust = trusted(sample, view)
    assert trust[:, 10:50].min() == 1
    assert trust[:, [0, 5, 55, 59]].max() == 0


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """COCO JSON: six pictures of two blobs each (green and red ends), one picture of a crowd."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    images, notes = [], []
    for i in range(7):
        picture = np.full((48, 64, 3), 90, np.uint8)
        for side in range(2):
            x, y = rng.integers(8, 24) + 32 * side, rng.integers(10, 20)
            cv2.circle(picture, (int(x), int(y)), 3, (0, 0, 255), -1)
            cv2.circle(picture, (int(x), int(y) + 16), 3, (0, 255, 0), -1)
            note = {"id": 2 * i + side + 1, "image_id": i, "category_id": 1, "iscrowd": int(i == 6)}
            note |= {"keypoints": [int(x), int(y), 2, int(x), int(y) + 16, 2], "num_keypoints": 2}
            note |= {"bbox": [int(x) - 5, int(y) - 5, 11, 27], "area": 300}
            notes.append(note)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
        images.append({"id": i, "file_name": f"{i}.png", "width": 64, "height": 48})
    category = {"id": 1, "name": "rod", "keypoints": ["top", "foot"], "skeleton": [[1, 2]]}
    data = {"images": images, "annotations": notes, "categories": [category]}
    (folder / "pairs.json").write_text(json.dumps(data))
    empty = data | {"annotations": [], "images": images[:2]}
    (folder / "empty.json").write_text(json.dumps(empty))
    return folder / "pairs.json"


class _Net(nn.Module):
    """Three convolutions; enough for coloured dots on grey, and x tells people apart."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(5, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU()
        )
        self.head = nn.Conv2d(16, 4, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        ones = torch.ones_like(x[:, :1])
        across, down = ((ones.cumsum(axis) - 32) / 16 for axis in (3, 2))
        maps = self.head(self.body(torch.cat([x, across, down], 1)))
        return [{"heatmap": maps[:, :2], "tag": maps[:, 2:]}]


def net() -> nn.Module:
    return _Net()


@pytest.fixture
def rods(system: System) -> System:
    bones = Skeleton(name="rod", keypoints=("top", "foot"), sigmas=(0.1, 0.1))
    return replace(
        system,
        name="rods",
        task="bottomup",
        net="tests.train.test_everybody:net",
        net_args={},
        input=Input(size=(48, 64), fit="short", divisor=16),
        codec=Tags(skeleton=bones, sigma=1.0, search=4, radius=1, refine=False),
        skeleton=bones,
        recipe=replace(
            system.recipe,
            loss="heatmap=joints_mse*2,tag=associative*0.01",
            lr=1e-2,
            augment=STILL,
            ema=0.0,
            samples_per_epoch=36,
            batch=6,
            epochs=12,
        ),
        test=Test(oks_nms=1.0),
    )


def test_a_view_holds_everybody_and_says_whose_keypoint_is_where(pairs: Path, rods: System) -> None:
    source = Everybody([open_dataset(f"coco:{pairs}")], rods)
    image, targets = source.item(0, np.random.default_rng(0))
    sample = open_dataset(f"coco:{pairs}")[0]
    assert image.shape == (48, 64, 3)
    whose = targets["tag"].value
    cells = np.round((sample.xy + 0.5) / 4 - 0.5).astype(int)
    for person, k in np.ndindex(2, 2):
        assert whose[k, cells[person, k, 1], cells[person, k, 0]] == person + 1
        assert targets["heatmap"].value[k, cells[person, k, 1], cells[person, k, 0]] == 1
    assert np.count_nonzero(whose) == 4
    assert targets["heatmap"].weight.min() == 1


def test_a_mirrored_view_swaps_left_and_right(pairs: Path, rods: System) -> None:
    swapping = Skeleton(name="rod", keypoints=("top", "foot"), swaps=(("top", "foot"),))
    views = []
    for flip in (0.0, 1.0):
        augment = replace(STILL, flip=flip)
        system = replace(
            rods,
            skeleton=swapping,
            codec=replace(rods.codec, skeleton=swapping),
            recipe=replace(rods.recipe, augment=augment),
        )
        data = open_dataset(f"coco:{pairs}")
        source = Everybody([data], system)
        source._samples = [replace(s, skeleton=swapping) for s in source._samples]
        views.append(source.item(1, np.random.default_rng(0)))
    (plain, targets), (mirrored, swapped) = views
    assert np.abs(plain[:, ::-1].astype(int) - mirrored).max() <= 2
    value = targets["heatmap"].value
    close = np.abs(swapped["heatmap"].value - value[::-1, :, ::-1])
    assert close.max() <= 1  # the grid's cells are 0.5 pixels off in the mirror
    assert close.mean() < 0.02


def test_pictures_of_crowds_are_not_drawn_and_data_without_people_are(
    pairs: Path, rods: System
) -> None:
    data = [open_dataset(f"coco:{pairs}"), open_dataset(f"coco:{pairs.parent / 'empty.json'}")]
    assert len(Everybody(data[:1], rods).groups) == 6
    source = Everybody(data, rods)
    assert len(source.groups) == 8
    targets = source.item(7, np.random.default_rng(0))[1]
    assert targets["heatmap"].value.max() == targets["tag"].value.max() == 0
    assert targets["heatmap"].weight.min() == 1
    with pytest.raises(InputError, match="no person"):
        Everybody(data[1:], rods)


def test_random_views_are_those_of_the_seed_whatever_the_threads(pairs: Path, rods: System) -> None:
    wild = Augment(zoom=(0.5, 2.0), rotation=40.0, shift=0.2, flip=0.5)
    system = replace(rods, recipe=replace(rods.recipe, augment=wild))
    source = Everybody([open_dataset(f"coco:{pairs}")], system)
    one, two = (next(Feed(source, system, workers=n).epoch(0)) for n in (1, 2))
    assert np.array_equal(one.images, two.images)
    assert one.values["tag"].max() == 2
    assert one.weights["heatmap"].min() == 0
    assert len({image.tobytes() for image in one.images}) == 6


class Listed(list):
    """A data set in memory."""

    def __init__(self, skeleton: Skeleton, samples: list[Sample]) -> None:
        super().__init__(samples)
        self.skeleton = skeleton


def test_training_learns_to_find_both_people_and_validates_with_the_users_predictor(
    pairs: Path, rods: System, tmp_path: Path
) -> None:
    data = [replace(sample, skeleton=rods.skeleton) for sample in open_dataset(f"coco:{pairs}")]
    data = Listed(rods.skeleton, data)
    source = source_of(rods, [data])
    assert isinstance(source, everybody.Everybody)
    scores: list[dict[str, float]] = []
    device = Device(name="cpu", bf16=False)
    validate = validator(rods, data, device)
    run = Run(out=tmp_path, device=device, validate_every=rods.recipe.epochs)
    train(rods, Feed(source, rods), run, validate=validate, progress=scores.append)
    found = scores[-1]
    assert found["val_oks"] > 0.5
    assert found["score"] == found["val_ap"] > 0.3
    assert (tmp_path / "best.safetensors").exists()


@pytest.mark.slow
def test_the_exported_network_takes_views_of_any_size_of_its_rule(
    rods: System, tmp_path: Path
) -> None:
    path = tmp_path / "rods.onnx"
    parity = export_onnx(net().eval(), rods, path, metadata=Metadata.of(rods))
    assert parity.worst < 5e-3
    pose = load(path, threads=1)
    found = pose([np.zeros(size, np.uint8) for size in ((48, 64, 3), (100, 48, 3), (10, 300, 3))])
    assert [poses.size for poses in found] == [(48, 64), (100, 48), (10, 300)]
