"""Predictor x data set x metric -> report.

True boxes and detected boxes are reported apart, and so is each source of the pictures. With given
boxes every labelled person has the pose of its box; with the predictor's own, people and poses are
paired, the most alike first. Where a picture is not fully annotated a pose nobody labelled may
still be right: such pictures count for recall (OKS fraction, PCK, detector recall) and, with
detected boxes, not for average precision.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int64

from vitruvian.core.convert import convert, missing
from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Boxes
from vitruvian.datasets import Dataset
from vitruvian.kernels.nms import iou
from vitruvian.kernels.oks import oks
from vitruvian.metrics.bootstrap import interval
from vitruvian.metrics.box_ap import best_pairs, box_ap, recalled, size_of
from vitruvian.metrics.calibration import reliability
from vitruvian.metrics.diagnosis import NEAR, Diagnosis, diagnose
from vitruvian.metrics.oks_ap import CocoScores, oks_ap
from vitruvian.metrics.oks_fraction import (
    above_thresholds,
    keypoint_similarity,
    oks_of_pairs,
)
from vitruvian.metrics.pck import (
    Hits,
    auc,
    box_length,
    curve,
    normalised_distance,
    pck,
    torso_length,
)
from vitruvian.metrics.pdj import ALPHAS
from vitruvian.metrics.report import ALL, DetectorRow, Person, Report, Row

_log = logging.getLogger(__name__)

ALPHA = 0.2
TORSO = ("left_shoulder", "right_hip")
LIMB_JOINTS = tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)

BoxKind = Literal["gt", "detector", "given"]
GivenBoxes = Mapping[int, Boxes]
_NO_BOXES = Boxes(xyxy=np.zeros((0, 4), np.float32), scores=np.zeros(0, np.float32))


@runtime_checkable
class Predictor(Protocol):
    """What :func:`vitruvian.load` returns."""

    def __call__(self, source: list[str], *, boxes: list[Boxes] | None = None) -> list[Poses]:
        """People of each picture; one per box, in their order, where boxes are given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a predictor found in the pictures of a data set.

    Attributes:
        samples: Labels of the pictures.
        poses: Kind of boxes -> poses of each picture, in the predictor's skeleton.
    """

    samples: list[Sample]
    poses: dict[BoxKind, list[Poses]]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Joints of the labels that the predictor does not have."""
        theirs = next(iter(self.poses.values()))[0].skeleton
        return missing(theirs, self.samples[0].skeleton)


