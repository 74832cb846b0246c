"""Run a fixture through our code and measure how far it is from the authors' numbers.

The families are found in ``families/``. Fixtures of other widths, depths, skeletons and seeds of a
family then need nothing new.
"""

import json
import math
import pkgutil
import re
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.parity import families
from tests.parity.kinds import Check, Family, Row
from vitruvian.nets import convert
from vitruvian.nets.count import parameters

NETS: dict[str, Family] = {}
CHECKS: dict[str, Check] = {}
for _found in pkgutil.iter_modules(families.__path__):
    _module = import_module(f"{families.__name__}.{_found.name}")
    NETS |= getattr(_module, "NETS", {})
    CHECKS |= getattr(_module, "CHECKS", {})


def family(name: str) -> Family | None:
    """The family of the fixture whose meta has this name, if it is known."""
    return next((found for start, found in NETS.items() if re.match(start, name)), None)


def _checker(name: str) -> Check | None:
    """What runs the fixture of a function whose file has this name, if it is known."""
    return next((found for start, found in CHECKS.items() if re.match(start, name)), None)


def known(path: Path) -> bool:
    """Whether the file is a fixture that a family claims by its name."""
    return (_checker(path.stem) or family(path.stem.removeprefix("net-"))) is not None


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
    name = path.stem
    run = _checker(name)
    try:
        if run is not None:
            return run(path)
        if not name.startswith("net-"):
            return Row(name=name, error="unknown: no check fits a file of this name")
        with np.load(path, allow_pickle=False) as file:
            return _check_net(name, dict(file))
    except Exception as error:  # whatever a file holds, its row says so
        return Row(name=name, error=f"{type(error).__name__}: {error}")


def _check_net(name: str, file: dict[str, np.ndarray]) -> Row:
    meta = json.loads(str(file["meta"]))
    found = family(meta["name"])
    if found is None:
        return Row(name=name, error=f"unknown: no family is named like {meta['name']!r}")
    said = {"fixture": meta["name"], "notes": meta.get("notes") or ""}
    net = found.build({**said, **meta["config"]}).eval()
    convert.load(net, state_of(meta), found.layouts)
    ours = _outputs(net, found, file["input"].astype(np.float32))
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


def state_of(meta: dict) -> dict[str, torch.Tensor]:
    """The weights of a fixture; in a "unit" one the learnt factors are around 1 and not 0."""
    state = {}
    for key, shape in meta["keys"]:
        array = value(key, shape, meta["gain"], meta["seed"])
        if meta["name"].endswith("-unit") and key.rsplit(".", 1)[-1] in ("g", "scale"):
            array = array + np.float32(1)
        state[key] = torch.from_numpy(np.asarray(array))
    return state


def _outputs(net: nn.Module, found: Family, image: np.ndarray) -> list[np.ndarray]:
    """What our network answers to the authors' input, as they lay it out."""
    seen: list[torch.Tensor] = []
    if found.inside:
        module = net.get_submodule(found.inside)
        module.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        stages = net(torch.from_numpy(found.enter(image)))
    last = [x[-1] if isinstance(x, list) else x for x in seen]
    arrays = found.leave([{key: x.numpy() for key, x in stage.items()} for stage in stages])
    return [x.numpy() for x in last] + arrays
