"""One map of yes and no per keypoint: is it in the middle of the window? (Jain et al. 2014)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import cell_to_view
from vitruvian.kernels.peaks import highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Logits of windows, one of each keypoint of one person per cell.

    Attributes:
        skeleton: Keypoints, one channel each.
        stride: View pixels between windows.
        radius: Windows whose middle is nearer than this to the keypoint show it, in view pixels.
        margin: Windows nearer than this that do not show it count for nothing.
        name: Name of the field.
    """

    skeleton: Skeleton
    stride: int = 4
    radius: float = 3.0
    margin: float = 6.0
    name: str = "heatmap"

    def __post_init__(self) -> None:
        if self.radius < self.stride / np.sqrt(2):
            raise ConfigError(
                f"windows every {self.stride} pixels with radius {self.radius}: some keypoint has "
                f"no window; give a radius of at least {self.stride / np.sqrt(2):.2f}"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field with a channel per keypoint."""
        return (Field(name=self.name, channels=len(self.skeleton), stride=self.stride),)

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """1 where a window shows the keypoint; windows with and without it weigh the same in all.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        labelled = (visible > 0) & np.isfinite(xy).all(axis=1)
        distance = self._distance(np.where(labelled[:, None], xy, 0.0), size)
        shows = (distance <= self.radius) & labelled[:, None, None]
        without = (distance > self.margin) & labelled[:, None, None]
        weight = np.zeros(distance.shape)
        for part in (shows, without):
            weight += part / np.maximum(part.sum(axis=(1, 2), keepdims=True), 1)
        target = Target(value=shows.astype(np.float32), weight=weight.astype(np.float32))
        return {self.name: target}

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """The best window of each keypoint, one person per view (N = B).

        Args:
            fields: Logits B K h w; a keypoint's score is the best one's probability.
            size: (H, W) of the view in pixels.
        """
        maps = fields[self.name]
        batch, keypoints, h, w = maps.shape
        cell, value = highest(maps.reshape(-1, h, w))
        scores = (1 / (1 + np.exp(-np.clip(value, -60, 60)))).astype(np.float32)
        scores = scores.reshape(batch, keypoints)
        xy = cell_to_view(cell.astype(np.float32), size, (h, w), "centre")
        return Keypoints(
            xy=xy.reshape(batch, keypoints, 2), scores=scores, score=scores.mean(axis=1)
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Logits B K h w of mirrored views in the frame of the originals."""
        return {self.name: fields[self.name][:, self.skeleton.flip_index, :, ::-1]}

    def _distance(self, xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """K h w: pixels from each keypoint to the middle of each window."""
        h, w = self.fields[0].cells(size)
        cells = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2).astype(np.float64)
        middle = cell_to_view(cells, size, (h, w), "centre")
        distance: np.ndarray = np.linalg.norm(middle - xy[:, None, None], axis=3)
        return distance
