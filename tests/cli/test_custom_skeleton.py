"""A skeleton of five keypoints, from its JSON to the picture with the pose drawn on it."""

import json

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from vitruvian.codecs.spatial_softmax import SpatialSoftmax
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.image.augment import Augment
from vitruvian.systems.openpose import openpose_coco18
from vitruvian.systems.simplebaselines import simplebaselines_res50_256x192
from vitruvian.systems.skeletons import with_skeleton
from vitruvian.systems.spec import Input, Recipe, System
from vitruvian.systems.vitruvian import vitruvian_person_s, vitruvian_pose_s

ARM = Skeleton(
    name="arm5",
    keypoints=("base", "joint", "tool", "grip_a", "grip_b"),
    swaps=(("grip_a", "grip_b"),),
    limbs=(("base", "joint"), ("joint", "tool"), ("tool", "grip_a"), ("tool", "grip_b")),
    sigmas=(0.05,) * 5,
)
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))


class Net(nn.Module):
    """The least that has an output: three convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 5, 2, 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(16, channels, 1))

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return [{"heatmap": self.layers(x)}]


def page() -> System:
    """A page for COCO's people with a tiny network."""
    return System(
        name="tiny",
        task="topdown",
        net="tests.cli.test_custom_skeleton:Net",
        net_args={"channels": 17},
        input=Input(size=(64, 64), padding=1.0),
        codec=SpatialSoftmax(skeleton=skeleton("coco17")),
        skeleton=skeleton("coco17"),
        recipe=Recipe(
            epochs=1, samples_per_epoch=16, batch=8, optimizer="adamw", loss="spatial_ce",
            weights={"coco": 0.5, "lsp": 0.5},
            augment=Augment(flip=0.5),
        ),
    )  # fmt: skip


@pytest.fixture
def arms(tmp_path, monkeypatch):
    """``arms.json``: painted arms, labelled by names alone; ``arm.json``: the skeleton."""
    monkeypatch.chdir(tmp_path)
    rng, images, people = np.random.default_rng(0), [], []
    for n in range(1, 9):
        picture = np.full((64, 64, 3), 90, np.uint8)
        points = rng.uniform(14, 50, (5, 2)).round()
        for (x, y), colour in zip(points.astype(int).tolist(), COLOURS, strict=True):
            cv2.circle(picture, (x, y), 5, colour[::-1], -1)
        cv2.imwrite(f"{n}.png", picture)
        images.append({"id": n, "file_name": f"{n}.png", "width": 64, "height": 64})
        flat = [v for x, y in points.tolist() for v in (x, y, 2)]
        people.append(
            {"id": n, "image_id": n, "category_id": 1, "keypoints": flat, "bbox": [8, 8, 48, 48],
             "area": 1221}
        )  # fmt: skip
    category = {"id": 1, "name": "arm", "keypoints": list(ARM.keypoints)}
    data = {"images": images, "annotations": people, "categories": [category]}
    (tmp_path / "arms.json").write_text(json.dumps(data))
    ARM.save("arm.json")
    return tmp_path


def test_five_keypoints_are_trained_exported_evaluated_found_and_drawn(vitruvian, arms):
    ours = ("tests.cli.test_custom_skeleton:page", "--skeleton", "arm.json")
    done = vitruvian(
        "train", *ours, "--data", "coco:arms.json@.", "--val", "coco:arms.json@.",
        "-o", "run", "--device", "cpu", "--threads", "1", "--precision", "f32", "--quiet",
    )  # fmt: skip
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert "val_oks" in line
    done = vitruvian("export", *ours, "run/final.safetensors", "-o", "arm.onnx")
    assert (done.code, done.err) == (0, "")
    model = ("arm.onnx", "--threads", "1")
    done = vitruvian(
        "evaluate", *model, "--data", "coco:arms.json@.", "--boxes", "gt", "-o", "r.json"
    )
    assert (done.code, done.err) == (0, "")
    row = json.loads((arms / "r.json").read_text())["rows"][0]
    assert 0 <= row["oks_fraction"]["value"] <= 1
    assert set(row["joints"]) == set(ARM.keypoints)
    drawn = ("--whole-image", "--kpt-thr", "0", "-o", "out.jsonl", "-o", "out.png")
    done = vitruvian("predict", "1.png", "--model", *model, *drawn)
    assert (done.code, done.err) == (0, "")
    (person,) = json.loads((arms / "out.jsonl").read_text())["people"]
    assert len(person["keypoints"]) == 5
    drawn, plain = cv2.imread("out.png"), cv2.imread("1.png")
    assert drawn.shape == plain.shape
    assert (drawn != plain).any()


def test_codec_network_and_recipe_follow_the_skeleton():
    system = with_skeleton(page(), ARM)
    assert system.skeleton == system.codec.skeleton == ARM
    assert system.net_args["channels"] == 5
    assert system.recipe.weights == {}
    assert with_skeleton(vitruvian_pose_s(), ARM).net_args == {"channels": 5}
    baseline = with_skeleton(simplebaselines_res50_256x192(), ARM)
    assert (baseline.net_args["depth"], baseline.net_args["channels"]) == (50, 5)
    assert baseline.codec.fields[0].channels == 5


def test_systems_of_boxes_and_of_named_parts_refuse_another_skeleton():
    with pytest.raises(ConfigError, match="finds boxes"):
        with_skeleton(vitruvian_person_s(), ARM)
    with pytest.raises(ConfigError, match="is built of named parts, and 'arm5' has others"):
        with_skeleton(openpose_coco18(), ARM)
