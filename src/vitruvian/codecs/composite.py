"""Composite fields: cells that point at keypoints, and cells that point at both ends of limbs.

Kreiss, Bertoni and Alahi, "PifPaf: composite fields for human pose estimation", CVPR 2019, and
"OpenPifPaf: composite fields for semantic keypoint detection and spatio-temporal association",
T-ITS 2021; numbers of the authors' program, openpifpaf 0.13.

``cif`` has five channels per keypoint: log spread, confidence, x, y, scale. ``caf`` has eight per
limb: log spread, confidence, x and y of the first and of the second keypoint, their scales. Cell i
is at pixel ``stride`` i, and distances are in cells. Networks give logits of the confidence,
vectors from the cell, and scales before a softplus.
"""

import logging
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target

_log = logging.getLogger(__name__)
SPREAD = 0.1
"""Least spread of a place, in pixels."""
HIDDEN = 32.0
"""A hidden keypoint this near to another person's visible one, in pixels on both axes, is left out
of the targets."""
UPRIGHT = {
    "nose": (0.0, 9.3),
    "eye": (0.35, 9.7),
    "ear": (0.7, 9.5),
    "shoulder": (1.4, 8.0),
    "elbow": (1.75, 6.1),
    "wrist": (1.75, 4.1),
    "hip": (1.26, 4.0),
    "knee": (1.4, 2.05),
    "ankle": (1.4, 0.05),
}
"""Half of a standing person, to tell the size of one who is partly seen; of the lower limbs and the
arms the left is 0.05 or 0.1 lower than the right. The proportions are those of the authors'
program: heights from its targets, widths, elbows and wrists checked against them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """All people of a view as composite fields.

    Attributes:
        skeleton: Keypoints; its limbs, in their order, are the association fields.
        stride: View pixels per cell.
        seed: People are grown from keypoints of at least this confidence.
        cell: Cells of at least this confidence speak of keypoints and limbs.
        keypoint: A keypoint of less confidence is not there.
        share: Nor one of less than this share of the confidence it was reached from.
        person: People of less mean confidence are nobody.
        force_complete: Place every keypoint of everyone, with low scores for what is not seen.
        activated: The fields are as the authors' network gives them when it is not training:
            confidences, positions in the map, scales.
        most: Largest number of cells of a field, the most confident ones, that are looked at.
    """

    skeleton: Skeleton
    stride: int = 8
    seed: float = 0.2
    cell: float = 0.3
    keypoint: float = 0.15
    share: float = 0.5
    person: float = 0.15
    force_complete: bool = False
    activated: bool = False
    most: int = 200_000

    def __post_init__(self) -> None:
        if self.stride < 1 or not 0 < self.seed < 1 or not 0 < self.cell < 1 or self.most < 1:
            raise ConfigError(
                f"stride {self.stride}, seed {self.seed}, cell {self.cell}, most {self.most}; "
                "give a stride and a number of at least 1, and confidences in (0, 1)"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """``cif`` and ``caf``."""
        return (
            Field(name="cif", channels=5 * len(self.skeleton), stride=self.stride),
            Field(name="caf", channels=8 * len(self.skeleton.limbs), stride=self.stride),
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
        """Targets of one view.

        The log spread's channel holds the least spread of a place. Scales that are not known have
        weight 0, as has all but the confidence where nobody is.

        Args:
            xy: N K 2 view pixels; NaN where not labelled.
            visible: 0 not labelled, 1 hidden, 2 visible.
            size: (H, W) of the view in pixels.
            boxes: Not used: a person's size is that of its labelled keypoints.
            trust: 0 where people may be that are not labelled.
        """
        shape = self.fields[0].cells(size)
        known = _taught(xy, visible)
        place = np.where(known[:, :, None], xy, np.nan).astype(np.float64) / self.stride
        scale = self._sizes(place)[:, None] * self.skeleton.oks_sigmas
        spread = SPREAD / self.stride
        targets = {}
        for field, side, stamps in zip(
            self.fields, (4, 3), (_keypoint_stamps, _limb_stamps), strict=True
        ):
            mask = _distrust(trust, shape, self.stride, side)
            channels = 5 if side == 4 else 8
            value = np.zeros((field.channels // channels, channels, *shape), np.float32)
            weight = np.zeros_like(value)
            weight[:, 1] = ~mask
            limbs = self.skeleton.limb_index
            owner, cell, distance, rows = stamps(place, scale, limbs, shape)
            keep = _closest(owner, cell, distance, shape, mask)
            x, y = cell[keep].astype(np.intp).T
            at = owner[keep], slice(None), y, x
            rows = rows[keep]
            ones = np.ones((len(rows), 1))
            value[at] = np.column_stack([spread * ones, ones, np.nan_to_num(rows)])
            weight[at] = np.column_stack([ones, ones, np.isfinite(rows)])
            flat = (field.channels, *shape)
            targets[field.name] = Target(value=value.reshape(flat), weight=weight.reshape(flat))
        return targets

    def _sizes(self, place: np.ndarray) -> np.ndarray:
        """N: side of the square of a whole person, in cells; NaN if too little of it is known."""
        pose, sizes = _upright(self.skeleton), np.full(len(place), np.nan)
        for number, points in enumerate(place):
            seen = np.isfinite(points[:, 0])
            if seen.sum() < 3:
                continue
            factor = 1.0
            if pose is not None:
                ratios = [np.ptp(p, axis=0).prod() / np.ptp(p[seen], axis=0).prod() for p in pose]
                factor = min(5.0, np.sqrt(min(ratios)))
            size = np.sqrt(np.ptp(points[seen], axis=0).prod()) * factor
            if size >= 0.1:
                sizes[number] = size
        return sizes

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first.

        Args:
            fields: ``cif`` B 5K h w and ``caf`` B 8E h w; cells with a value that is not finite
                say nothing.
            size: (H, W) of the view in pixels.

        Raises:
            InputError: The fields are not this skeleton's.
        """
        cif, caf = (np.ascontiguousarray(self._split(fields, i), np.float32) for i in (0, 1))
        return [self._decode_one(*pair) for pair in zip(cif, caf, strict=True)]

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Fields of mirrored views in the frame of the originals.

        Exact where the last cell is at the last pixel: a width of ``stride`` n + 1.

        Raises:
            InputError: The fields are not this skeleton's.
            ConfigError: A limb of the skeleton has no mirror image.
        """
        cif, caf = (self._split(fields, number)[..., ::-1] for number in (0, 1))
        limb, turned = self.skeleton.mirrored_limbs
        cif, caf = cif[:, self.skeleton.flip_index].copy(), caf[:, limb].copy()
        caf[:, turned] = caf[:, turned][:, :, [0, 1, 4, 5, 2, 3, 7, 6]]
        last = cif.shape[-1] - 1 if self.activated else 0
        for maps, columns in ((cif, [2]), (caf, [2, 4])):
            maps[:, :, columns] = last - maps[:, :, columns]
        return {
            "cif": cif.reshape(fields["cif"].shape),
            "caf": caf.reshape(fields["caf"].shape),
        }

    def _split(self, fields: Fields, number: int) -> np.ndarray:
        """B fields components h w."""
        field, (each, what) = self.fields[number], ((5, "keypoint"), (8, "limb"))[number]
        need = (
            f"{self.skeleton.name!r} needs (B, {field.channels}, h, w): {each} channels per {what}"
        )
        maps = field.of(fields, need)
        return maps.reshape(len(maps), -1, each, *maps.shape[2:])

    def _decode_one(self, cif: np.ndarray, caf: np.ndarray) -> Keypoints:
        from vitruvian.kernels import grow
        from vitruvian.kernels.evidence import both_ways, bumps, evidence

        h, w = cif.shape[2:]
        size = (h - 1) * self.stride + 1, (w - 1) * self.stride + 1
        limbs = self.skeleton.limb_index
        owner, cells = self._cells(0, cif, min(self.seed, self.cell))
        sure = cells[:, 0] >= self.cell
        borne_out = bumps(owner[sure], cells[sure], (len(cif), *size))
        seen = evidence(owner, cells[:, 1:3], -1.0, borne_out)

        def ways(least: float) -> grow.Ways:
            owner, rows = both_ways(limbs, *self._cells(1, caf, least), borne_out, least)
            return grow.ways(owner, rows, (2 * len(limbs), *size))

        least, share, person = self.keypoint, self.share, self.person
        if self.force_complete:
            least = share = person = 0.0
        owner, seeds = self._seeds(owner, cells, seen)
        taken = grow.nobody((len(cif), *size))
        people = grow.people(owner, seeds, taken, limbs, least, share, ways(self.cell))
        if self.force_complete:
            grow.complete(people, limbs, ways(0.001))
        return _keypoints(grow.suppress(people, taken, joint=least, person=person))

    def _cells(self, number: int, maps: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
        """Cells of at least this confidence, see :func:`~vitruvian.kernels.evidence.speaking`."""
        from vitruvian.kernels.evidence import speaking

        owner, cells, lost = speaking(maps, least, stride=self.stride, activated=self.activated)
        if lost:
            name = self.fields[number].name
            _log.warning("field %s: %d cells are not finite or point far off", name, lost)
        if len(owner) <= self.most:
            return owner, cells
        _log.warning("%d cells speak; the %d surest are heard", len(owner), self.most)
        kept = np.sort(np.argsort(-cells[:, 0], kind="stable")[: self.most])
        return owner[kept], cells[kept]

    def _seeds(
        self, owner: np.ndarray, cells: np.ndarray, seen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keypoint and joint of cells that people may be grown from, the surest first."""
        score = 0.9 * seen + 0.1 * cells[:, 0]
        hopeful = np.flatnonzero((score >= self.seed) & (cells[:, 0] >= self.seed))
        best = hopeful[best_first(score[hopeful])]
        return owner[best], np.column_stack([score[best], cells[best, 1:]])


