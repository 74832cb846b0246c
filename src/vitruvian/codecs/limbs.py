"""Keypoints as Gaussians and body parts as lines between them (SimplePose: Li et al., AAAI 2020).

A map per body part tells which keypoints belong together. There are more parts than a tree has
edges: what one part gets wrong, another repairs. Two more maps only help to learn: where people
are, and where any keypoint is.

The authors' program differs in three ways, which ``faithful`` brings back. Its sub-pixel steps are
swapped, x for y. Of two equal pixels both are peaks, which makes a second person. And it enlarges
whole maps; ours are enlarged around their cells' peaks and shoulders, which leaves out ripples of
the interpolation at the foot of a noisy slope.
"""

import logging
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.fields import Field, finite
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target

_log = logging.getLogger(__name__)

_LEAST = 0.015
"""Gaussians end where they fall to this."""
_INSIDE = 0.01
"""Value of a part's map inside the part's box where its Gaussian has ended."""
_FEWEST = 2
"""Keypoints that make a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limbs:
    """Keypoint and body-part maps of everybody in the view.

    Attributes:
        skeleton: Keypoints, one channel each.
        limbs: Body parts by the names of their ends, one channel each; empty for the skeleton's.
            People grow in this order and from a part's first end to its second, so let them lead
            away from one keypoint: those of ``body18`` do, of ``coco17`` tear a body in two.
        stride: View pixels per cell.
        sigma: Standard deviation of a keypoint's Gaussian, view pixels.
        limb_sigma: The same across a body part.
        tree: Group by those body parts alone that are edges of the skeleton's tree.
        floor: Least height of a keypoint's peak.
        limb_floor: A sample of a body part's map supports it above this.
        samples: Most samples along a body part.
        agree: Share of the samples that must support it.
        stretch: Largest length, as a multiple of the longest body part of the person.
        tolerance: See :func:`~vitruvian.kernels.limb_people.assemble`.
        reach: Half the window, in pixels, whose centroid is the keypoint.
        person_floor: Least mean score of a person's keypoints and body parts.
        most: Most peaks of one keypoint; the highest count.
        faithful: Answer what the authors' program does; see the module.
    """

    skeleton: Skeleton
    limbs: tuple[tuple[str, str], ...] = ()
    stride: int = 4
    sigma: float = 9.0
    limb_sigma: float = 7.0
    tree: bool = False
    floor: float = 0.1
    limb_floor: float = 0.1
    samples: int = 20
    agree: float = 0.8
    stretch: float = 16.0
    tolerance: float = 0.7
    reach: int = 2
    person_floor: float = 0.45
    most: int = 200
    faithful: bool = False

    def __post_init__(self) -> None:
        unknown = {n for pair in self.limbs for n in pair} - set(self.skeleton.keypoints)
        if unknown:
            raise ConfigError(
                f"limbs name {sorted(unknown)}, which {self.skeleton.name!r} does not have; "
                f"keypoints are {list(self.skeleton.keypoints)}"
            )
        if (
            min(self.sigma, self.limb_sigma, self.floor, self.limb_floor) <= 0
            or min(self.stride, self.samples, self.reach, self.most) < 1
        ):
            raise ConfigError(
                "limbs need sigmas and floors above 0, and at least 1 for stride, samples, reach "
                "and most"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """Body parts, keypoints, where people are, where any keypoint is."""
        counts = {"limb": len(self._ends), "heatmap": len(self.skeleton)}
        counts |= {"person": 1, "foreground": 1}
        return tuple(Field(name=n, channels=c, stride=self.stride) for n, c in counts.items())

    @property
    def _ends(self) -> np.ndarray:
        """E 2: keypoints at the ends of each body part."""
        index = self.skeleton.index
        rows = [(index(a), index(b)) for a, b in self.limbs or self.skeleton.limbs]
        return np.array(rows, np.int64).reshape(-1, 2)

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Targets of one view; ``person`` has no weight, because outlines are not labelled.

        Args:
            xy: Keypoints of everyone, view pixels.
            visible: 0 is not labelled.
            size: (H, W) of the view.
            boxes: Not needed.
            trust: Weight where its mean over the cell is at least 0.5.
        """
        h, w = self.fields[0].cells(size)
        there = (visible > 0) & np.isfinite(xy).all(axis=-1)
        heat = self._keypoints(xy.astype(np.float64), there, (h, w))
        limb = self._parts(xy.astype(np.float64), there, (h, w))
        any_keypoint = heat.max(axis=0, keepdims=True)
        shrunk = cv2.resize(trust, (w, h), interpolation=cv2.INTER_AREA)
        weight = (shrunk >= 0.5).astype(np.float32)[None]
        return {
            "limb": Target(value=limb, weight=weight),
            "heatmap": Target(value=heat, weight=weight),
            "person": Target(value=np.zeros_like(any_keypoint), weight=np.zeros_like(weight)),
            "foreground": Target(value=any_keypoint, weight=weight),
        }

    def _keypoints(self, xy: np.ndarray, there: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
        """K h w: a Gaussian in a square window at each keypoint, the highest where they overlap."""
        maps = np.zeros((len(self.skeleton), *cells), np.float32)
        reach = int(np.ceil(np.sqrt(-2 * self.sigma**2 * np.log(_LEAST)) / self.stride))
        for person, k in np.argwhere(there).tolist():
            spans = []
            for place, count in zip(xy[person, k].tolist(), cells[::-1], strict=True):
                nearest = round(place / self.stride)
                at = np.arange(max(nearest - reach, 0), min(nearest + reach + 1, count))
                spans.append((at, np.exp(-((self._pixel(at) - place) ** 2) / (2 * self.sigma**2))))
            (x, across), (y, down) = spans
            if len(x) and len(y):
                part = maps[k, y[0] : y[-1] + 1, x[0] : x[-1] + 1]
                np.maximum(part, down[:, None] * across, out=part)
        return maps

    def _parts(self, xy: np.ndarray, there: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
        """E h w: a Gaussian of the distance from the part's line in its box, mean over people."""
        ends = self._ends
        total, count = np.zeros((2, len(ends), *cells), np.float32)
        for e, (a, b) in enumerate(ends.tolist()):
            for start, stop in xy[there[:, a] & there[:, b]][:, [a, b]]:
                box = self._box(start, stop, cells)
                along = stop - start
                length = np.hypot(*along)
                if box is None or length == 0:
                    continue
                rows, columns = box
                x = self._pixel(np.arange(columns.start, columns.stop)) - start[0]
                y = self._pixel(np.arange(rows.start, rows.stop))[:, None] - start[1]
                distance = (along[0] * y - along[1] * x) / length
                bump = np.exp(-(distance**2) / (2 * self.limb_sigma**2))
                total[e, rows, columns] += np.where(bump <= _LEAST, _INSIDE, bump)
                count[e, rows, columns] += 1
        mean: np.ndarray = total / np.maximum(count, 1)
        return mean

    def _box(
        self, start: np.ndarray, stop: np.ndarray, cells: tuple[int, int]
    ) -> tuple[slice, slice] | None:
        """Rows and columns of the cells around a part, one more on each side, or None outside."""
        low = np.rint((np.minimum(start, stop) - self.stride) / self.stride).astype(int)
        high = np.rint((np.maximum(start, stop) + self.stride) / self.stride).astype(int)
        x0, y0 = np.maximum(low, 0).tolist()
        x1, y1 = np.minimum(high + 1, cells[::-1]).tolist()
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _pixel(self, cell: np.ndarray) -> np.ndarray:
        """View pixel at the middle of a cell."""
        return self.stride * cell + (self.stride - 1) / 2

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first.

        Args:
            fields: ``limb`` B E h w and ``heatmap`` B K h w.
            size: (H, W) of the view in pixels; cells beyond it are margin and hold nobody.

        Raises:
            InputError: A field has another number of channels.
        """
        limb, heat = (
            np.ascontiguousarray(finite(field.of(fields), field.name), np.float32)
            for field in self.fields[:2]
        )
        return [self._people(*maps, size) for maps in zip(limb, heat, strict=True)]

    def _people(self, limb: np.ndarray, heat: np.ndarray, size: tuple[int, int]) -> Keypoints:
        """The people of one view from E h w and K h w maps."""
        from vitruvian.kernels.limb_people import assemble, one_to_one
        from vitruvian.kernels.limb_scores import score_pairs, taps

        joint, xy, worth = self._peaks(heat, size)
        use = self._used()
        ends = self._ends[use]
        found, score, length = score_pairs(
            limb[use] if self.tree else limb,
            taps(self.stride),
            xy,
            np.searchsorted(joint, np.arange(len(self.skeleton) + 1)),
            ends,
            self.samples,
            self.limb_floor,
            self.agree,
            0.5 * size[0],
        )
        rank = 0.5 * score + 0.25 * (worth[found[:, 1]] + worth[found[:, 2]])
        kept = one_to_one(found[:, 0], found[:, 1:], rank)
        peaks, _, total, count, _ = assemble(
            found[kept, 0],
            found[kept, 1:],
            score[kept],
            length[kept],
            worth,
            ends,
            len(self.skeleton),
            self.stretch,
            self.tolerance,
        )
        good = (count >= _FEWEST) & (total >= self.person_floor * count)
        return _answer(peaks[good], total[good], xy, worth)

    def _used(self) -> np.ndarray:
        """Body parts that group."""
        ends = self._ends
        if not self.tree:
            return np.arange(len(ends))
        index = self.skeleton.index
        edges = {frozenset((index(a), index(b))) for a, b in self.skeleton.parents}
        return np.array(
            [e for e, pair in enumerate(ends.tolist()) if frozenset(pair) in edges], int
        )

    def _peaks(
        self, heat: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keypoint, place (M 2, view pixels) and score of every peak, in the order of keypoints."""
        from vitruvian.kernels.limb_scores import centroids, fine_peaks, taps, whole_peaks

        weights = taps(self.stride)
        if self.faithful:
            peaks = whole_peaks(heat, self.stride, self.floor)
        else:
            peaks = fine_peaks(heat, weights, self.floor)
        peaks = peaks[np.lexsort((peaks[:, 1], peaks[:, 2], peaks[:, 0]))]
        peaks = peaks[(peaks[:, 1] < size[1]) & (peaks[:, 2] < size[0])]
        step, worth = centroids(heat, weights, peaks, self.reach)
        if self.faithful:
            step = step[:, ::-1]
        kept = _highest(peaks[:, 0], worth, self.most)
        if len(kept) < len(peaks):
            _log.warning("%d peaks; the best %d of each keypoint count", len(peaks), self.most)
        return peaks[kept, 0], (peaks[:, 1:] + step)[kept], worth[kept]

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Maps of mirrored views in the frame of the originals.

        Raises:
            InputError: A body part has no mirror image among the body parts.
        """
        mirror = self.skeleton.flip_index
        ends = [frozenset(pair) for pair in self._ends.tolist()]
        images = [frozenset(mirror[list(pair)].tolist()) for pair in ends]
        if set(images) != set(ends):
            raise InputError(f"{self.skeleton.name!r}: a body part has no mirror image; add it")
        order = {"limb": np.array([ends.index(i) for i in images]), "heatmap": mirror}
        alone = np.zeros(1, np.int64)
        return {name: maps[:, order.get(name, alone), :, ::-1] for name, maps in fields.items()}


def _answer(peaks: np.ndarray, total: np.ndarray, xy: np.ndarray, worth: np.ndarray) -> Keypoints:
    """People by their peaks N K and scores N, best first."""
    score = 1 - 1 / np.maximum(total, 1)
    order = np.argsort(-score, kind="stable")
    peaks, there = peaks[order], peaks[order] >= 0
    place = np.full((*peaks.shape, 2), np.nan, np.float32)
    scores = np.zeros(peaks.shape, np.float32)
    place[there], scores[there] = xy[peaks[there]], worth[peaks[there]]
    return Keypoints(xy=place, scores=scores.clip(0, 1), score=score[order].astype(np.float32))


def _highest(joint: np.ndarray, worth: np.ndarray, most: int) -> np.ndarray:
    """Rows of the ``most`` best peaks of each keypoint, in their order."""
    order = np.lexsort((-worth, joint))
    rank = np.arange(len(joint)) - np.searchsorted(joint, joint[order])
    return np.sort(order[rank < most])
