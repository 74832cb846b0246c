"""People as the centres of their boxes (Zhou et al. 2019, "Objects as Points").

One map says where centres are; four more say how far the sides are from there. The Gaussians
follow the box's shape and every cell near the centre regresses, as in Liu et al. 2020 (TTFNet),
which learns several times faster than one regressing cell a box.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.core.fields import Field
from vitruvian.core.types import Boxes, Fields, Target
from vitruvian.core.view import cell_to_view, view_to_cell
from vitruvian.kernels.nms import nms
from vitruvian.kernels.peaks import local_maxima


@dataclass(frozen=True, slots=True, kw_only=True)
class Centres:
    """Boxes of one class as centre map and side distances.

    Attributes:
        stride: View pixels per cell.
        spread: Standard deviation of a centre's Gaussian, as a fraction of the box's sides.
        near: Cells where the Gaussian is above this regress the box.
        threshold: Centres below this score are nobody.
        iou: Boxes that overlap a better one by more are duplicates.
        most: Largest number of boxes a view can hold.
    """

    stride: int = 8
    spread: float = 0.09
    near: float = 0.4
    threshold: float = 0.3
    iou: float = 0.5
    most: int = 100

    @property
    def fields(self) -> tuple[Field, ...]:
        """``centre``: a logit. ``box``: log of left, top, right, bottom distance over stride."""
        return (
            Field(name="centre", channels=1, stride=self.stride),
            Field(name="box", channels=4, stride=self.stride),
        )

    def encode(
        self,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "h w"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Targets of one view.

        Args:
            boxes: xyxy, view pixels, each with an area.
            trust: Weight of the centre map where no box is: 0 in ignored regions.
            size: (H, W) of the view in pixels.
        """
        h, w = self.fields[0].cells(size)
        heat = np.zeros((h, w), np.float32)
        sides, owned = np.zeros((4, h, w), np.float32), np.zeros((h, w), np.float32)
        extent = boxes[:, 2:] - boxes[:, :2]
        middle = view_to_cell((boxes[:, :2] + boxes[:, 2:]) / 2, size, (h, w), "centre")
        cells = np.clip(np.round(middle), 0, [w - 1, h - 1])
        x, y = self._pixels(h, w)
        for index in np.argsort(-extent.prod(axis=1)):  # small boxes own their cells
            sigma = np.maximum(extent[index] / self.stride * self.spread, 0.6)
            across = np.exp(-0.5 * ((np.arange(w) - cells[index, 0]) / sigma[0]) ** 2)
            down = np.exp(-0.5 * ((np.arange(h) - cells[index, 1]) / sigma[1]) ** 2)
            bump = (down[:, None] * across).astype(np.float32)
            np.maximum(heat, bump, out=heat)
            x0, y0, x1, y1 = boxes[index]
            distance = np.stack(np.broadcast_arrays(x - x0, y - y0, x1 - x, y1 - y))
            mine = (bump > self.near) & (distance > 0).all(axis=0)
            sides[:, mine] = distance[:, mine]
            owned[mine] = bump[mine]
        return {
            "centre": Target(value=heat[None], weight=np.maximum(trust, heat)[None]),
            "box": Target(value=sides, weight=owned[None]),
        }

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Boxes]:
        """Boxes of each view in view pixels, best first, without duplicates."""
        logits, log_sides = fields["centre"][:, 0], fields["box"]
        h, w = logits.shape[1:]
        x, y = self._pixels(h, w)
        return [
            self._decode_one(logit, sides, np.broadcast_arrays(x, y))
            for logit, sides in zip(logits, log_sides, strict=True)
        ]

    def _decode_one(
        self, logit: np.ndarray, log_sides: np.ndarray, pixels: tuple[np.ndarray, ...]
    ) -> Boxes:
        with np.errstate(divide="ignore"):  # a threshold of 0 keeps all, one of 1 nothing
            floor = float(np.log(self.threshold) - np.log1p(-self.threshold))
        rows, columns = local_maxima(logit, floor)
        best = np.argsort(-logit[rows, columns], kind="stable")[: self.most]
        rows, columns = rows[best], columns[best]
        scores = 1 / (1 + np.exp(-logit[rows, columns]))
        left, top, right, bottom = self.stride * np.exp(log_sides[:, rows, columns])
        x, y = (axis[rows, columns] for axis in pixels)
        xyxy = np.column_stack([x - left, y - top, x + right, y + bottom]).astype(np.float32)
        keep = nms(xyxy, scores.astype(np.float32), self.iou)
        return Boxes(xyxy=xyxy[keep], scores=scores[keep].astype(np.float32))

    def _pixels(self, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
        """View coordinates of the cells' centres: 1 w and h 1."""
        size = (h * self.stride, w * self.stride)
        cells = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).astype(np.float32)
        grid = cell_to_view(cells, size, (h, w), "centre")
        return grid[:1, :, 0], grid[:, :1, 1]