def evaluate(
    predictor: Predictor,
    data: Dataset,
    *,
    boxes: Sequence[BoxKind] = ("gt", "detector"),
    given: GivenBoxes | None = None,
    source: str = "",
    limit: int = 0,
    batch: int = 16,
    model: Mapping[str, object] | None = None,
    name: str = "",
    thorough: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Run the predictor over the pictures and measure what it finds.

    Args:
        predictor: Called with lists of file names.
        data: Labels; poses are converted to its skeleton.
        boxes: Kinds of boxes, each evaluated and reported apart.
        given: The boxes of kind ``given`` by image id; a picture may be absent.
        source: Only pictures of this source.
        limit: Only the first so many of them; 0 is all.
        batch: Pictures per call.
        model: What the predictor is, for the report: names, hashes, runtime.
        name: Name of the data for the report.
        thorough: Also say what kinds of mistakes there are and how far scores can be trusted.
        progress: Called with the number of pictures just done.

    Raises:
        InputError: No picture is left, or one cannot be read.
    """
    answers = ask(
        predictor,
        data,
        boxes=boxes,
        given=given,
        source=source,
        limit=limit,
        batch=batch,
        progress=progress,
    )
    return measure(answers, model=model, name=name, thorough=thorough)


def ask(
    predictor: Predictor,
    data: Dataset,
    *,
    boxes: Sequence[BoxKind] = ("gt", "detector"),
    given: GivenBoxes | None = None,
    source: str = "",
    limit: int = 0,
    batch: int = 16,
    progress: Callable[[int], None] = lambda _: None,
) -> Answers:
    """Run the predictor over the pictures; see :func:`evaluate`."""
    samples = _chosen(data, source, limit)
    return Answers(
        samples=samples,
        poses={
            kind: _poses(predictor, samples, kind, given or {}, batch, progress) for kind in boxes
        },
    )


def measure(
    answers: Answers,
    *,
    model: Mapping[str, object] | None = None,
    name: str = "",
    thorough: bool = False,
) -> Report:
    """Measure what a predictor found; see :func:`evaluate`."""
    wholes = [
        _matched(kind, answers.samples, poses, answers.left_out)
        for kind, poses in answers.poses.items()
    ]
    parts = [part for whole in wholes for part in _by_source(whole)]
    detected = [part for part in parts if part.boxes == "detector"]
    trusted = [(whole, _outcomes(whole)) for whole in wholes if thorough]
    return Report(
        model=dict(model or {}),
        data=name,
        reference=_reference(answers.samples[0].skeleton),
        left_out=answers.left_out,
        rows=tuple(_row(part) for part in parts),
        detector=tuple(row for part in detected for row in _detector_rows(part)),
        people=tuple(row for part in parts if part.source == ALL for row in _people(part)),
        diagnosis={
            whole.boxes: found for whole in wholes if thorough and (found := _diagnosis(whole))
        },
        reliability={
            whole.boxes: reliability(some.scores, some.right) for whole, some in trusted if some
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of every labelled keypoint that was found.

    Attributes:
        scores: P, the keypoints' scores.
        right: P, similarity with the label of .5 or more (PCK@0.2 without sigmas).
        picture: P, position of the picture.
    """

    scores: Float[np.ndarray, " P"]
    right: Bool[np.ndarray, " P"]
    picture: Int64[np.ndarray, " P"]

    def __len__(self) -> int:
        return len(self.scores)


def outcomes(answers: Answers, kind: BoxKind) -> Outcomes:
    """What became of the keypoints found with one kind of boxes, to fit a calibration to."""
    return _outcomes(_matched(kind, answers.samples, answers.poses[kind], answers.left_out))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matched:
    """Pictures of one source, what was found in them, and the pose of each labelled person.

    ``picture`` and ``row`` tell where a person's labels are; ``xy`` is NaN where there is no pose;
    ``length`` is the reference of PCK in pixels.
    """

    boxes: BoxKind
    source: str
    samples: list[Sample]
    poses: list[Poses]
    picture: Int64[np.ndarray, " P"]
    row: Int64[np.ndarray, " P"]
    xy: Float[np.ndarray, "P K 2"]
    scores: Float[np.ndarray, "P K"]
    length: Float[np.ndarray, " P"]

    def labels(self, name: str) -> np.ndarray:
        """One attribute of the labels of every person."""
        columns = [getattr(sample, name) for sample in self.samples]
        first = np.cumsum([0] + [len(sample) for sample in self.samples])
        rows: np.ndarray = np.concatenate(columns)[first[self.picture] + self.row]
        return rows


def _chosen(data: Dataset, source: str, limit: int) -> list[Sample]:
    chosen: list[Sample] = []
    sources: set[str] = set()
    for sample in data:
        sources.add(sample.source)
        if source in ("", sample.source):
            chosen.append(sample)
        if limit and len(chosen) == limit:
            break
    if not chosen:
        raise InputError(f"no picture of source {source!r}; the data has {sorted(sources)}")
    return chosen


def _without(sample: Sample, names: tuple[str, ...]) -> Sample:
    """The sample with the labels of the named joints taken off."""
    if not names:
        return sample
    lost = [sample.skeleton.index(name) for name in names]
    xy, visible = sample.xy.copy(), sample.visible.copy()
    xy[:, lost], visible[:, lost] = np.nan, 0
    return replace(sample, xy=xy, visible=visible)


def _counted(sample: Sample) -> Int64[np.ndarray, " n"]:
    """Rows of the people that count: labelled, and no crowd."""
    return np.flatnonzero((sample.visible > 0).any(1) & ~sample.crowd)


def _poses(
    predictor: Predictor,
    samples: list[Sample],
    kind: BoxKind,
    given: GivenBoxes,
    batch: int,
    progress: Callable[[int], None],
) -> list[Poses]:
    """What the predictor finds in each picture, in its own skeleton."""
    found: list[Poses] = []
    for first in range(0, len(samples), batch):
        some = samples[first : first + batch]
        paths = [sample.path for sample in some]
        if kind == "detector":
            found += predictor(paths)
        else:
            found += predictor(paths, boxes=[_boxes_of(s, kind, given) for s in some])
        progress(len(some))
    return found


def _boxes_of(sample: Sample, kind: BoxKind, given: GivenBoxes) -> Boxes:
    """Boxes to give to the predictor, which refuses those without area or outside the picture."""
    if kind == "given":
        return given.get(sample.image_id, _NO_BOXES)
    xyxy, (height, width) = sample.boxes[_counted(sample)], sample.size
    inside = (xyxy[:, :2] < [width, height]).all(1) & (xyxy[:, 2:] > 0).all(1)
    usable = xyxy[inside & (xyxy[:, 2:] > xyxy[:, :2]).all(1)]
    return Boxes(xyxy=usable, scores=np.ones(len(usable), np.float32))


def _matched(
    kind: BoxKind, samples: list[Sample], poses: list[Poses], left_out: tuple[str, ...]
) -> _Matched:
    """Every person that counts, with the pose of its box or the one most like it."""
    labels = [_without(sample, left_out) for sample in samples]
    found = [convert(some, samples[0].skeleton) for some in poses]
    people = [_counted(label) for label in labels]
    nobody = np.full((1, len(samples[0].skeleton), 2), np.nan, np.float32)
    xy, scores, length = [], [], []
    for sample, label, rows, some in zip(samples, labels, people, found, strict=True):
        paired = best_pairs(_likeness(kind, label, rows, some), 0.5 if kind == "gt" else 1e-9)
        xy.append(np.concatenate([some.xy, nobody])[paired])
        scores.append(np.concatenate([some.scores, np.zeros_like(nobody[..., 0])])[paired])
        length.append(_lengths(sample)[rows])
    return _Matched(
        boxes=kind,
        source=ALL,
        samples=labels,
        poses=found,
        picture=np.repeat(np.arange(len(samples)), [len(rows) for rows in people]),
        row=np.concatenate(people),
        xy=np.concatenate(xy),
        scores=np.concatenate(scores),
        length=np.concatenate(length),
    )


def _likeness(kind: BoxKind, sample: Sample, people: np.ndarray, poses: Poses) -> np.ndarray:
    """N M: overlap of the boxes when these are the true ones, else OKS if there are sigmas."""
    if kind == "gt" or not sample.skeleton.sigmas:
        return iou(sample.boxes[people], poses.boxes)
    area = sample.area[people, None]
    return oks(sample.xy[people], poses.xy, area, sample.skeleton.oks_sigmas)


def _by_source(whole: _Matched) -> Iterator[_Matched]:
    """All pictures, then those of each source where there are several."""
    yield whole
    sources = sorted({sample.source for sample in whole.samples})
    for source in sources if len(sources) > 1 else ():
        chosen = [i for i, sample in enumerate(whole.samples) if sample.source == source]
        people = np.isin(whole.picture, chosen)
        yield replace(
            whole,
            source=source,
            samples=[whole.samples[i] for i in chosen],
            poses=[whole.poses[i] for i in chosen],
            picture=np.searchsorted(chosen, whole.picture[people]),
            row=whole.row[people],
            xy=whole.xy[people],
            scores=whole.scores[people],
            length=whole.length[people],
        )


def _row(part: _Matched) -> Row:
    hits, limbs = _hits(part)
    above = _above(part)
    rng = np.random.default_rng(0)
    names = part.samples[0].skeleton.keypoints
    shares, labels = hits.joints.tolist(), hits.counted.sum(0).tolist()
    distance = normalised_distance(part.xy, part.labels("xy"), part.length)[:, _limb_joints(part)]
    return Row(
        boxes=part.boxes,
        source=part.source,
        pictures=len(part.samples),
        oks_fraction=None if above is None else interval(above, np.full(len(above), 10), rng),
        pck=interval(limbs.correct.sum(1), limbs.counted.sum(1), rng),
        coco=_coco(part),
        joints=dict(zip(names, zip(shares, labels, strict=True), strict=True)),
        curve=tuple(curve(distance, ALPHAS).round(5).tolist()),
        auc=auc(distance),
    )


def _reference(skeleton: Skeleton) -> Literal["torso", "box"]:
    return "torso" if {*TORSO} <= {*skeleton.keypoints} else "box"


def _lengths(sample: Sample) -> Float[np.ndarray, " N"]:
    """PCK reference of each person, from all that is labelled."""
    if _reference(sample.skeleton) == "torso":
        return torso_length(sample.xy, sample.skeleton, TORSO)
    return box_length(sample.boxes)


def _hits(part: _Matched) -> tuple[Hits, Hits]:
    """PCK of every joint, and of the limb joints (of all, where the skeleton has no such)."""
    hits = pck(part.xy, part.labels("xy"), part.length, alpha=ALPHA)
    return hits, hits.only(_limb_joints(part))


def _limb_joints(part: _Matched) -> list[int]:
    skeleton = part.samples[0].skeleton
    limbs = [skeleton.index(name) for name in LIMB_JOINTS if name in skeleton.keypoints]
    return limbs or list(range(len(skeleton)))


def _above(part: _Matched) -> Int64[np.ndarray, " P"] | None:
    """How many of the ten thresholds each person's OKS exceeds; None without sigmas."""
    skeleton = part.samples[0].skeleton
    if not skeleton.sigmas:
        return None
    likeness = oks_of_pairs(part.xy, part.labels("xy"), part.labels("area"), skeleton.oks_sigmas)
    passed: np.ndarray = above_thresholds(likeness).sum(1)
    return passed


def _coco(part: _Matched) -> CocoScores | None:
    """AP and AR; with detected boxes on the fully annotated pictures alone."""
    whole = [i for i, s in enumerate(part.samples) if part.boxes == "gt" or s.fully_annotated]
    if not whole or not part.samples[0].skeleton.sigmas:
        return None
    try:
        return oks_ap([part.samples[i] for i in whole], [part.poses[i] for i in whole])
    except MissingExtra as error:
        _log.warning("no average precision: %s", error)
        return None


def _outcomes(part: _Matched) -> Outcomes:
    skeleton, truth = part.samples[0].skeleton, part.labels("xy")
    if skeleton.sigmas:
        near = keypoint_similarity(part.xy, truth, part.labels("area"), skeleton.oks_sigmas)
        right = near >= NEAR
    else:
        right = pck(part.xy, truth, part.length, alpha=ALPHA).correct > 0
    counted = np.isfinite(truth).all(2) & np.isfinite(part.xy).all(2)
    return Outcomes(
        scores=part.scores[counted],
        right=right[counted],
        picture=np.repeat(part.picture, counted.sum(1)),
    )


def _diagnosis(part: _Matched) -> Diagnosis | None:
    """Kinds of mistakes, in the pictures of which everybody is labelled; None without sigmas."""
    whole = [i for i, s in enumerate(part.samples) if part.boxes == "gt" or s.fully_annotated]
    if not whole or not part.samples[0].skeleton.sigmas:
        return None
    try:
        return diagnose([part.samples[i] for i in whole], [part.poses[i] for i in whole])
    except MissingExtra as error:
        _log.warning("no diagnosis: %s", error)
        return None


def _detector_rows(part: _Matched) -> Iterator[DetectorRow]:
    """Recall over every picture and AP over the fully annotated ones, for each size of box."""
    hit = [recalled(s.boxes[~s.crowd], _found(p)) for s, p in _both(part)]
    boxes = [s.boxes[~s.crowd] for s in part.samples]
    right, sizes = np.concatenate(hit), np.array(size_of(np.concatenate(boxes)))
    precision = _box_precision(part)
    for size in (ALL, "small", "medium", "large"):
        here = right[(sizes == size) | (size == ALL)].astype(np.int64)
        recall = interval(here, np.ones_like(here), np.random.default_rng(0))
        yield DetectorRow(source=part.source, size=size, recall=recall, ap=precision.get(size))


def _box_precision(part: _Matched) -> dict[str, float | None]:
    whole = [(s, p) for s, p in _both(part) if s.fully_annotated]
    if not whole:
        return {}
    try:
        scores = box_ap([s for s, _ in whole], [_found(p) for _, p in whole])
    except MissingExtra as error:
        _log.warning("no average precision: %s", error)
        return {}
    sized = {"small": scores.ap_small, "medium": scores.ap_medium, "large": scores.ap_large}
    return {size: ap if ap >= 0 else None for size, ap in ({ALL: scores.ap} | sized).items()}


def _both(part: _Matched) -> Iterator[tuple[Sample, Poses]]:
    return zip(part.samples, part.poses, strict=True)


def _found(poses: Poses) -> Boxes:
    return Boxes(xyxy=poses.boxes, scores=poses.score)


def _people(part: _Matched) -> Iterator[Person]:
    _, limbs = _hits(part)
    above = _above(part)
    columns = zip(
        part.picture, part.labels("ids"), limbs.correct.sum(1), limbs.counted.sum(1), strict=True
    )
    for n, (picture, id_, correct, counted) in enumerate(columns):
        sample = part.samples[picture]
        yield Person(
            boxes=part.boxes,
            source=sample.source,
            image_id=sample.image_id,
            id=int(id_),
            thresholds=None if above is None else int(above[n]),
            correct=int(correct),
            counted=int(counted),
            pose=_kept_pose(part.xy[n], part.scores[n]),
        )


def _kept_pose(xy: Float[np.ndarray, "K 2"], scores: Float[np.ndarray, " K"]) -> tuple[float, ...]:
    """x, y, score of each keypoint, as exact as a drawing needs; empty where there is no pose."""
    if np.isnan(xy).all():
        return ()
    rows = np.column_stack([xy.astype(np.float64).round(1), scores.astype(np.float64).round(3)])
    return tuple(rows.ravel().tolist())
