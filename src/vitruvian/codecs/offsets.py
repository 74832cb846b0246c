"""Disks around keypoints, and offsets that point at them and along the body.

Papandreou, Zhu, Chen, Gidaris, Tompson and Murphy, "PersonLab: person pose estimation and instance
segmentation with a bottom-up, part-based, geometric embedding model", ECCV 2018; the numbers are
those of KerasPersonLab (the authors published none).

``heatmap`` has a logit per keypoint, ``short`` an offset (x, y) to the keypoint, ``mid`` an offset
from each keypoint to its neighbours in the body: parents to children in the skeleton's order, then
children to parents. Offsets are in pixels; cell i is at pixel ``stride`` i; between the cells,
fields are interpolated.
"""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field, finite
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """All people of a view as disks and offsets.

    Attributes:
        skeleton: Keypoints; its ``parents`` are the body along which people grow.
        stride: View pixels per cell.
        radius: Of the disks, in pixels.
        step: Of each axis, one vote counts for so many pixels; 1 is the published way, 2 is up to
            twice as fast and moves a keypoint by a pixel now and then.
        floor: Blocks of about four pixels a side whose middle has no higher chance do not vote.
        blur: Standard deviation in pixels that smooths the votes.
        peak: Lowest height of a peak of the votes: 1 is a whole disk that agrees.
        same: A peak this near to the same keypoint of a person that is there starts nobody, pixels.
        reach: A proposal takes the nearest peak of its keypoint within so many pixels.
        refine: How often the end of a mid offset is moved by the short offset there.
        activated: ``heatmap`` is chances, not logits.
        most: Largest number of peaks, the highest, that are grouped.
    """

    skeleton: Skeleton
    stride: int = 16
    radius: float = 32.0
    step: int = 2
    floor: float = 0.1
    blur: float = 2.0
    peak: float = 0.004
    same: float = 10.0
    reach: float = 32.0
    refine: int = 2
    activated: bool = False
    most: int = 5000

    def __post_init__(self) -> None:
        if self.stride < 1 or self.step < 1 or self.radius <= 0 or self.most < 1:
            raise ConfigError(
                f"stride {self.stride}, step {self.step}, radius {self.radius}, most {self.most}; "
                "give whole numbers from 1 on and a radius above 0"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """``heatmap``, ``short`` and ``mid``."""
        count, edges = len(self.skeleton), len(self.skeleton.parents)
        channels = {"heatmap": count, "short": 2 * count, "mid": 4 * edges}
        return tuple(Field(name=n, channels=c, stride=self.stride) for n, c in channels.items())

    @property
    def edges(self) -> np.ndarray:
        """2E 2 int64: from which keypoint to which each mid offset leads."""
        index = self.skeleton.index
        pairs = [(index(parent), index(child)) for child, parent in self.skeleton.parents]
        forward = np.array(pairs, np.int64).reshape(-1, 2)
        return np.concatenate([forward, forward[:, ::-1]])

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Targets of one view; of overlapping disks the nearer keypoint has the cell.

        Args:
            xy: N K 2 view pixels; NaN where not labelled.
            visible: 0 not labelled, 1 hidden, 2 visible.
            size: (H, W) of the view in pixels.
            boxes: Not used.
            trust: 0 where people may be that are not labelled.
        """
        h, w = self.fields[0].cells(size)
        pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1) * self.stride
        known = (visible > 0) & np.isfinite(xy).all(axis=2)
        place = np.where(known[:, :, None], xy, np.nan).astype(np.float32)
        owner, inside = self._nearest(place, pixels)
        keypoints = np.arange(len(self.skeleton))[:, None, None]
        padded = np.concatenate([place, np.full((1, *place.shape[1:]), np.nan, np.float32)])
        sure = trust[:: self.stride, :: self.stride][:h, :w] > 0.5
        targets = {"heatmap": Target(value=inside.astype(np.float32), weight=_float(sure)[None])}
        starts, ends = self.edges.T
        for name, source, goal in (
            ("short", keypoints[:, 0, 0], keypoints[:, 0, 0]),
            ("mid", starts, ends),
        ):
            offset = padded[owner[source], goal[:, None, None]] - pixels
            there = inside[source] & np.isfinite(offset[..., 0]) & sure
            value = np.where(there[..., None], offset, 0).transpose(0, 3, 1, 2).reshape(-1, h, w)
            weight = np.repeat(there, 2, axis=0)
            targets[name] = Target(value=_float(value), weight=_float(weight))
        return targets

    def _nearest(self, place: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """K h w: whose keypoint is nearest to each cell, and whether it is within its disk."""
        h, w, _ = pixels.shape
        best = np.full((place.shape[1], h, w), np.inf, np.float32)
        owner = np.full(best.shape, -1)
        for person, points in enumerate(place):
            distance = np.square(points[:, None, None] - pixels).sum(axis=-1)
            nearer = distance < best
            best[nearer], owner[nearer] = distance[nearer], person
        return owner, best <= self.radius**2

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Fields of mirrored views in the frame of the originals.

        Exact where the last cell is at the last pixel: a width of ``stride`` n + 1.

        Raises:
            InputError: The fields are not this skeleton's.
            ConfigError: A bone of the skeleton has no mirror image.
        """
        swap = self.skeleton.flip_index
        pairs = list(map(tuple, self.edges.tolist()))
        mirrored = list(map(tuple, swap[self.edges].tolist()))
        if set(pairs) != set(mirrored):
            raise ConfigError(
                f"skeleton {self.skeleton.name!r}: the mirror image of its parents is another body"
            )
        turned = np.array([pairs.index(pair) for pair in mirrored], np.int64)
        orders = {"heatmap": swap, "short": swap, "mid": turned}
        made = {}
        for field in self.fields:
            maps = self._maps(fields, field)[..., ::-1]
            parts = maps.reshape(len(maps), len(orders[field.name]), -1, *maps.shape[2:])
            parts = parts[:, orders[field.name]].copy()
            if field.name != "heatmap":
                parts[:, :, 0] *= -1
            made[field.name] = parts.reshape(maps.shape)
        return made

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first.

        Args:
            fields: ``heatmap`` B K h w, ``short`` B 2K h w, ``mid`` B 4E h w; what is not finite
                is nobody, or an offset of 0.
            size: (H, W) of the view in pixels.

        Raises:
            InputError: The fields are not this skeleton's.
        """
        empty = {"heatmap": 0.0 if self.activated else -100.0}
        maps = [
            finite(self._maps(fields, field), field.name, empty.get(field.name, 0.0))
            for field in self.fields
        ]
        return [self._decode_one(*row) for row in zip(*maps, strict=True)]

    def _maps(self, fields: Fields, field: Field) -> np.ndarray:
        need = f"{self.skeleton.name!r} needs (B, {field.channels}, h, w)"
        return field.of(fields, need)

    def _decode_one(self, heat: np.ndarray, short: np.ndarray, mid: np.ndarray) -> Keypoints:
        chance = heat if self.activated else 0.5 + 0.5 * np.tanh(heat / 2)
        owner, xy, score = self.peaks(chance, short)
        if len(owner) > self.most:
            _log.warning("%d peaks; the %d highest are grouped", len(owner), self.most)
            kept = np.sort(np.argsort(-score, kind="stable")[: self.most])
            owner, xy, score = owner[kept], xy[kept], score[kept]
        return self._people(owner, xy, score, short, mid)

    def peaks(
        self, chance: np.ndarray, short: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Local maxima of the smoothed votes (Papandreou et al. 2018, Eq. 1).

        Args:
            chance: K h w.
            short: 2K h w.

        Returns:
            M, which keypoint; M 2, pixels; M, height.
        """
        from vitruvian.kernels.hough import Rule, vote_peaks

        unit = self.step**2 / (np.pi * self.radius**2)
        rule = Rule(
            stride=self.stride,
            step=self.step,
            floor=self.floor,
            blur=self.blur,
            least=self.peak / unit,
        )
        owner, xy, votes = vote_peaks(chance, short, rule)
        return owner, xy.astype(np.float64), unit * votes.astype(np.float64)

    def _people(
        self,
        owner: np.ndarray,
        xy: np.ndarray,
        score: np.ndarray,
        short: np.ndarray,
        mid: np.ndarray,
    ) -> Keypoints:
        """Best first; a keypoint that a better person has, too, adds nothing (soft suppression).

        Args:
            owner: Keypoint of each peak, M, ascending.
            xy: M 2 pixels.
            score: M.
            short: 2K h w.
            mid: 4E h w.
        """
        from vitruvian.kernels.bones import doubles, group

        best = np.argsort(-score, kind="stable")
        starts = np.searchsorted(owner, np.arange(len(self.skeleton) + 1))
        fields = short, mid, self.stride, self.refine
        people = group(owner, xy, best, starts, self.edges, *fields, self.same, self.reach)
        height = np.append(score, 0.0)[people]  # -1 is the last
        order = np.argsort(-height.mean(axis=1), kind="stable")
        people, height = people[order], height[order]
        total = np.where(doubles(people, xy, self.same), 0, height).mean(axis=1)
        order = np.argsort(-total, kind="stable")
        place = np.append(xy, np.full((1, 2), np.nan), axis=0)[people[order]]
        return Keypoints(
            xy=_float(place),
            scores=_float(np.clip(height[order], 0, 1)),
            score=_float(total[order]),
        )


def _float(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32)
