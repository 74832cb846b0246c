"""Heat maps of keypoints, and vector fields that point along limbs (OpenPose).

Cao, Simon, Wei, Sheikh: Realtime multi-person 2D pose estimation using part affinity fields, CVPR
2017; Osokin: Real-time 2D multi-person pose estimation on CPU: lightweight OpenPose, ICPRAM 2019.
"""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.fields import Field, finite
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import cell_to_view, view_to_cell
from vitruvian.kernels.cubic import Axis, enlarged, peaks, sample

_log = logging.getLogger(__name__)

_CUT = 4.6052
"""The published targets are 0 where a Gaussian is below exp of minus this: 0.01."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paf:
    """All people of a view as peaks, and the limbs between them as fields of unit vectors.

    Channels 2e and 2e + 1 of ``paf`` are x and y of the skeleton's limb e. The defaults decode as
    the CVPR paper's programme does at one scale, which has no ``apart``; Osokin's differs in
    ``blur``, ``length_prior``, ``passing_only``, ``assembly``, ``min_keypoints`` and ``min_score``.

    Attributes:
        skeleton: Keypoints and limbs; a limb that is no branch of its tree only joins and fills in.
        stride: View pixels per cell.
        sigma: Standard deviation of the target Gaussians, view pixels.
        thickness: Reach of a limb's field on both sides and, lest a short one has no cell at all,
            beyond its ends; cells.
        enlarge: Grid points per cell that peaks and fields are looked up at (cubic).
        to_view: If that makes another size than the view's, enlarge once more to the view.
        blur: Standard deviation of the Gaussian under which peaks are searched, grid points; 0 for
            none. Their score is that of the map without it.
        threshold: Peaks are above this.
        apart: Of peaks nearer than this to a better one nothing is kept, grid points.
        most: Largest number of peaks of a keypoint.
        samples: Points that a connection is judged by.
        floor: A sample agrees if the field, projected on the connection, is above this.
        agree: More than this share of the samples has to.
        passing_only: A connection's score is the mean of those instead of all.
        length_prior: Connections longer than this share of the grid's height score less; 0 for no
            such rule.
        assembly: ``merge`` unites people that a limb connects, ``extend`` never does.
        order: Limbs in the order of assembly; none for the skeleton's, its tree first.
        min_keypoints: People with fewer are nobody.
        min_score: People with a lower mean score per keypoint (its peak and its limb) are nobody.
        faithful: Do as the published programmes do where they err. Targets: several people's
            Gaussians add up to at most 1, fields lie half a cell aside, are cut by their limb's box
            and overwrite each other, instead of the highest, on the limb, and their mean (Cao et
            al., Eq. 8 and 9). Decoding: near peaks go from left to right, not best first; a
            connection to somebody who has such a keypoint replaces and counts it once more.
    """

    skeleton: Skeleton
    stride: int = 8
    sigma: float = 7.0
    thickness: float = 1.0
    enlarge: int = 8
    to_view: bool = True
    blur: float = 3.0
    threshold: float = 0.1
    apart: float = 6.0
    most: int = 127
    samples: int = 10
    floor: float = 0.05
    agree: float = 0.8
    passing_only: bool = False
    length_prior: float = 0.5
    assembly: Literal["merge", "extend"] = "merge"
    order: tuple[int, ...] = ()
    min_keypoints: int = 4
    min_score: float = 0.4
    faithful: bool = False

    def __post_init__(self) -> None:
        if min(self.stride, self.enlarge, self.most, self.samples - 1) < 1 or self.sigma <= 0:
            raise ConfigError(
                f"paf: stride {self.stride}, enlarge {self.enlarge}, most {self.most}, samples "
                f"{self.samples}, sigma {self.sigma}; give two samples at least, the others above 0"
            )
        if min(self.threshold, self.blur, self.apart, self.thickness) < 0:
            raise ConfigError(
                f"paf: threshold {self.threshold}, blur {self.blur}, apart {self.apart}, thickness "
                f"{self.thickness}; give 0 or more"
            )
        if self.order and sorted(self.order) != list(range(len(self.skeleton.limbs))):
            raise ConfigError(
                f"paf.order {self.order}: name each of the {len(self.skeleton.limbs)} limbs of "
                f"{self.skeleton.name!r} once, or none"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """``heatmap``, K and the background, and ``paf``, two per limb."""
        return (
            Field(name="heatmap", channels=len(self.skeleton) + 1, stride=self.stride),
            Field(name="paf", channels=2 * len(self.skeleton.limbs), stride=self.stride),
        )

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Gaussians in [0, 1] with the background 1 - max, and unit vectors along limbs.

        Args:
            xy: View pixels; NaN where not labelled.
            visible: 0 is not labelled.
            size: (H, W) of the view in pixels.
            boxes: Not needed.
            trust: The weight of a cell is the mean of it; outside the view it is 0.
        """
        cells = self.fields[0].cells(size)
        labelled = (visible > 0) & np.isfinite(xy).all(axis=2)
        points = np.where(labelled[:, :, None], xy, np.nan).astype(np.float64)
        heat = np.zeros((len(self.skeleton) + 1, *cells), np.float32)
        for person in points:
            self._add_peaks(heat[:-1], person, size)
        heat[-1] = 1 - heat[:-1].max(axis=0)
        weight = _shrunk(trust, cells, self.stride)[None]
        return {
            "heatmap": Target(value=heat, weight=weight),
            "paf": Target(value=self._limb_fields(points, size, cells), weight=weight),
        }

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first.

        A keypoint's score is its peak, a person's the sum of the scores of its peaks and
        connections as a share of what a whole body could have; both are clipped to [0, 1].

        Args:
            fields: ``heatmap`` B K + 1 h w and ``paf`` B 2E h w; what is not finite counts as 0.
            size: (H, W) of the view in pixels.

        Raises:
            InputError: The fields do not have the skeleton's channels, or grids of different sizes.
        """
        heat, paf = (fields[field.name] for field in self.fields)
        wanted = [(len(heat), field.channels, *heat.shape[2:]) for field in self.fields]
        if [heat.shape, paf.shape] != wanted or 0 in heat.shape[2:]:
            raise InputError(
                f"fields heatmap {heat.shape} and paf {paf.shape}; skeleton "
                f"{self.skeleton.name!r} needs B {wanted[0][1]} h w and B {wanted[1][1]} h w"
            )
        heat, paf = finite(heat[:, :-1], "heatmap"), finite(paf, "paf")
        return [self._people(*view, size) for view in zip(heat, paf, strict=True)]

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Maps of mirrored views in the frame and names of the originals; x components turn."""
        order = np.append(self.skeleton.flip_index, len(self.skeleton))
        limb, turned = self.skeleton.mirrored_limbs
        batch, channels, h, w = fields["paf"].shape
        paf = fields["paf"].reshape(batch, channels // 2, 2, h, w)[:, limb, :, :, ::-1]
        turn = np.where(turned, -1, 1)[:, None] * np.array([-1, 1], paf.dtype)
        return {
            "heatmap": fields["heatmap"][:, order, :, ::-1],
            "paf": (paf * turn[:, :, None, None].astype(paf.dtype)).reshape(batch, channels, h, w),
        }

    def _add_peaks(self, heat: np.ndarray, person: np.ndarray, size: tuple[int, int]) -> None:
        """Draw one person's Gaussians into ``heat`` K h w."""
        shown = np.flatnonzero(np.isfinite(person[:, 0]))
        h, w = heat.shape[1:]
        middle = view_to_cell(person[shown], size, (h, w), "centre")
        sigma = self.sigma / self.stride
        down = (np.arange(h) - middle[:, 1:]) ** 2 / (2 * sigma**2)
        across = (np.arange(w) - middle[:, :1]) ** 2 / (2 * sigma**2)
        power = down[:, :, None] + across[:, None, :]
        bump = np.where(power > _CUT, 0, np.exp(-power)).astype(np.float32)
        if self.faithful:
            heat[shown] = np.minimum(heat[shown] + bump, 1)
        else:
            heat[shown] = np.maximum(heat[shown], bump)

    def _limb_fields(
        self, points: np.ndarray, size: tuple[int, int], cells: tuple[int, int]
    ) -> np.ndarray:
        """2E h w: each limb's unit vectors, of several people their mean (Eq. 8 and 9)."""
        limbs = self.skeleton.limb_index
        paf = np.zeros((len(limbs), 2, *cells), np.float32)
        count = np.zeros((len(limbs), *cells), np.float32)
        align: Literal["legacy", "centre"] = "legacy" if self.faithful else "centre"
        for person in view_to_cell(points, size, cells, align):
            for e, (start, stop) in enumerate(person[limbs]):
                length = float(np.hypot(*(stop - start)))
                if not length > 0:  # NaN, too
                    continue
                unit = (stop - start) / length
                rows, columns, near = self._band(start, stop, unit, cells)
                if self.faithful:
                    paf[e, :, rows, columns][:, near] = unit[:, None]
                else:
                    paf[e, :, rows, columns] += unit[:, None, None] * near
                    count[e, rows, columns] += near
        if not self.faithful:
            paf /= np.maximum(count, 1)[:, None]
        return paf.reshape(-1, *cells)

    def _band(
        self, start: np.ndarray, stop: np.ndarray, unit: np.ndarray, cells: tuple[int, int]
    ) -> tuple[slice, slice, np.ndarray]:
        """Rows and columns around a limb, and which of their cells are on it."""
        reach = self.thickness if self.faithful else 2 * self.thickness  # its corners
        low, high = np.minimum(start, stop) - reach, np.maximum(start, stop) + reach
        first = np.maximum(low.astype(int), 0)
        last = np.clip(high.astype(int) + (not self.faithful), 0, [cells[1], cells[0]])
        x = np.arange(first[0], last[0]) - start[0]
        y = np.arange(first[1], last[1])[:, None] - start[1]
        near = np.abs(x * unit[1] - y * unit[0]) <= self.thickness
        if not self.faithful:
            along = x * unit[0] + y * unit[1]
            end = (stop - start) @ unit + self.thickness
            near &= (along >= -self.thickness) & (along <= end)
        return slice(first[1], last[1]), slice(first[0], last[0]), near

    def _people(self, heat: np.ndarray, paf: np.ndarray, size: tuple[int, int]) -> Keypoints:
        """The people of one view: ``heat`` K h w, ``paf`` 2E h w."""
        grid = (heat.shape[1] * self.enlarge, heat.shape[2] * self.enlarge)
        steps = (grid, size) if self.to_view and grid != size else (grid,)
        grid = steps[-1]
        down, across = (
            enlarged(cells, tuple(step[axis] for step in steps))
            for axis, cells in enumerate(heat.shape[1:])
        )
        owner, xy, score = self._peaks(heat, steps, down, across)
        parts, total, count = self._assemble(paf, down, across, owner, xy, score)
        kept = (count >= self.min_keypoints) & (total >= self.min_score * np.maximum(count, 1))
        whole = total / (2 * len(self.skeleton) - 1)
        order = np.flatnonzero(kept)[np.argsort(-whole[kept], kind="stable")]
        parts, whole = parts[order], whole[order]
        found = parts >= 0
        places = cell_to_view(xy.astype(np.float32), size, grid, "centre")
        places, score = np.append(places, [[np.nan] * 2], axis=0), np.append(score, 0)
        return Keypoints(
            xy=np.where(found[:, :, None], places[parts], np.nan).astype(np.float32),
            scores=np.clip(score[parts], 0, 1).astype(np.float32),
            score=np.clip(whole, 0, 1).astype(np.float32),
        )

    def _peaks(
        self, heat: np.ndarray, steps: tuple[tuple[int, int], ...], down: Axis, across: Axis
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keypoint (A), grid point (A 2: x, y) and score (A) of each peak, by keypoint."""
        blurred_down, blurred_across = (
            enlarged(cells, tuple(step[axis] for step in steps), self.blur)
            for axis, cells in enumerate(heat.shape[1:])
        )
        owner, x, y = peaks(
            heat, blurred_down, blurred_across, self.threshold, strict=not self.blur
        )
        score = sample(heat, down, across, owner[None], x, y)[0]
        order = np.lexsort((y, x, owner) if self.apart else (x, y, owner))
        owner, xy, score = owner[order], np.stack([x, y], axis=1)[order], score[order]
        kept = _first_of_near(owner, xy, score, self.apart, by_score=not self.faithful)
        owner, xy, score = owner[kept], xy[kept], score[kept]
        kept = _best_of_each(owner, score, self.most)
        if len(kept) < len(owner):
            _log.warning("%d peaks, of which %d are looked at", len(owner), len(kept))
        return owner[kept], xy[kept], score[kept]

    def _assemble(
        self,
        paf: np.ndarray,
        down: Axis,
        across: Axis,
        owner: np.ndarray,
        xy: np.ndarray,
        score: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Peaks N K of the people, their scores N and how many peaks were added, N."""
        from vitruvian.kernels.match import connect, extend, merge

        first = np.searchsorted(owner, np.arange(len(self.skeleton) + 1))
        connections = connect(
            np.ascontiguousarray(paf),
            (down.start, down.weights),
            (across.start, across.weights),
            self.skeleton.limb_index,
            first,
            xy,
            self.samples,
            self.floor,
            self.samples - int(self.agree * self.samples + 1e-9) - 1,
            self.passing_only,
            self.length_prior * down.size,
        )
        limbs = _limbs(self.skeleton, self.order)
        if self.assembly == "merge":
            return merge(*connections, *limbs, score, len(self.skeleton), self.faithful)
        return extend(*connections, *limbs, score, first)


@cache
def _limbs(bones: Skeleton, order: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Limbs as positions E 2, the order of assembly E, and which are branches of the tree E."""
    branches = {*bones.parents, *((b, a) for a, b in bones.parents)}
    tree = np.array([limb in branches for limb in bones.limbs], bool)
    every = np.array(order, np.int64) if order else np.argsort(~tree, kind="stable")
    return bones.limb_index, every, tree


def _shrunk(trust: np.ndarray, cells: tuple[int, int], stride: int) -> np.ndarray:
    """Mean of ``trust`` H W over each cell: h w float32."""
    whole = np.zeros((cells[0] * stride, cells[1] * stride), np.float32)
    whole[: trust.shape[0], : trust.shape[1]] = trust
    mean: np.ndarray = whole.reshape(cells[0], stride, cells[1], stride).mean(axis=(1, 3))
    return mean


def _first_of_near(
    owner: np.ndarray, xy: np.ndarray, score: np.ndarray, apart: float, *, by_score: bool
) -> np.ndarray:
    """Rows of the peaks that no kept one of the same keypoint is nearer to than ``apart``.

    Rows are sorted by keypoint and x; whoever comes first there, or has the higher score, is kept.
    """
    every = np.arange(len(owner))
    if not apart:
        return every
    span = float(xy[:, 0].max(initial=0)) + 2 * apart
    line = owner * span + xy[:, 0]
    stop = np.searchsorted(line, line + apart)
    i = np.repeat(every, stop - every - 1)
    j = np.arange(len(i)) - np.repeat(np.cumsum(stop - every - 1) - stop, stop - every - 1)
    near = np.hypot(*(xy[i] - xy[j]).T) < apart
    rivals: dict[int, list[int]] = {}
    for a, b in zip(i[near].tolist(), j[near].tolist(), strict=True):
        rivals.setdefault(a, []).append(b)
        rivals.setdefault(b, []).append(a)
    order = sorted(rivals, key=lambda row: -score[row]) if by_score else sorted(rivals)
    kept = np.ones(len(owner), bool)
    settled: set[int] = set()
    for row in order:
        kept[row] = not any(kept[other] for other in rivals[row] if other in settled)
        settled.add(row)
    return np.flatnonzero(kept)


def _best_of_each(owner: np.ndarray, score: np.ndarray, most: int) -> np.ndarray:
    """Rows of the ``most`` best of each owner, in the order they have."""
    if np.bincount(owner, minlength=1).max() <= most:
        return np.arange(len(owner))
    order = np.lexsort((-score, owner))
    starts = np.searchsorted(owner[order], owner[order])
    return np.sort(order[np.arange(len(order)) - starts < most])
