"""Field: the only contract between networks and codecs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitruvian.core.errors import InputError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One output map of a network.

    Attributes:
        name: Key of the output everywhere: head, target, loss, ONNX output.
        channels: Number of channels C.
        stride: Input pixels per cell, or 0 for an output that is a list.
        axis: The only side that the output has cells along, one row or one column of them.
        bins: Cells per input pixel of such an output, instead of ``stride``.
        rows: Entries of a list, one below the other, whatever the input's size.
    """

    name: str
    channels: int
    stride: int
    axis: Literal["x", "y"] | None = None
    bins: float = 1.0
    rows: int = 0

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of this field for an input of ``size`` (H, W) pixels."""
        if self.axis == "x":
            return 1, round(size[1] * self.bins)
        if self.axis == "y":
            return round(size[0] * self.bins), 1
        if self.stride == 0:
            return self.rows, 1
        return -(-size[0] // self.stride), -(-size[1] // self.stride)

    def of(self, outputs: Mapping[str, np.ndarray], need: str = "") -> np.ndarray:
        """This output among those of a network: B C h w.

        Args:
            outputs: By name.
            need: Who needs which shape, for the error; without it, what the codec needs.

        Raises:
            InputError: It has another number of axes or of channels.
        """
        maps = outputs[self.name]
        if maps.ndim != 4 or maps.shape[1] != self.channels:
            raise InputError(
                f"field {self.name} has shape {maps.shape}; "
                f"{need or f'the codec needs B {self.channels} h w'}"
            )
        return maps


def finite(maps: np.ndarray, name: str, empty: float = 0.0) -> np.ndarray:
    """Maps with ``empty`` for what is not finite, which the log tells; the same maps if all is."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(maps.sum()):  # one pass, and no mask as large as the maps
            return maps
    good = np.isfinite(maps)
    if good.all():
        return maps
    _log.warning("field %s: %d values are not finite, as if empty", name, (~good).sum())
    return np.where(good, maps, maps.dtype.type(empty))
