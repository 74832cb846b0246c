"""Tompson et al. 2014: the spatial model of the public reproduction."""

import re
from pathlib import Path

import numpy as np
import torch

from tests.parity.kinds import Check, Row
from vitruvian.nets.tompson import SpatialModel


def _spatial_model(path: Path) -> Row:
    """Energies and biases of every ordered pair of joints, at several sizes."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    differences, values, theirs = [], 0, 0
    for size in sorted(key.removesuffix("_out") for key in arrays if key.endswith("_out")):
        joints = list(dict.fromkeys(re.findall(rf"\b{size}_energy_(\w+?)_\w+", " ".join(arrays))))
        maps = torch.from_numpy(arrays[f"{size}_heatmap"]).permute(0, 3, 1, 2)
        model = SpatialModel(len(joints), (maps.shape[2], maps.shape[3]))
        state = {
            name: torch.stack([_plane(arrays, size, part, joints, pair) for pair in model.pairs])
            for name, part in (("energies", "energy"), ("biases", "bias"))
        }
        model.load_state_dict(state)
        with torch.inference_mode():
            ours = model(maps).permute(0, 2, 3, 1).numpy()
        known = arrays[f"{size}_out"]
        values, theirs = values + ours.size, theirs + known.size
        differences.append(float(np.abs(ours - known).max() / np.abs(known).max()))
    return Row(name=path.stem, ours=values, authors=theirs, differences=tuple(differences))


def _plane(arrays: dict, size: str, part: str, joints: list[str], pair) -> torch.Tensor:
    own, other = (joints[int(index)] for index in pair)
    return torch.from_numpy(arrays[f"{size}_{part}_{own}_{other}"][0, :, :, 0])


CHECKS: dict[str, Check] = {r"fn-tompson-mrf-spatial_model": _spatial_model}
"""Start of a fixture's file name -> what runs it."""
