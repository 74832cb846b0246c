"""What the rooms of the house expect of each other. Protocols, not base classes."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.fields import Field
from vitruvian.core.types import Boxes, Fields, Keypoints, Target


@runtime_checkable
class PersonCodec(Protocol):
    """Representation of the one person of a view (top-down)."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The network outputs this codec speaks of."""
        ...

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Targets of one view of ``size`` (H, W) by field name; ``xy`` in view pixels."""
        ...

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """The person of each view: N = B; ``xy`` in view pixels of ``size`` (H, W)."""
        ...

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Outputs for mirrored views, brought back to the frame and names of the originals."""
        ...


@runtime_checkable
class SceneCodec(Protocol):
    """Representation of all people of a view (bottom-up)."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The network outputs this codec speaks of."""
        ...

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Targets of one view by field name.

        Args:
            xy: Keypoints of everyone in the view, view pixels; NaN where not labelled.
            visible: 0 not labelled, 1 hidden, 2 visible.
            size: (H, W) of the view.
            boxes: xyxy of the same people, view pixels: the scale of those who need one.
            trust: 1 where the labels are complete, 0 in crowds, around people without keypoints and
                outside the picture. The codec shrinks it to its cells and weighs its targets by it.
        """
        ...

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each of the B views, best first; ``xy`` in view pixels of ``size``."""
        ...

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Outputs for mirrored views, brought back to the frame and names of the originals.

        What cannot be averaged with the original's (the tags of associative embedding) comes back
        under a name of its own; the runtime averages the names that both have and hands ``decode``
        the others as they are.
        """
        ...


@runtime_checkable
class MultiScale(Protocol):
    """A scene codec that says itself how the outputs of several scales become one.

    Without it, maps of the same name are resized to those of scale 1 and averaged.
    """

    def merge(self, scales: Mapping[float, Fields]) -> Fields:
        """What ``decode`` reads, from the outputs at each scale of the same views."""
        ...


@runtime_checkable
class BoxCodec(Protocol):
    """Representation of the person boxes of a view (detector)."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The network outputs this codec speaks of."""
        ...

    @property
    def stride(self) -> int:
        """View pixels per cell of ``trust``."""
        ...

    def encode(
        self,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "h w"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Targets of one view; ``boxes`` in view pixels, ``trust`` 0 in cells to ignore.

        Where the targets depend on what the network answers, they are the boxes themselves, padded
        to one number, and a joint loss (``train/joint_losses.py``) does the rest.
        """
        ...

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Boxes]:
        """The boxes of each of the B views, in view pixels, best first, duplicates removed."""
        ...


@runtime_checkable
class Backend(Protocol):
    """A network that is ready to run."""

    @property
    def name(self) -> str:
        """Runtime, device and precision really used, for people to read."""
        ...

    def __call__(self, batch: UInt8[np.ndarray, "B H W 3"], **given: np.ndarray) -> Fields:
        """Outputs by field name for a batch of RGB views in [0, 255]; the network normalises.

        ``given`` are what else it needs, by name (``Metadata.given``).
        """
        ...
