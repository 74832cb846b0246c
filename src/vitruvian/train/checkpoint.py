"""Checkpoints without pickles: tensors and JSON in one safetensors file, replaced atomically."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vitruvian.core.errors import WeightsError
from vitruvian.train.optim import Average


def save_state(
    path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None, step: int
) -> None:
    """Everything that continues a run to the same losses, in one file."""
    tensors = {f"net.{k}": v for k, v in net.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{k}": v for k, v in average.values.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors["rng"] = torch.get_rng_state()
    meta = {"step": step, "average_updates": average.updates if average else 0}
    write_tensors(path, tensors, meta)


def load_state(
    path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average | None
) -> int:
    """Restore what :func:`save_state` wrote; returns the step to go on with.

    Raises:
        WeightsError: The file is corrupt or belongs to another network or recipe.
    """
    tensors, meta = read_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "average": {}, "optimizer": {}}
    for key, value in tensors.items():
        head, _, rest = key.partition(".")
        if head in parts:
            parts[head][rest] = value
    try:
        net.load_state_dict(parts["net"])
    except RuntimeError as error:
        raise WeightsError(f"{path} was written by another network: {error}") from error
    if average is not None:
        if parts["average"].keys() != average.values.keys():
            raise WeightsError(f"{path} holds no average of these weights; was recipe.ema changed?")
        average.values, average.updates = parts["average"], int(meta["average_updates"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in parts["optimizer"].items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    _lay_out_like_parameters(optimizer)
    torch.set_rng_state(tensors["rng"].to(torch.uint8).cpu())
    return int(meta["step"])


def _lay_out_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Files hold contiguous tensors; fused optimisers walk moments and parameters in step."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter).copy_(value)


def provenance_of(path: Path) -> dict[str, Any]:
    """How weights by the training loop came about; empty for anybody else's file."""
    try:
        meta = read_tensors(path)[1]
    except WeightsError:
        return {}
    return {**meta.get("provenance", {}), "system": meta.get("system")} if meta else {}


def write_tensors(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write beside the file, flush to the disk, then rename over it: never half a checkpoint."""
    part = path.with_name(path.name + ".part")
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    save_file(plain, part, metadata={"vitruvian": json.dumps(meta)})
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and JSON of a file by :func:`write_tensors`.

    Raises:
        WeightsError: The file is missing, corrupt or not ours.
    """
    try:
        with safe_open(path, "pt") as file:
            meta = json.loads((file.metadata() or {})["vitruvian"])
            return {key: file.get_tensor(key) for key in file.keys()}, meta  # noqa: SIM118
    except (OSError, KeyError, SafetensorError, json.JSONDecodeError) as error:
        raise WeightsError(f"cannot read checkpoint {path}: {error!r}") from error
