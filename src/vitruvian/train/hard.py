"""Hard people: those whom an earlier stage finds badly.

Megvii's entry to COCO 2018 trains stage by stage, each on the people whose OKS under the one before
is low: below 0.8 for the second stage, below 0.6 for the third.

    vitruvian train mspn_1stg_256x192 --data … -o runs/first
    vitruvian train mspn_2stg_256x192 --data … -o runs/second
        --judge runs/first/final.safetensors --set train.hard=0.8
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from vitruvian.core.config import from_json
from vitruvian.core.errors import ConfigError, InputError, WeightsError
from vitruvian.core.protocols import PersonCodec
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets import Dataset
from vitruvian.image.augment import Augment
from vitruvian.metrics.oks_fraction import oks_of_pairs
from vitruvian.nets import convert
from vitruvian.runtime.backends import torch_network
from vitruvian.systems.spec import System
from vitruvian.train.checkpoint import provenance_of
from vitruvian.train.device import Device, Normalised
from vitruvian.train.feed import Item, People, Source
from vitruvian.train.loop import build

_STILL = Augment(flip=0.0, scale=0.0, rotation=0.0, rotation_prob=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Some rows of a source, which are a source again.

    Attributes:
        source: All rows.
        rows: Those that are drawn.
    """

    source: Source
    rows: np.ndarray

    @property
    def groups(self) -> Sequence[str]:
        """Name of the data set of every row."""
        return [self.source.groups[row] for row in self.rows]

    def item(self, row: int, rng: np.random.Generator) -> Item:
        """View and targets of one of them."""
        return self.source.item(int(self.rows[row]), rng)


def hard_people(
    source: Source, datasets: Sequence[Dataset], judge: Path, below: float, device: Device
) -> Chosen:
    """The people of ``source`` whose OKS under the weights of an earlier run is ``below``.

    Args:
        source: People of the data sets (``feed.People``).
        datasets: What the source was made of.
        judge: Weights that ``vitruvian train`` wrote; they say which system they are of.
        below: In (0, 1).
        device: Where the judge looks at everybody once.

    Raises:
        ConfigError: The judge or the source are not of a top-down system, or have no sigmas.
        InputError: Nobody is that hard, or the judge sees other people than the source.
        WeightsError: The judge's file does not say what it is of.
    """
    found = similarities(datasets, judge, device)
    if len(found) != len(source.groups):
        raise InputError(f"the judge sees {len(found)} people, training {len(source.groups)}")
    rows = np.flatnonzero(found < below)
    if not len(rows):
        raise InputError(
            f"nobody's OKS under {judge} is below {below}; the lowest is {found.min():.2f}"
        )
    return Chosen(source=source, rows=rows)


def similarities(
    datasets: Sequence[Dataset], judge: Path, device: Device, *, batch: int = 32
) -> np.ndarray:
    """OKS of every labelled person with the pose that the judge finds in the true box."""
    system = _system_of(judge)
    bones, codec = cast(Skeleton, system.skeleton), cast(PersonCodec, system.codec)
    net = build(system)
    convert.load(net, convert.read(judge))
    views = Normalised(net, system.input).to(device.name).eval()
    network = torch_network(views, device=device.name, precision="bf16" if device.bf16 else "f32")
    people = People(datasets, replace(system, recipe=replace(system.recipe, augment=_STILL)))
    found = []
    for start in range(0, len(people.groups), batch):
        rows = range(start, min(start + batch, len(people.groups)))
        seen = [people.seen(row, np.random.default_rng(0)) for row in rows]
        fields = network(np.stack([one.image for one in seen]))
        truth = np.stack([np.where(one.visible[:, None] > 0, one.xy, np.nan) for one in seen])
        area = np.array([one.sample.area[one.person] * one.view.scale**2 for one in seen])
        xy = codec.decode(fields, system.input.size).xy
        found.append(oks_of_pairs(xy, truth, area, bones.oks_sigmas))
    return np.concatenate(found)


def _system_of(judge: Path) -> System:
    about = provenance_of(judge).get("system")
    if about is None:
        raise WeightsError(
            f"{judge} does not say which system it is of; give weights of `vitruvian train`"
        )
    system = from_json(System, about)
    if system.task != "topdown" or system.skeleton is None or not system.skeleton.sigmas:
        raise ConfigError(
            f"the judge {judge} is of {system.name!r}, a {system.task} system; hard people are "
            "chosen by the OKS of a top-down system whose skeleton has sigmas"
        )
    return system
