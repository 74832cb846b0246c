"""Field: the only contract between networks and codecs."""

from dataclasses import dataclass
from typing import Literal


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
