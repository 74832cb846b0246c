"""Features of the bundled pose network for many views, computed once and kept on the disk.

Heads of several systems are compared on the same frozen features, so that what differs is what is
compared, and a head costs minutes of one processor core.
"""

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch

from vitruvian.core.config import to_json
from vitruvian.datasets import open_dataset
from vitruvian.image.augment import Augment
from vitruvian.nets import convert
from vitruvian.nets.small import IMAGENET, Features
from vitruvian.systems.spec import System
from vitruvian.train.device import Normalised
from vitruvian.train.feed import People, epoch_order

BATCH = 16
STILL = Augment(flip=0.0, scale=0.0, rotation=0.0, rotation_prob=0.0)
"""Views as they are at test time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """N views of people.

    Attributes:
        fine: N C h w float16, features at stride 4.
        deep: N C h w float16, features at stride 8.
        xy: N K 2 view pixels; NaN where not labelled.
        visible: N K; 0 not labelled, 1 hidden, 2 visible.
        area: N square view pixels, the scale of OKS.
        source: N names of data sets.
    """

    fine: np.ndarray
    deep: np.ndarray
    xy: np.ndarray
    visible: np.ndarray
    area: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.fine)

    def part(self, start: int, stop: int) -> "Views":
        """Some of them."""
        return Views(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every experiment on features is told."""
    parser.add_argument("--train", required=True, help="READER:WHERE of the training data")
    parser.add_argument("--val", required=True, help="READER:WHERE of the people to measure on")
    parser.add_argument("--trunk", type=Path, required=True, help="weights of vitruvian_pose_s")
    parser.add_argument("--cache", type=Path, required=True, help="folder for features (2.5 GB)")
    parser.add_argument("--views", type=int, default=6400, help="number of training views")
    parser.add_argument("--epochs", type=int, default=0, help="passes; 0: as the page says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, help="the JSON; a table goes beside it")


def still_views(args: argparse.Namespace, page: System) -> Views:
    """Every labelled person of the validation data, in the true box."""
    page = replace(page, recipe=replace(page.recipe, augment=STILL, weights={}))
    return _views(page, args.val, args.trunk, args.cache, 0, 0)


def drawn_views(args: argparse.Namespace, page: System) -> Views:
    """Random views of the training data, as the page's recipe draws them."""
    page = replace(page, recipe=replace(page.recipe, weights={"coco": 0.3, "lsp": 0.15}))
    return _views(page, args.train, args.trunk, args.cache, args.views, args.seed)


def frozen(trunk: Path) -> Features:
    """The features' network with the weights of a trained pose network."""
    features = Features()
    convert.load(features, convert.read(trunk), IMAGENET)
    return features.eval().requires_grad_(False)


def _views(page: System, data: str, trunk: Path, cache: Path, count: int, seed: int) -> Views:
    """Views from the cache, or computed and put there; ``count`` 0 is every person once."""
    about = [to_json(page)["input"], asdict(page.recipe.augment), page.recipe.weights]
    about += [data, hashlib.sha256(trunk.read_bytes()).hexdigest(), count, seed]
    key = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()[:16]
    folder = cache / key
    names = ("fine", "deep", "xy", "visible", "area", "source")
    if not (folder / "source.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compute(page, data, trunk, folder, count, seed)
    return Views(**{n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in names})


@torch.inference_mode()
def _compute(page: System, data: str, trunk: Path, folder: Path, count: int, seed: int) -> None:
    people = People([open_dataset(data)], page)
    rows = np.arange(len(people.groups))
    if count:
        rng = np.random.default_rng([seed, 0])
        rows = epoch_order(people.groups, page.recipe.weights, count, rng)
    model, bones = Normalised(frozen(trunk), page.input), page.skeleton
    widths, (height, width) = model.net.widths, page.input.size
    kept = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", np.float16, (len(rows), c, height // s, width // s)
        )
        for name, c, s in (("fine", widths[0], 4), ("deep", widths[1], 8))
    }
    xy = np.empty((len(rows), len(bones), 2), np.float32)
    visible, area = np.empty((len(rows), len(bones)), np.uint8), np.empty(len(rows))
    for start in range(0, len(rows), BATCH):
        here = range(start, min(start + BATCH, len(rows)))
        seen = [people.seen(int(rows[i]), np.random.default_rng([seed, 1, i])) for i in here]
        for i, one in zip(here, seen, strict=True):
            xy[i], visible[i] = one.xy, one.visible
            area[i] = one.sample.area[one.person] * one.view.scale**2
        images = torch.from_numpy(np.stack([one.image for one in seen]))
        fine, deep = model.stages(images)
        kept["fine"][start : here.stop], kept["deep"][start : here.stop] = fine, deep
    np.save(folder / "xy.npy", xy)
    np.save(folder / "visible.npy", visible)
    np.save(folder / "area.npy", area)
    np.save(folder / "source.npy", np.array([people.groups[row] for row in rows]))
