"""Field: the only contract between networks and codecs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One output map of a network.

    Attributes:
        name: Key of the output everywhere: head, target, loss, ONNX output.
        channels: Number of channels C.
        stride: Input pixels per cell, or 0 for an output without cells of its own.
    """

    name: str
    channels: int
    stride: int

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of this field for an input of ``size`` (H, W) pixels."""
        return -(-size[0] // self.stride), -(-size[1] // self.stride)
