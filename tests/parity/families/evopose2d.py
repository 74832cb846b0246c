"""EvoPose2D: its mutation and its transfer of weights to networks of other shapes."""

import json
from pathlib import Path

import numpy as np
import torch

from tests.parity.kinds import Row
from vitruvian.core.errors import ConfigError
from vitruvian.core.genome import mutate
from vitruvian.nets.evopose2d import evopose2d, genes
from vitruvian.train.transfer import overlapped


class LegacyDice:
    """NumPy's old generator, with which the fixtures were drawn."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def integers(self, high: int, /) -> int:
        return int(self._rng.randint(high))

    def random(self) -> float:
        return float(self._rng.rand())


def _mutate(path: Path) -> Row:
    """How many mutants are theirs, and the largest difference of a gene."""
    found = json.loads(path.read_text())
    parent = {"genome": found["parent"]}
    ranges, rows = genes(**parent), found["rows"]
    ours = [mutate(parent, ranges, LegacyDice(row["seed"]), _valid)["genome"] for row in rows]
    theirs = [row["mutant"] for row in rows]
    gap = np.abs(np.array(ours) - np.array(theirs))
    return Row(
        name=path.stem,
        ours=int((gap == 0).all(axis=(1, 2)).sum()),
        authors=len(theirs),
        differences=(float(gap.max()),),
    )


def _valid(args: dict) -> bool:
    try:
        with torch.device("meta"):
            evopose2d(**args)
    except ConfigError:
        return False
    return True


def _transfer(path: Path) -> Row:
    """Values compared, and the largest difference of each tensor as a fraction of its scale."""
    with np.load(path) as file:
        cases = sorted({int(key.split("_")[0]) for key in file})
        found = [[file[f"{i}_{part}"] for part in ("child", "parent", "result")] for i in cases]
    gaps = []
    for child, parent, result in found:
        ours = overlapped(_ours(child), _ours(parent), faithful=True)
        gap = (ours - _ours(result)).abs().max() / _ours(result).abs().max()
        gaps.append(float(gap))
    values = sum(result.size for _, _, result in found)
    return Row(name=path.stem, ours=values, authors=values, differences=tuple(gaps))


def _ours(array: np.ndarray) -> torch.Tensor:
    """Axes of PyTorch for a kernel of TensorFlow: those of the picture go last."""
    tensor = torch.from_numpy(array.astype(np.float32))
    return tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor


CHECKS = {"fn-evopose2d-mutate": _mutate, "fn-evopose2d-partial_transfer": _transfer}
