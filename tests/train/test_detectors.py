"""Detectors from scenes to boxes: a few steps of training, export, and the runtime."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvian.codecs.located import Located
from vitruvian.codecs.roi_keypoints import RoiKeypoints
from vitruvian.core.lookup import find
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets import open_dataset
from vitruvian.image.augment import Augment
from vitruvian.runtime.backends import open_network, torch_network
from vitruvian.runtime.bottomup import BottomUp
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.model import Model
from vitruvian.systems.faster_rcnn import faster_rcnn_res50_fpn_800x1344
from vitruvian.systems.mask_rcnn import mask_rcnn_res50_800x1344
from vitruvian.systems.metadata import Metadata
from vitruvian.systems.pipelines import BoxRule
from vitruvian.systems.rtmdet import rtmdet_nano_person_320
from vitruvian.systems.rtmo import rtmo_s_640
from vitruvian.systems.spec import System
from vitruvian.systems.ssd import ssd_512
from vitruvian.train.device import Device, Normalised
from vitruvian.train.export import export_onnx
from vitruvian.train.feed import Feed
from vitruvian.train.loop import Run, source_of, train

CASES = {
    "rtmdet": (rtmdet_nano_person_320, "tests.nets.test_rtmdet:tiny", {}),
    "ssd": (
        ssd_512,
        "tests.nets.test_ssd:tiny",
        {
            "strides": (8, 16, 32),
            "sizes": (12.0, 24.0, 40.0, 60.0),
            "ratios": ((2.0,), (2.0, 3.0), (2.0, 3.0)),
        },
    ),
    "faster_rcnn": (
        faster_rcnn_res50_fpn_800x1344,
        "tests.nets.test_faster_rcnn:tiny",
        {"rows": 24},
    ),
}


def _small(case: str) -> System:
    page, net, settings = CASES[case]
    system = page()
    codec = replace(system.codec, **settings)
    recipe = replace(
        system.recipe,
        epochs=1,
        samples_per_epoch=48,
        batch=4,
        lr=1e-3 if system.recipe.optimizer == "adamw" else min(system.recipe.lr, 1e-2),
        warmup=0,
        hold=0,
        ema=0.0,
        augment=Augment(scale=0.0, rotation=0.0, rotation_prob=0.0, colour=0.0),
    )
    size = replace(system.input, size=(64, 64))
    return replace(system, net=net, net_args={}, input=size, codec=codec, recipe=recipe)


ROBOT = Skeleton(name="three", keypoints=("top", "left", "right"), swaps=(("left", "right"),))
ONE_NETWORK = {
    "mask_rcnn": ("tests.nets.test_mask_rcnn:tiny", RoiKeypoints(skeleton=ROBOT, people=4)),
    "rtmo": ("tests.nets.test_rtmo:tiny", Located(skeleton=ROBOT, people=4)),
}


def _fresh(system: System) -> Model:
    """The system's network as it begins, without export."""
    torch.manual_seed(0)
    net = find("vitruvian.nets", system.net)()
    backend = torch_network(Normalised(net, system.input).eval())
    return Model(metadata=Metadata.of(system), backend=backend)


def _pictures() -> list[np.ndarray]:
    picture = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    return [picture, picture[:40]]


@pytest.mark.parametrize("case", CASES)
def test_the_runtime_reads_boxes_from_a_fresh_network(case: str) -> None:
    for boxes in Detector(model=_fresh(_small(case)), rule=BoxRule(threshold=0.001))(_pictures()):
        assert np.isfinite(boxes.xyxy).all()
        assert (np.diff(boxes.scores) <= 0).all()


@pytest.mark.parametrize("case", ONE_NETWORK)
def test_the_runtime_reads_people_from_a_fresh_network(case: str) -> None:
    net, codec = ONE_NETWORK[case]
    page = {"mask_rcnn": mask_rcnn_res50_800x1344, "rtmo": rtmo_s_640}[case]()
    system = replace(
        page,
        net=net,
        codec=replace(codec, threshold=0.0),
        skeleton=ROBOT,
        input=replace(page.input, size=(64, 64)),
    )
    tall, wide = BottomUp(model=_fresh(system))(_pictures())
    assert len(tall) > 0
    assert tall.xy.shape[1:] == wide.xy.shape[1:] == (3, 2)
    assert np.isfinite(tall.xy).all()


@pytest.mark.parametrize("case", CASES)
def test_training_lowers_the_loss(case: str, dots: Path, tmp_path: Path) -> None:
    system, losses = _small(case), []
    feed = Feed(source_of(system, [open_dataset(f"coco:{dots}")]), system)
    run = Run(out=tmp_path, device=Device(name="cpu", bf16=False), log_every=1)

    train(system, feed, run, progress=lambda record: losses.append(record["loss"]))

    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_exported_network_detects(case: str, tmp_path: Path) -> None:
    system, path = _small(case), tmp_path / "detector.onnx"
    net = find("vitruvian.nets", system.net)().eval()
    export_onnx(net, system, path, metadata=Metadata.of(system))
    model = Model(metadata=Metadata.of(system), backend=open_network(path.read_bytes(), threads=1))
    for boxes in Detector(model=model, rule=BoxRule(threshold=0.001))(_pictures()):
        assert np.isfinite(boxes.xyxy).all()
        assert (np.diff(boxes.scores) <= 0).all()
