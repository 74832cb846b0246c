"""Everybody's heatmaps, and tags that tell people apart (Newell, Huang and Deng 2017).

One map per keypoint shows all people at once; a second one holds a number per cell, alike for the
keypoints of one person and different from the others'. HigherHRNet (Cheng et al. 2020) adds a finer
heatmap. Peaks are searched on a grid finer than the cells where asked, without enlarging the maps.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field, finite
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import Align, view_to_cell
from vitruvian.kernels.enlarged import enlarged_at, enlarged_peaks
from vitruvian.kernels.tag_groups import group, most_alike

_log = logging.getLogger(__name__)

_LARGEST_TAG = 1e4
"""Tags beyond are cut off: no trained network gives them, and their squares must not overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Heatmaps and tags of all people of a view.

    Fields are ``heatmap`` and ``tag`` with K channels each, and ``heatmap_fine`` where there is a
    finer grid. The target of ``tag`` is no tag but says whose keypoint is in a cell: 0 nobody, 1 to
    127 a person; where there are several, up to three, their numbers are digits to the base 128.

    Attributes:
        skeleton: Keypoints.
        stride: View pixels per cell.
        fine_stride: View pixels per cell of the finer heatmap; 0 for none.
        sigma: Standard deviation of the Gaussians, in cells of either grid.
        reference: Box side in view pixels of a person with that sigma, others in proportion; 0
            gives everybody the same.
        align: ``centre``, or ``legacy``, which takes cell c to begin at view pixel c x stride.
        search: View pixels per step of the grid of peaks; divides the finest stride.
        radius: Nothing within so many steps is higher than a peak.
        threshold: Peaks are above this.
        tag_threshold: Tags this far from a person's mean are somebody else's.
        distance: ``norm`` of the difference of tag vectors, or ``rms``.
        most: Peaks of a keypoint that count, the highest; with ``faithful``, people who can be
            joined, too.
        faithful: Group as the authors' programs do: once there are ``most`` people, further
            keypoints …
        full: … begin people whom nobody can join (``open``, HigherHRNet), or are left out with all
            of their kind (``skip``, Associative Embedding). Keypoints too far from everybody still
            compete, and ties fall as in their solver.
        order: Keypoints in the order of matching; empty for the skeleton's.
        refine: Look for keypoints that a person lacks where the tags are most like its own.
        refined_score: Score of those: their ``heat`` or ``one``.
    """

    skeleton: Skeleton
    stride: int = 4
    fine_stride: int = 0
    sigma: float = 2.0
    reference: float = 0.0
    align: Align = "centre"
    search: int = 1
    radius: int = 2
    threshold: float = 0.1
    tag_threshold: float = 1.0
    distance: Literal["norm", "rms"] = "norm"
    most: int = 30
    faithful: bool = False
    full: Literal["open", "skip"] = "open"
    order: tuple[str, ...] = ()
    refine: bool = True
    refined_score: Literal["heat", "one"] = "heat"

    def __post_init__(self) -> None:
        fine = self.fine_stride or self.stride
        steps = min(self.search, fine, self.radius, self.most) > 0 and self.stride % fine == 0
        if not steps or fine % self.search or self.sigma <= 0 or self.align == "udp":
            raise ConfigError(
                f"tags with strides {self.stride} and {self.fine_stride}, search {self.search}, "
                f"radius {self.radius}, most {self.most}, sigma {self.sigma}, align {self.align}; "
                "give a finer stride that divides the stride and a search that divides both, "
                "numbers above 0, and centre or legacy"
            )
        if self.order and sorted(self.order) != sorted(self.skeleton.keypoints):
            raise ConfigError(f"tags.order {self.order} must name every keypoint once")

    @property
    def fields(self) -> tuple[Field, ...]:
        """``heatmap`` and ``tag``, and ``heatmap_fine`` where there is one."""
        count = len(self.skeleton)
        fields = [
            Field(name="heatmap", channels=count, stride=self.stride),
            Field(name="tag", channels=count, stride=self.stride),
        ]
        if self.fine_stride:
            fields.append(Field(name="heatmap_fine", channels=count, stride=self.fine_stride))
        return tuple(fields)

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Gaussians at the cell of each keypoint, the highest of all people; and whose cell it is.

        Args:
            xy: Keypoints of everyone, view pixels.
            visible: 0 is not labelled.
            size: (H, W) of the view.
            boxes: xyxy, view pixels; read with ``reference``.
            trust: Heatmaps have weight where the mean over the cell is above 0.5.
        """
        sigma = np.full(len(xy), self.sigma)
        if self.reference:
            side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
            sigma = np.maximum(self.sigma * side / self.reference, 0.5)
        targets = {}
        for field in self.fields:
            cells = field.cells(size)
            cell, whose = self._inside(xy, visible, size, cells)
            if field.name == "tag":
                value = _owners(cell, whose, field.channels, cells)
                targets["tag"] = Target(value=value, weight=np.ones((1, 1, 1), np.float32))
                continue
            shrunk = cv2.resize(trust, (cells[1], cells[0]), interpolation=cv2.INTER_AREA)
            value = _bumps(cell, whose[:, 1], sigma[whose[:, 0]], field.channels, cells)
            weight = (shrunk > 0.5).astype(np.float32)[None]
            targets[field.name] = Target(value=value, weight=weight)
        return targets

    def _inside(
        self, xy: np.ndarray, visible: np.ndarray, size: tuple[int, int], cells: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """M 2 int64 cells of the labelled keypoints in the map, and whose (M 2: person, joint)."""
        place = view_to_cell(xy.astype(np.float64), size, cells, self.align)
        place = np.floor(place + (0.5 if self.align == "centre" else 0))
        there = (visible > 0) & (place >= 0).all(-1) & (place < [cells[1], cells[0]]).all(-1)
        return place[there].astype(np.int64), np.argwhere(there)

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Heatmaps of mirrored views in the frame of the originals, and their tags as a second tag.

        Tags come back as ``tag_flip``: they are alike within a person, not between the two views.
        Flipping twice gives them their name back.
        """
        mirror = self.skeleton.flip_index
        other = {"tag": "tag_flip", "tag_flip": "tag"}
        return {other.get(name, name): maps[:, mirror, :, ::-1] for name, maps in fields.items()}

    def merge(self, scales: Mapping[float, Fields]) -> Fields:
        """Heatmaps of all scales, averaged on the grid of peaks; tags of scale 1 alone."""
        like = scales[1.0]
        finest = like["heatmap_fine" if self.fine_stride else "heatmap"]
        factor = (self.fine_stride or self.stride) // self.search
        size = (finest.shape[2] * factor, finest.shape[3] * factor)
        maps = [_resized(self._heat(fields), size) for fields in scales.values()]
        tags = {name: tag for name, tag in like.items() if name.startswith("tag")}
        return {"heatmap_merged": np.mean(maps, axis=0), **tags}

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first; a person's score is the mean over all K keypoints.

        Args:
            fields: B K h w; ``heatmap_merged`` of :meth:`merge` in place of heatmaps.
            size: (H, W) of the view in pixels.

        Raises:
            InputError: A field has another number of channels than there are keypoints.
        """
        count, bones = len(self.skeleton), self.skeleton.name
        for name in fields:
            field = Field(name=name, channels=count, stride=self.stride)
            field.of(fields, f"{count} keypoints of {bones!r} need B {count} h w")
        merged = fields.get("heatmap_merged")
        heat = self._heat(fields) if merged is None else merged
        tags = self._tags(fields, heat.shape[2:])
        factor = 1 if merged is not None else (self.fine_stride or self.stride) // self.search
        heat, *tags = (finite(maps, "heatmap or tag") for maps in (heat, *tags))
        return [self._people(maps, [tag[i] for tag in tags], factor) for i, maps in enumerate(heat)]

    def _heat(self, fields: Fields) -> np.ndarray:
        """B K h w: the mean of the heatmaps at the finest of their grids."""
        if not self.fine_stride:
            return fields["heatmap"]
        fine = fields["heatmap_fine"]
        mean = _resized(fields["heatmap"], fine.shape[2:])
        mean += fine
        mean *= 0.5
        return mean

    def _tags(self, fields: Fields, cells: tuple[int, ...]) -> list[np.ndarray]:
        """T times B K h w: tags on the grid of the heatmaps, by way of the finer grid."""
        fine = self.stride // (self.fine_stride or self.stride)
        tags = []
        for maps in (fields[name] for name in ("tag", "tag_flip") if name in fields):
            for size in ((maps.shape[2] * fine, maps.shape[3] * fine), cells):
                maps = maps if maps.shape[2:] == size else _resized(maps, size)
            tags.append(maps)
        return tags

    def _people(self, heat: np.ndarray, tags: list[np.ndarray], factor: int) -> Keypoints:
        """The people of one view from K h w heatmaps and T times K h w tags."""
        joint, grid, value, slope = self._peaks(heat, factor)
        tag = _tags_at(tags, factor, joint, grid)
        norm = 1.0 if self.distance == "norm" else len(tags) ** -0.5
        names = self.order or self.skeleton.keypoints
        rows = group(
            joint,
            tag,
            value,
            [self.skeleton.index(name) for name in names],
            threshold=self.tag_threshold,
            norm=norm,
            limit=self.most if self.faithful else 0,
            full=self.full,
            faithful=self.faithful,
        )
        there = rows >= 0
        scores = np.where(there, value[rows] if len(value) else 0, 0).astype(np.float32)
        place = np.full((*rows.shape, 2), np.nan)
        place[there] = (grid + 0.25 * slope)[rows[there]]
        score = scores.mean(axis=1)
        if self.refine and not there.all():
            self._refine(heat, tags, factor, rows, tag, norm, place, scores)
        corner = 0.5 if self.align == "legacy" else 0.0
        best = np.argsort(-score, kind="stable")
        return Keypoints(
            xy=((place + 0.5) * self.search - 0.5 + corner)[best].astype(np.float32),
            scores=scores[best].clip(0, 1),
            score=score[best].clip(0, 1),
        )

    def _peaks(
        self, heat: np.ndarray, factor: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Joint, grid point, value and slope of the highest peaks, best first within a joint."""
        peaks = enlarged_peaks(heat, factor, self.radius, self.threshold)
        joint, value = peaks[0], peaks[2]
        order = np.lexsort((-value, joint))
        first = np.searchsorted(joint[order], np.arange(len(heat)))
        rank = np.arange(len(order)) - first[joint[order]]
        kept = order[rank < self.most]
        if len(kept) < len(order):
            _log.info("%d peaks, of which the best %d of each map count", len(order), self.most)
        return joint[kept], peaks[1][kept], value[kept], peaks[3][kept]

    def _refine(
        self,
        heat: np.ndarray,
        tags: list[np.ndarray],
        factor: int,
        rows: np.ndarray,
        tag: np.ndarray,
        norm: float,
        place: np.ndarray,
        scores: np.ndarray,
    ) -> None:
        """Fill in what people lack, into ``place`` P K 2 and ``scores`` P K."""
        there = rows >= 0
        mean = np.where(there[..., None], tag[rows], 0).sum(1) / there.sum(1, keepdims=True)
        person, joint = np.nonzero(~there)
        grid, value = most_alike(heat, tags, factor, joint, mean[person], norm)
        found = value > 0
        person, joint, grid, value = person[found], joint[found], grid[found], value[found]
        slope = _slopes(heat, factor, joint, grid)
        place[person, joint] = grid + 0.25 * slope
        scores[person, joint] = value if self.refined_score == "heat" else 1.0


def _owners(cell: np.ndarray, whose: np.ndarray, count: int, cells: tuple[int, int]) -> np.ndarray:
    """``count`` h w float32: the target of ``tag``."""
    value = np.zeros((count, *cells), np.float32)
    for (x, y), (person, k) in zip(cell, whose, strict=True):
        if person < 127 and value[k, y, x] < 128**2:
            value[k, y, x] = value[k, y, x] * 128 + person + 1
    return value


def _bumps(
    cell: np.ndarray, joint: np.ndarray, sigma: np.ndarray, count: int, cells: tuple[int, int]
) -> np.ndarray:
    """``count`` h w float32: Gaussians out to 3 sigma and a cell more, the highest of all."""
    value = np.zeros((count, *cells), np.float32)
    for (x, y), k, spread in zip(cell.tolist(), joint.tolist(), sigma.tolist(), strict=True):
        reach = int(3 * spread + 1)
        x0, x1 = max(x - reach, 0), min(x + reach + 1, cells[1])
        y0, y1 = max(y - reach, 0), min(y + reach + 1, cells[0])
        across = np.exp(-((np.arange(x0, x1) - x) ** 2) / (2 * spread**2))
        down = np.exp(-((np.arange(y0, y1) - y) ** 2) / (2 * spread**2))
        part = value[k, y0:y1, x0:x1]
        np.maximum(part, down[:, None] * across, out=part)
    return value


def _resized(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps B C h w on the grid (h, w) of ``size``, bilinear, in new memory."""
    batch, channels = maps.shape[:2]
    out = np.empty((batch, channels, *size), np.float32)
    for i in range(batch):
        for k in range(channels):
            cv2.resize(maps[i, k], size[::-1], dst=out[i, k], interpolation=cv2.INTER_LINEAR)
    return out


def _tags_at(
    tags: list[np.ndarray], factor: int, joint: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """M T float64 tags at grid points M 2."""
    values = [enlarged_at(maps, factor, joint, grid[:, 0], grid[:, 1]) for maps in tags]
    return np.stack(values, axis=1).clip(-_LARGEST_TAG, _LARGEST_TAG).astype(np.float64)


def _slopes(heat: np.ndarray, factor: int, joint: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """M 2: sign of the slope at grid points M 2."""
    x, y = grid.T
    last_x, last_y = (n * factor - 1 for n in (heat.shape[2], heat.shape[1]))
    ahead = [
        enlarged_at(heat, factor, joint, np.minimum(x + 1, last_x), y),
        enlarged_at(heat, factor, joint, x, np.minimum(y + 1, last_y)),
    ]
    behind = [
        enlarged_at(heat, factor, joint, np.maximum(x - 1, 0), y),
        enlarged_at(heat, factor, joint, x, np.maximum(y - 1, 0)),
    ]
    slope: np.ndarray = np.sign(np.stack(ahead, axis=1) - np.stack(behind, axis=1))
    return slope