def best_first(score: np.ndarray) -> np.ndarray:
    """Order of the seeds; equal ones as they stand in the map."""
    return np.argsort(-score, kind="stable")


def _taught(xy: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """N K: labelled keypoints, but not hidden ones behind another person's visible one."""
    known = (visible > 0) & np.isfinite(xy).all(axis=2)
    gap = np.abs(xy[:, None] - xy[None]).max(axis=3)
    others = (known & (visible > 1))[:, None] & ~np.eye(len(xy), dtype=bool)[:, :, None]
    behind = (others & (gap < HIDDEN)).any(axis=0)
    return np.asarray(known & ~((visible == 1) & behind))


def _upright(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray] | None:
    """K 2 of a standing person, and of one that leans by 45 degrees; None for unknown bodies."""
    points = []
    for name in skeleton.keypoints:
        side, _, part = name.partition("_")
        x, y = UPRIGHT.get(part or side, (np.nan, np.nan))
        lower = {"elbow": 0.1, "wrist": 0.1, "knee": 0.05, "ankle": 0.05}.get(part, 0.0)
        points.append((-x, y - lower) if side == "left" else (x, y + lower))
    pose = np.array(points)
    if np.isnan(pose).any():
        return None
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    return pose, pose @ turn


def _distrust(trust: np.ndarray, shape: tuple[int, int], stride: int, side: int) -> np.ndarray:
    """Cells h w whose stamps of ``side`` cells, and half a cell more, meet an untrusted pixel."""
    reach = (side + 1) * stride // 2 - 1
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    doubt = cv2.dilate((trust < 0.5).astype(np.uint8), kernel)
    return np.asarray(doubt[::stride, ::stride][: shape[0], : shape[1]] > 0)


Stamps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Which field, M; cell (x, y), M 2; distance, M; the channels from the third on, M C."""


def _stamp(centre: np.ndarray, side: int) -> np.ndarray:
    """M side^2 2: cells around the points ``centre``."""
    steps = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    return np.asarray(np.round(centre - (side - 1) / 2)[:, None] + steps)


def _keypoint_stamps(
    place: np.ndarray, scale: np.ndarray, limbs: np.ndarray, shape: tuple[int, int]
) -> Stamps:
    person, owner = np.nonzero(np.isfinite(place[:, :, 0]))
    centre = place[person, owner]
    cell = _stamp(centre, 4)
    offset = centre[:, None] - cell
    scales = np.broadcast_to(scale[person, owner, None, None], (*cell.shape[:2], 1))
    rows = np.concatenate([offset, scales], axis=2).reshape(-1, 3)
    owner = np.repeat(owner, cell.shape[1])
    return owner, cell.reshape(-1, 2), np.linalg.norm(rows[:, :2], axis=1), rows


def _limb_stamps(
    place: np.ndarray, scale: np.ndarray, limbs: np.ndarray, shape: tuple[int, int]
) -> Stamps:
    first, second = place[:, limbs[:, 0]], place[:, limbs[:, 1]]
    last = np.array(shape[::-1]) - 1
    inside = [((end >= 0) & (end <= last)).all(axis=2) for end in (first, second)]
    person, owner = np.nonzero(np.isfinite(first + second).all(axis=2) & (inside[0] | inside[1]))
    a, b = first[person, owner], second[person, owner]
    length = np.linalg.norm(b - a, axis=1)
    with np.errstate(divide="ignore"):
        margin = np.clip(1.5 / length, 0.25, 0.4)
    count = np.maximum(2, np.ceil(length)).astype(int)
    limb = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(limb)) - np.repeat(np.cumsum(count) - count, count)
    along = margin[limb] + step / (count[limb] - 1) * (1 - 2 * margin[limb])
    cell = _stamp(a[limb] + along[:, None] * (b - a)[limb], 3)
    limb = np.repeat(limb, cell.shape[1])
    cell = cell.reshape(-1, 2)
    to_a, to_b = a[limb] - cell, b[limb] - cell
    across = np.abs(to_a[:, 0] * to_b[:, 1] - to_a[:, 1] * to_b[:, 0])
    scales = [scale[person, limbs[owner, end]][limb] for end in (0, 1)]
    rows = np.column_stack([to_a, to_b, *scales])
    return owner[limb], cell, across / (length[limb] + 0.01), rows


def _closest(
    owner: np.ndarray,
    cell: np.ndarray,
    distance: np.ndarray,
    shape: tuple[int, int],
    mask: np.ndarray,
) -> np.ndarray:
    """The nearest stamp of each cell; where labels may miss, only within one cell."""
    inside = np.asarray(((cell >= 0) & (cell < np.array(shape[::-1]))).all(axis=1))
    x, y = np.where(inside[:, None], cell, 0).astype(np.intp).T
    inside &= ~mask[y, x] | (distance < 1)
    place = (owner * shape[0] + y) * shape[1] + x
    kept = np.flatnonzero(inside)
    order = kept[np.lexsort((distance[kept], place[kept]))]
    first = np.append(True, np.diff(place[order]) > 0)[: len(order)]
    return np.asarray(order[first])


def _keypoints(people: np.ndarray) -> Keypoints:
    """Scores as the authors report them: the three surest keypoints count three times."""
    confidence = people[:, :, 0]
    weight = np.ones(people.shape[1])
    weight[:3] = 3
    score = -np.sort(-confidence, axis=1) @ weight / weight.sum()
    xy = np.where(confidence[:, :, None] > 0, people[:, :, 1:3], np.nan)
    return Keypoints(
        xy=xy.astype(np.float32),
        scores=confidence.astype(np.float32),
        score=score.astype(np.float32),
    )
