"""Two numbers per keypoint: its place in the view, by regression (Toshev and Szegedy 2014)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """Where each keypoint of one person lies, in units of the view's sides from its middle.

    Attributes:
        skeleton: Keypoints, one entry each.
        name: Name of the field.
    """

    skeleton: Skeleton
    name: str = "xy"

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field with a channel per keypoint and the rows x and y."""
        return (Field(name=self.name, channels=len(self.skeleton), stride=0, rows=2),)

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Targets K 2 1, in [-0.5, 0.5] inside of the view; weight 0 where not labelled.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        labelled = (visible > 0) & np.isfinite(xy).all(axis=1)
        sides = np.array(size[::-1], np.float32)
        value = np.where(labelled[:, None], (xy - (sides - 1) / 2) / sides, 0)
        return {
            self.name: Target(
                value=value[..., None].astype(np.float32),
                weight=labelled[:, None, None].astype(np.float32),
            )
        }

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B). A regression does not say how sure it is: scores are 1.

        Args:
            fields: Numbers B K 2 1.
            size: (H, W) of the view in pixels.
        """
        value, sides = fields[self.name][..., 0], np.array(size[::-1], np.float32)
        scores = np.ones(value.shape[:2], np.float32)
        return Keypoints(
            xy=(value * sides + (sides - 1) / 2).astype(np.float32),
            scores=scores,
            score=scores.mean(axis=1),
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Numbers B K 2 1 of mirrored views in the frame of the originals."""
        value = fields[self.name][:, self.skeleton.flip_index]
        return {self.name: value * np.array([-1, 1], value.dtype)[:, None]}
