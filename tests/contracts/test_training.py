"""What every page owes its trainer: on one batch of crops the loss falls over twenty steps.

The pictures are real people of the optional data folder, or painted ones without it. Views are as
small a share of the page's as its network and codec take; small networks are tried by default, the
others are slow.
"""

import json
import os
from dataclasses import replace
from functools import cache
from inspect import signature
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.golden.measure import SYSTEMS, read, systems
from tests.painted import paint, person
from vitruvian.core.errors import InputError
from vitruvian.core.lookup import find
from vitruvian.datasets import open_dataset
from vitruvian.nets.count import trace
from vitruvian.systems.spec import System
from vitruvian.train.device import Normalised
from vitruvian.train.feed import Batch, Feed
from vitruvian.train.loop import build, source_of, to_training, total_loss
from vitruvian.train.optim import clip_gradients, make_optimizer, set_rate

PAGES = systems()
GOLDEN = read(SYSTEMS)
SMALL = 0.5e9
"""Multiply-adds at the page's own size of what the default suite trains."""

MOVING = ("rtmdet", "rtmo")
"""Losses whose labels follow the predictions: they rise until some of these are good."""


def _case(name: str) -> object:
    golden = GOLDEN.get(name, {"macs": SMALL + 1})
    small = golden["macs"] <= SMALL and golden["parameters"] < 5e6
    return pytest.param(name, id=name, marks=[] if small else [pytest.mark.slow])


def _real(folder: Path) -> dict | None:
    """Labels of two pictures with one well labelled person each, if the data are here."""
    shared = Path(os.environ.get("VITRUVIAN_SHARED", ROOT.parent / "shared")) / "people"
    if not (shared / "annotations" / "val.json").is_file():
        return None
    found = json.loads((shared / "annotations" / "val.json").read_text(encoding="utf-8"))
    full = [a for a in found["annotations"] if a["num_keypoints"] >= 14][:2]
    images = {image["id"]: image for image in found["images"]}
    return found | {
        "annotations": full,
        "images": [
            images[a["image_id"]]
            | {"file_name": str(shared / "images" / images[a["image_id"]]["file_name"])}
            for a in full
        ],
    }


def _painted(folder: Path) -> dict:
    boxes = [(20.0, 10.0, 90.0, 150.0), (60.0, 20.0, 130.0, 140.0)]
    images, annotations = [], []
    for i, (x0, y0, x1, y1) in enumerate(boxes, 1):
        cv2.imwrite(str(folder / f"{i}.png"), paint((160, 160), (x0, y0, x1, y1)))
        images.append({"id": i, "file_name": str(folder / f"{i}.png"), "width": 160, "height": 160})
        xy = person((x0, y0, x1, y1))
        flat = np.column_stack([xy, np.full(17, 2)]).ravel().tolist()
        one = {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "keypoints": flat}
        one |= {"num_keypoints": 17, "bbox": [x0, y0, x1 - x0, y1 - y0], "area": 5000.0}
        annotations.append(one)
    return {"images": images, "annotations": annotations, "categories": [{"id": 1}]}


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """COCO labels of two pictures of one person each."""
    folder = tmp_path_factory.mktemp("people")
    labels = _real(folder) or _painted(folder)
    (folder / "two.json").write_text(json.dumps(labels), encoding="utf-8")
    return folder / "two.json"


@cache
def _smaller(name: str) -> System:
    """The page for views of a quarter or a half of its sides, if that is possible."""
    page = PAGES[name]()
    sized = "size" in signature(find("vitruvian.nets", page.net)).parameters
    for share in (4, 2):
        size = tuple(max(64, 64 * round(side / share / 64)) + side % 2 for side in page.input.size)
        args = dict(page.net_args) | ({"size": size} if sized else {})
        small = replace(page, net_args=args, input=replace(page.input, size=size))
        if min(a - b for a, b in zip(page.input.size, size, strict=True)) > 0 and _fits(small):
            return small
    return page


def _fits(system: System) -> bool:
    """Whether the network takes such views, and gives what the codec asks for."""
    try:
        with torch.device("meta"):
            net = find("vitruvian.nets", system.net)(**system.net_args)
        answered = trace(net, system.input.size)[1][-1]
    except (InputError, RuntimeError):
        return False
    size = system.input.size
    asked = {f.name: (f.channels, *f.cells(size)) for f in system.codec.fields}
    return {name: tuple(shape) for name, shape in answered.items()} == asked


def _losses(system: System, batch: Batch, steps: int) -> list[float]:
    """Losses of ``steps`` updates by the page's own optimiser at its peak rate for one batch."""
    net = build(system)
    model = Normalised(net, system.input)
    to_training(model, system.recipe)
    optimizer = make_optimizer(net, system.recipe)
    set_rate(optimizer, system.recipe.lr)
    images = torch.from_numpy(batch.images)
    given = {name: batch.values[name] for name in getattr(net, "looks_at", ())} | batch.given
    given = {name: torch.from_numpy(value) for name, value in given.items()}
    found = []
    for _ in range(steps):
        torch.manual_seed(0)  # what a network drops is the same every time
        loss, _ = total_loss(model.stages(images, **given), batch, system.recipe)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_gradients(net.parameters(), system.recipe.clip_norm or 100.0)
        optimizer.step()
        found.append(float(loss.detach()))
    return found


@pytest.mark.parametrize("name", [_case(name) for name in PAGES])
def test_twenty_steps_on_one_batch_lower_the_loss(name, people):
    system = _smaller(name)
    recipe = replace(system.recipe, batch=2, samples_per_epoch=2, weights={})
    system = replace(system, recipe=recipe)
    feed = Feed(source_of(system, [open_dataset(f"coco:{people}")]), system)
    batch = next(feed.epoch(0))

    losses = _losses(system, batch, 20)

    assert np.isfinite(losses).all()
    highest = max(losses) if system.recipe.loss in MOVING else losses[0]
    assert min(losses[-3:]) < 0.98 * highest, losses
