"""What a parity check is made of: the row that it prints and how a network family is run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from vitruvian.nets import convert

TOLERANCE = 1e-4
"""Largest accepted |difference|, as a fraction of the largest |value| of that output."""

HEADER = """\
| fixture | parameters, people or values | authors' | max abs difference / scale, per output | |
|---|---:|---:|---|---|"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Result of one fixture.

    Attributes:
        name: The fixture's file name, without ending.
        ours: Parameters of our network, people that our decoder found, or values that we compared.
        authors: The same of the authors' code.
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
