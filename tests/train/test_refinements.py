from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets import open_dataset
from vitruvian.nets.blocks import conv_bn
from vitruvian.nets.posefix import PoseFix
from vitruvian.runtime.model import load_model
from vitruvian.systems.metadata import Metadata
from vitruvian.systems.posefix import posefix_res50_256x192
from vitruvian.systems.spec import System
from vitruvian.train.device import Device, Normalised
from vitruvian.train.export import export_onnx
from vitruvian.train.feed import Feed
from vitruvian.train.loop import build, source_of, total_loss
from vitruvian.train.validate import validator


@pytest.fixture(scope="module")
def refining(robot: Skeleton) -> System:
    """The page, for dots and a tiny network."""
    page = posefix_res50_256x192()
    bones = replace(robot, sigmas=(0.05,) * 5)
    augment = replace(page.recipe.augment, flip=0.5, scale=0.1, rotation_prob=0.0)
    return replace(
        page,
        net="tests.train.test_refinements:small",
        net_args={},
        input=replace(page.input, size=(64, 64), padding=1.0),
        codec=replace(page.codec, skeleton=bones),
        skeleton=bones,
        recipe=replace(page.recipe, batch=4, epochs=1, lr=1e-3, augment=augment),
    )


class Thin(nn.Module):
    """A trunk with the parts of a ResNet and hardly any weights."""

    widths = (8, 8, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = conv_bn(64, 8, 3)
        self.layer2, self.layer3, self.layer4 = (conv_bn(8, 8, 3, 2) for _ in range(3))


def small() -> nn.Module:
    return PoseFix(Thin(), 5, sigma=3.0, widths=(8, 8, 8))


def test_every_view_comes_with_a_pose_that_is_near_its_labels(dots: Path, refining: System) -> None:
    feed = Feed(source_of(refining, [open_dataset(f"coco:{dots}")]), refining)
    batch = next(feed.epoch(0))
    pose = batch.given["pose"]
    assert pose.shape == (4, 5, 2)
    assert pose.dtype == np.float32
    stride, value = 4, batch.values["heatmap"]
    across = value.sum(axis=2) @ np.arange(16) * stride
    down = value.sum(axis=3) @ np.arange(16) * stride
    distance = np.hypot(pose[..., 0] - across, pose[..., 1] - down)
    known = np.isfinite(distance) & (batch.weights["heatmap"][..., 0, 0] > 0)
    assert known.mean() > 0.5
    assert 0.1 < np.median(distance[known]) < 15
    assert np.array_equal(pose, next(feed.epoch(0)).given["pose"], equal_nan=True)


def test_training_lowers_the_loss(dots: Path, refining: System) -> None:
    torch.manual_seed(0)
    feed = Feed(source_of(refining, [open_dataset(f"coco:{dots}")]), refining)
    batch = next(feed.epoch(0))
    net = build(refining)
    model = Normalised(net, refining.input)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    images, pose = torch.from_numpy(batch.images), torch.from_numpy(batch.given["pose"])
    found = []
    for _ in range(20):
        loss, _ = total_loss(model.stages(images, pose=pose), batch, refining.recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.9 * found[0]


def test_a_refiner_cannot_be_validated_while_it_trains(dots: Path, refining: System) -> None:
    with pytest.raises(ConfigError, match="refines poses of another system"):
        validator(refining, open_dataset(f"coco:{dots}"), Device(name="cpu", bf16=False))


@pytest.mark.slow
def test_the_exported_refiner_is_given_pose_and_picture(refining: System, tmp_path: Path) -> None:
    path, net = tmp_path / "refiner.onnx", build(refining).eval()
    parity = export_onnx(
        net, refining, path, metadata=Metadata.of(refining), half=False, tolerance=1e-3
    )
    assert parity.worst < 1e-3
    model = load_model(path.read_bytes(), "refiner.onnx", threads=1)
    views = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    nobody = np.full((2, 5, 2), np.nan, np.float32)
    some = nobody.copy()
    some[0, 3] = 20.0
    with torch.inference_mode():
        truth = Normalised(net, refining.input)(
            torch.from_numpy(views), pose=torch.from_numpy(some)
        )["heatmap"].numpy()
    found = model.backend(views, pose=some)["heatmap"]
    np.testing.assert_allclose(found, truth, atol=1e-3 * np.abs(truth).max())
    lost = model.backend(views, pose=nobody)["heatmap"]
    assert np.abs(lost[0] - found[0]).max() > 1e-3 * np.abs(found[0]).max()
    np.testing.assert_allclose(lost[1], found[1], atol=1e-4 * np.abs(truth).max())
