"""One member of a search: what it is, whether it can be built, and its short training."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vitruvian.core.config import from_json, to_json
from vitruvian.core.errors import ConfigError
from vitruvian.core.lookup import find
from vitruvian.datasets import open_dataset
from vitruvian.image.augment import Augment
from vitruvian.nets import convert
from vitruvian.nets.count import parameters, trace
from vitruvian.systems.spec import System
from vitruvian.train.device import Normalised, choose_device
from vitruvian.train.feed import Batch, Feed, Source
from vitruvian.train.loop import NonFiniteLossError, Run, build, source_of, total_loss, train
from vitruvian.train.transfer import transfer
from vitruvian.train.validate import Validate

WEIGHTS = "best.safetensors"
"""The weights of the epoch with the lowest validation loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Everything a process needs to train a member.

    Attributes:
        system: With the member's arguments, epochs and seed.
        train: Training data, ``READER:WHERE`` each.
        val: Data of the validation loss.
        folder: Where its weights and log go.
        parent: Weights to start from, or nothing.
        faithful: See ``transfer.py``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``bf16`` or ``f32``.
        threads: Processor threads; 0 leaves them to torch.
        workers: Threads of the feed.
    """

    system: System
    train: tuple[str, ...]
    val: str
    folder: Path
    parent: Path | None = None
    faithful: bool = False
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    workers: int = 1


def with_arguments(system: System, args: Mapping[str, object]) -> tuple[System, int]:
    """The system with these arguments of its network, and the number of trained values.

    A mutation may change the stride of the maps. The codec then gets it, and as many cells fewer
    or more for a sigma, so that targets keep their size in pixels.

    Raises:
        ConfigError: There is no such network, or its outputs are none of the codec's.
        InputError: The network does not take inputs of the system's size.
    """
    system, size = replace(system, net_args=dict(args)), system.input.size
    with torch.device("meta"):
        net = find("vitruvian.nets", system.net)(**args)
    found = trace(net, size)[1][-1]
    codec = system.codec
    scalable = is_dataclass(codec) and {"stride", "sigma"} <= {f.name for f in fields(codec)}
    if _asked(system) != found and scalable:
        stride = max(1, size[0] // next(iter(found.values()))[1])
        fitting = replace(codec, stride=stride, sigma=codec.sigma * codec.stride / stride)
        system = replace(system, codec=fitting)
    if _asked(system) != found:
        raise ConfigError(f"the network gives {found}, the codec asks for {_asked(system)}")
    return system, parameters(net)


def _asked(system: System) -> dict[str, tuple[int, ...]]:
    size = system.input.size
    return {field.name: (field.channels, *field.cells(size)) for field in system.codec.fields}


def arguments(system: System) -> dict[str, object]:
    """The system's arguments and, for the others, the defaults of the network."""
    accepted = signature(find("vitruvian.nets", system.net)).parameters.values()
    defaults = {a.name: a.default for a in accepted if a.default is not Parameter.empty}
    return json.loads(json.dumps({**defaults, **system.net_args}))


def declared_genes(system: System, args: Mapping[str, object]) -> Mapping[str, object]:
    """What the network's file lets vary; nothing if it says nothing."""
    file = sys.modules[find("vitruvian.nets", system.net).__module__]
    return file.genes(**args) if hasattr(file, "genes") else {}


def raise_member(task: Task) -> float:
    """Train a member; returns its lowest validation loss, infinite if training diverged."""
    device = choose_device(task.device, task.precision, threads=task.threads)
    source, judges = _sources(_data_key(task))
    feed = Feed(source, task.system, workers=task.workers)
    recipe = task.system.recipe
    steps = recipe.epochs * feed.steps
    system = replace(task.system, recipe=replace(recipe, warmup=min(recipe.warmup, steps // 10)))
    start = _inherited(system, task.parent, task.faithful) if task.parent else None
    losses: list[float] = []

    def validate(net: nn.Module) -> dict[str, float]:
        model = Normalised(net, system.input).to(device.name).eval()
        losses.append(validation_loss(model, judges, system))
        return {"score": -losses[-1], "val_loss": losses[-1]}

    check: Validate = validate
    run = Run(out=task.folder, device=device, workers=task.workers, save_every=steps + 1)
    try:
        train(system, feed, run, validate=check, start=start)
    except NonFiniteLossError:
        return float("inf")
    for name in ("last.safetensors", "final.safetensors"):
        (task.folder / name).unlink(missing_ok=True)
    return min(losses, default=float("inf"))


@torch.inference_mode()
def validation_loss(model: Normalised, source: Source, system: System) -> float:
    """The recipe's loss over all rows of a source, in float32, mean over rows."""
    rows, total = len(source.groups), 0.0
    device = next(model.parameters()).device
    for first in range(0, rows, system.recipe.batch):
        batch = _batch(source, np.arange(first, min(rows, first + system.recipe.batch)))
        stages = model.stages(torch.from_numpy(batch.images).to(device))
        total += float(total_loss(stages, batch, system.recipe)[0]) * len(batch.rows)
    return total / rows


def _batch(source: Source, rows: np.ndarray) -> Batch:
    items = [source.item(int(row), np.random.default_rng(0)) for row in rows]
    names = items[0][1]
    return Batch(
        images=np.stack([image for image, _ in items]),
        values={n: np.stack([targets[n].value for _, targets in items]) for n in names},
        weights={n: np.stack([targets[n].weight for _, targets in items]) for n in names},
        rows=rows,
    )


def _inherited(system: System, parent: Path, faithful: bool) -> dict[str, Tensor]:
    net = build(system)
    transfer(net, convert.read(parent), faithful=faithful)
    return net.state_dict()


def _data_key(task: Task) -> str:
    """What the data depend on: all of a system but its network and its seed."""
    recipe = replace(task.system.recipe, seed=0, epochs=1)
    system = replace(task.system, net_args={}, recipe=recipe)
    return json.dumps([to_json(system), list(task.train), task.val])


@cache
def _sources(key: str) -> tuple[Source, Source]:
    """Training and validation data; members that a process trains one after another share them."""
    about, specs, val = json.loads(key)
    system = from_json(System, about)
    still = Augment(flip=0.0, scale=0.0, rotation=0.0)
    judged = replace(system, recipe=replace(system.recipe, augment=still))
    return source_of(system, _opened(specs)), source_of(judged, _opened([val]))


def _opened(specs: Sequence[str]) -> list:
    return [open_dataset(spec) for spec in specs]
