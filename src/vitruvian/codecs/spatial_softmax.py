"""One distribution over cells per keypoint: P(the keypoint is here), by a softmax over the map.

He et al. 2017 (Mask R-CNN) classify one cell out of 56 x 56; here the target is a small Gaussian
and the decoder takes the expectation around the mode (integral regression, Sun et al. 2018), so a
coarse map still gives sub-cell positions. The mass near the answer is its score: a probability by
construction, which a heat map's height is not.

PoseFix (Moon et al. 2019) shares the target among the four nearest cells, ``sigma=0``, and takes
the expectation over the whole map, ``whole``.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import Align, cell_to_view, view_to_cell


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSoftmax:
    """Logits whose softmax over the map is the position of one person's keypoint.

    Attributes:
        skeleton: Keypoints, one channel each.
        stride: View pixels per cell.
        sigma: Standard deviation of the target, in cells; 0 shares it bilinearly among four cells.
        radius: Half width in cells of the window that the position and the score are taken from.
        whole: The position is taken from the whole map instead; the score is still the window's.
        outside: Weight of the uniform target of a keypoint that is labelled outside of the view.
        align: Where the centre of a cell lies in the view.
        name: Name of the field.
    """

    skeleton: Skeleton
    stride: int = 4
    sigma: float = 1.0
    radius: int = 2
    whole: bool = False
    outside: float = 0.1
    align: Align = "centre"
    name: str = "heatmap"

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
        """Target distributions, each map with sum 1 or empty.

        A labelled keypoint outside of the view has the uniform distribution and weight ``outside``;
        one that is not labelled has an empty map and weight 0.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        h, w = self.fields[0].cells(size)
        cell = view_to_cell(xy.astype(np.float64), size, (h, w), self.align)
        labelled = (visible > 0) & np.isfinite(cell).all(axis=1)
        inside = labelled & ((cell > -0.5) & (cell < np.array([w, h]) - 0.5)).all(axis=1)
        cell = np.where(inside[:, None], cell, 0.0)
        across, down = self._bump(cell[:, 0], w), self._bump(cell[:, 1], h)
        value = down[:, :, None] * across[:, None, :]
        value[~inside] = 1.0 / (h * w)
        value[~labelled] = 0.0
        weight = np.where(inside, 1.0, self.outside * labelled).astype(np.float32)
        return {self.name: Target(value=value, weight=weight[:, None, None])}

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B).

        Args:
            fields: Logits B K h w; a keypoint's score is the mass of its window, in [0, 1].
            size: (H, W) of the view in pixels.
        """
        chance = softmax(fields[self.name])
        batch, keypoints, h, w = chance.shape
        maps, reach = chance.reshape(-1, h, w), self.radius
        mode = np.column_stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(1), (h, w)))
        padded = np.pad(maps, ((0, 0), (reach, reach), (reach, reach)))
        window = np.arange(2 * reach + 1)
        rows, columns = mode[:, :1] + window, mode[:, 1:] + window
        near = padded[np.arange(len(maps))[:, None, None], rows[:, :, None], columns[:, None, :]]
        mass = near.sum(axis=(1, 2))
        if self.whole:
            x, y = maps.sum(axis=1) @ np.arange(w), maps.sum(axis=2) @ np.arange(h)
        else:
            x = (near.sum(axis=1) * (columns - reach)).sum(axis=1) / mass
            y = (near.sum(axis=2) * (rows - reach)).sum(axis=1) / mass
        xy = np.column_stack([x, y]).astype(np.float32)
        scores = np.clip(mass, 0, 1).astype(np.float32).reshape(batch, keypoints)
        return Keypoints(
            xy=cell_to_view(xy, size, (h, w), self.align).reshape(batch, keypoints, 2),
            scores=scores,
            score=scores.mean(axis=1),
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Logits B K h w of mirrored views in the frame of the originals."""
        return {self.name: fields[self.name][:, self.skeleton.flip_index, :, ::-1]}

    def _bump(self, centre: np.ndarray, cells: int) -> np.ndarray:
        """K ``cells`` float32: one-dimensional Gaussians, or shares of two cells, with sum 1."""
        distance = np.arange(cells) - centre[:, None]
        if self.sigma:
            bump = np.exp(distance * distance / (-2 * self.sigma**2)).astype(np.float32)
        else:
            bump = np.clip(1 - np.abs(distance), 0, None).astype(np.float32)
        total: np.ndarray = bump / bump.sum(axis=1, keepdims=True)
        return total


def softmax(logits: Float32[np.ndarray, "B K h w"]) -> Float32[np.ndarray, "B K h w"]:
    """Distribution over the cells of each map."""
    shifted = np.exp(logits - logits.max(axis=(2, 3), keepdims=True))
    result: np.ndarray = shifted / shifted.sum(axis=(2, 3), keepdims=True)
    return result
