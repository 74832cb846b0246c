"""What a parity check is made of: the row that it prints and how a network family is run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from vitruvian.core.skeleton import Skeleton
from vitruvian.nets import convert

TOLERANCE = 1e-4
"""Largest accepted |difference|, as a fraction of the largest |value| of that output."""

HEADER = """\
| fixture | parameters, people or values | authors' | max abs difference / scale, per output | |
|---|---:|---:|---|---|"""


_MANY = 13
"""Outputs whose differences are printed one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Result of one fixture.

    Attributes:
        name: The fixture's file name, without ending.
        ours: Parameters of our network, people that our decoder found, or values that we compared.
        authors: The same of the authors' code.
        differences: Largest |difference| / scale of each output.
        error: Why there is nothing to compare, or empty.
        note: What of the fixture is not compared, or is on purpose not the same, and why.
    """

    name: str
    ours: int = 0
    authors: int = 0
    differences: tuple[float, ...] = ()
    error: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        """Same size, and every output within the tolerance (NaN is not)."""
        close = all(value <= TOLERANCE for value in self.differences)
        return not self.error and self.ours == self.authors and bool(self.differences) and close

    def __str__(self) -> str:
        values = " ".join(f"{d:.1e}" for d in self.differences)
        if len(self.differences) > _MANY:
            values = f"{max(self.differences):.1e} at most, of {len(self.differences)} outputs"
        values = self.error.replace("\n", " ") or values
        verdict = ("equal" if self.ok else "DIFFERS") + (f"; {self.note}" if self.note else "")
        return f"| {self.name} | {self.ours:,} | {self.authors:,} | {values} | {verdict} |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the fixtures of one network family are run.

    Attributes:
        build: Network from the fixture's ``config``, its name (``fixture``) and ``notes``.
        layouts: The family's ``LAYOUTS``.
        enter: The authors' input as B 3 H W.
        leave: Our stages as arrays in the order and layout of the authors' outputs.
        inside: A module whose last output the authors return too, before all others.
    """

    build: Callable[[dict], nn.Module]
    layouts: dict[str, convert.Layout]
    enter: Callable[[np.ndarray], np.ndarray] = lambda x: x
    leave: Callable[[list[dict[str, np.ndarray]]], list[np.ndarray]] = field(
        default=lambda stages: [array for stage in stages for array in stage.values()]
    )
    inside: str = ""


Check = Callable[[Path], Row]
"""Runs a fixture of a function, an encoder or a decoder. Differences are fractions of the output's
scale, so that one tolerance serves all; of a decoder, pixels / 100 (0.01 px is the limit)."""

PIXELS = 100.0
"""Scale of what is measured in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Ours and the authors' answer to one question; without ``scale`` theirs has the scale."""

    ours: np.ndarray
    theirs: np.ndarray
    scale: float = 0.0

    @property
    def difference(self) -> float:
        """Largest |difference| / scale; what is NaN on one side only differs."""
        ours, theirs = (np.asarray(a, np.float64) for a in (self.ours, self.theirs))
        if ours.shape != theirs.shape:
            raise ValueError(f"shape {ours.shape}, authors' {theirs.shape}")
        if (np.isnan(ours) != np.isnan(theirs)).any():
            return np.inf
        scale = self.scale or float(np.nanmax(np.abs(theirs), initial=0)) or 1.0
        return float(np.nanmax(np.abs(ours - theirs), initial=0)) / scale


def compared(path: Path, pairs: list[Pair], *, note: str = "") -> Row:
    """The row of a fixture whose numbers are compared one by one."""
    return Row(
        name=path.stem,
        ours=sum(np.asarray(pair.ours).size for pair in pairs),
        authors=sum(np.asarray(pair.theirs).size for pair in pairs),
        differences=tuple(pair.difference for pair in pairs),
        note=note,
    )


def numbered(count: int, swaps: tuple[tuple[int, int], ...] = ()) -> Skeleton:
    """A skeleton of so many keypoints, of which some are mirror images of each other."""
    names = tuple(f"point_{index}" for index in range(count))
    return Skeleton(
        name="numbered", keypoints=names, swaps=tuple((names[a], names[b]) for a, b in swaps)
    )
