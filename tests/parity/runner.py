"""Run a fixture through our code and measure how far it is from the authors' numbers.

A family adds one entry to ``FAMILIES``: how its network is built from the fixture's own ``meta``.
Fixtures of other widths, depths, skeletons and seeds of that family then need nothing new.
"""

import json
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vitruvian.core.errors import VitruvianError
from vitruvian.nets import convert, hrnet, simplebaselines
from vitruvian.nets.count import parameters

TOLERANCE = 1e-4
"""Largest accepted |difference|, as a fraction of the largest |value| of that output."""

HEADER = """\
| fixture | parameters | authors' | max abs difference / scale, per output | |
|---|---:|---:|---|---|"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Result of one fixture.

    Attributes:
        name: The fixture's file name, without ending.
        ours: Parameters of our network.
        authors: Parameters of the authors' network.
        differences: Largest |difference| / scale of each output.
        error: Why there is nothing to compare, or empty.
    """

    name: str
    ours: int = 0
    authors: int = 0
    differences: tuple[float, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """Same size, and every output within the tolerance (NaN is not)."""
        close = all(value <= TOLERANCE for value in self.differences)
        return not self.error and self.ours == self.authors and bool(self.differences) and close

    def __str__(self) -> str:
        values = self.error.replace("\n", " ") or " ".join(f"{d:.1e}" for d in self.differences)
        verdict = "equal" if self.ok else "DIFFERS"
        return f"| {self.name} | {self.ours:,} | {self.authors:,} | {values} | {verdict} |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the fixtures of one network family are run.

    Attributes:
        build: Network from the fixture's ``config``.
        layouts: The family's ``LAYOUTS``.
        enter: The authors' input as B 3 H W.
        leave: Our stages as arrays in the order and layout of the authors' outputs.
    """

    build: Callable[[dict], nn.Module]
    layouts: dict[str, convert.Layout]
    enter: Callable[[np.ndarray], np.ndarray] = lambda x: x
    leave: Callable[[list[dict[str, np.ndarray]]], list[np.ndarray]] = field(
        default=lambda stages: [array for stage in stages for array in stage.values()]
    )


def _simplebaseline(config: dict) -> nn.Module:
    extra = config["EXTRA"]
    return simplebaselines.simplebaselines(
        extra["NUM_LAYERS"],
        config["NUM_JOINTS"],
        style=config.get("STYLE", "pytorch"),
        widths=tuple(extra["NUM_DECONV_FILTERS"]),
        kernels=tuple(extra["NUM_DECONV_KERNELS"]),
        bias=extra["DECONV_WITH_BIAS"],
        head_kernel=extra["FINAL_CONV_KERNEL"],
    )


def _hrnet(config: dict) -> nn.Module:
    stages = [config["EXTRA"][f"STAGE{number}"] for number in (2, 3, 4)]
    return hrnet.hrnet(
        tuple(stages[-1]["NUM_CHANNELS"]),
        config["NUM_JOINTS"],
        modules=tuple(stage["NUM_MODULES"] for stage in stages),
        blocks=stages[-1]["NUM_BLOCKS"][0],
        head_kernel=config["EXTRA"]["FINAL_CONV_KERNEL"],
    )


FAMILIES = {
    r"simplebaseline-": Family(build=_simplebaseline, layouts=simplebaselines.LAYOUTS),
    r"hrnet-": Family(build=_hrnet, layouts=hrnet.LAYOUTS),
}
"""Start of a fixture's ``meta["name"]`` -> its family."""


def family(name: str) -> Family | None:
    """The family of the fixture whose meta has this name, if it is known."""
    return next((found for start, found in FAMILIES.items() if re.match(start, name)), None)


def value(key: str, shape: list[int], gain: float, seed: int) -> np.ndarray:
    """The tensor that a fixture means by ``key``: a formula instead of stored weights."""
    rng = np.random.default_rng([zlib.crc32(key.encode()), seed])
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_mean":
        return np.asarray(0.1 * rng.standard_normal(shape), np.float32)
    if leaf == "running_var":
        return rng.uniform(0.7, 1.3, shape).astype(np.float32)
    if len(shape) >= 2:
        deviation = gain * math.sqrt(2 / math.prod(shape[1:]))
        return (deviation * rng.standard_normal(shape)).astype(np.float32)
    if leaf == "weight":
        return rng.uniform(0.8, 1.2, shape).astype(np.float32)
    return np.asarray(0.05 * rng.standard_normal(shape), np.float32)


def check(path: Path) -> Row:
    """Run one fixture; what cannot be run is an error in its row."""
    name = path.name.removesuffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            return _check_net(name, dict(file))
    except (VitruvianError, KeyError, OSError, ValueError) as error:
        return Row(name=name, error=f"{type(error).__name__}: {error}")


def _check_net(name: str, file: dict[str, np.ndarray]) -> Row:
    meta = json.loads(str(file["meta"]))
    found = family(meta["name"])
    if found is None:
        return Row(name=name, error=f"no family of {meta['name']!r} is known to the runner")
    net = found.build(meta["config"]).eval()
    state = {
        key: torch.from_numpy(value(key, shape, meta["gain"], meta["seed"]))
        for key, shape in meta["keys"]
    }
    convert.load(net, state, found.layouts)
    with torch.inference_mode():
        stages = net(torch.from_numpy(found.enter(file["input"].astype(np.float32))))
    ours = found.leave([{key: x.numpy() for key, x in stage.items()} for stage in stages])
    theirs = [file[f"out{index}"].astype(np.float32) for index in range(len(meta["outputs"]))]
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        raise ValueError(f"shapes {[a.shape for a in ours]}, authors' {[b.shape for b in theirs]}")
    pairs = zip(ours, theirs, strict=True)
    return Row(
        name=name,
        ours=parameters(net),
        authors=meta["n_params"],
        differences=tuple(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs),
    )
