"""What kind of mistakes a model makes, and how much average precision each kind costs.

The taxonomy of Ronchi and Perona, "Benchmarking and error diagnosis in multi-instance pose
estimation", ICCV 2017. A pose belongs to the labelled person that COCO's matching gives it at OKS
.1; each of that person's labelled keypoints has one of five kinds, by where the found keypoint is
most similar to:

- ``good``: its own label, similarity .85 or more;
- ``jitter``: its own label, .5 to .85;
- ``inversion``: the label of the mirrored keypoint of the same person, .5 or more;
- ``swap``: a label of the same or the mirrored keypoint of somebody else, .5 or more;
- ``miss``: none, or it was not found.

Differences from the authors' tool: a similarity of exactly .85 is good there neither; what is put
right here has the similarity that was asked for (theirs moves by half the distance, so that .5
becomes .84); crowds and people without keypoints take no pose.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.kernels.nms import iou
from vitruvian.kernels.oks import oks
from vitruvian.metrics.box_ap import SIZES, size_of
from vitruvian.metrics.oks_ap import check_pairs, oks_ap
from vitruvian.metrics.oks_fraction import keypoint_similarity

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, NEAR, MATCH = 0.85, 0.5, 0.1
"""Similarity of a good keypoint and of one that is near; OKS of a pose and its person."""
NOBODY = -1
CROWDED = 0.1
"""People whose box overlaps another's by more IoU are crowded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Every labelled keypoint of every person that has a pose.

    Attributes:
        picture: Position of the picture, P.
        pose: Row of the pose in that picture, P.
        person: Row of the person in that picture, P.
        keypoint: Index of the keypoint, P.
        kind: Index into :data:`KINDS`, P.
        similarity: The best one, P, with any label that could explain the keypoint.
        score: Score of the keypoint, P.
        missed: Picture and row of every person without a pose, Q 2.
        spurious: Picture and row of every pose without a person, R 2.
    """

    picture: Int64[np.ndarray, " P"]
    pose: Int64[np.ndarray, " P"]
    person: Int64[np.ndarray, " P"]
    keypoint: Int64[np.ndarray, " P"]
    kind: Int64[np.ndarray, " P"]
    similarity: Float64[np.ndarray, " P"]
    score: Float64[np.ndarray, " P"]
    missed: Int64[np.ndarray, "Q 2"]
    spurious: Int64[np.ndarray, "R 2"]

    def counts(self, chosen: Bool[np.ndarray, " P"] | None = None) -> dict[str, int]:
        """How many keypoints are of each kind, of all or of the chosen ones."""
        kinds = self.kind if chosen is None else self.kind[chosen]
        found = np.bincount(kinds, minlength=len(KINDS)).tolist()
        return dict(zip(KINDS, found, strict=True))


def judge(truth: Sequence[Sample], found: Sequence[Poses]) -> Judged:
    """The kind of every keypoint; ``truth`` and ``found`` run in step.

    Raises:
        InputError: The two do not fit, or the skeleton has no OKS sigmas.
    """
    check_pairs(truth, found)
    parts, missed, spurious = [], [], []
    for at, (sample, poses) in enumerate(zip(truth, found, strict=True)):
        person = match(sample, poses)
        pairs = [(m, n) for m, n in enumerate(person.tolist()) if n != NOBODY]
        parts += [_judge_pose(at, sample, poses, m, n) for m, n in pairs]
        counted = np.flatnonzero((sample.visible > 0).any(1) & ~sample.crowd)
        missed += [(at, int(n)) for n in np.setdiff1d(counted, person)]
        spurious += [(at, int(m)) for m in np.flatnonzero(person == NOBODY)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0)] * 7
    picture, pose, person, keypoint, kind, similarity, score = columns
    return Judged(
        picture=picture.astype(np.int64),
        pose=pose.astype(np.int64),
        person=person.astype(np.int64),
        keypoint=keypoint.astype(np.int64),
        kind=kind.astype(np.int64),
        similarity=similarity.astype(np.float64),
        score=score.astype(np.float64),
        missed=np.array(missed, np.int64).reshape(-1, 2),
        spurious=np.array(spurious, np.int64).reshape(-1, 2),
    )


def match(sample: Sample, poses: Poses, least: float = MATCH) -> Int64[np.ndarray, " M"]:
    """Row of the person of each pose, -1 for nobody: the best poses choose first, as in COCO."""
    counted = np.flatnonzero((sample.visible > 0).any(1) & ~sample.crowd)
    person = np.full(len(poses), NOBODY, np.int64)
    if not len(counted):
        return person
    likeness = _likeness(sample, poses)[counted]
    for m in np.argsort(-poses.score, kind="stable"):
        best = int(likeness[:, m].argmax())
        if likeness[best, m] >= least:
            person[m], likeness[best] = counted[best], -np.inf
    return person


def _likeness(sample: Sample, poses: Poses) -> Float64[np.ndarray, "N M"]:
    """OKS of every person and pose; a labelled keypoint that was not found adds 0."""
    xy = np.where(np.isnan(poses.xy), np.float32(-1e6), poses.xy)
    likeness: np.ndarray = oks(sample.xy, xy, sample.area[:, None], sample.skeleton.oks_sigmas)
    return likeness


def _judge_pose(at: int, sample: Sample, poses: Poses, m: int, n: int) -> tuple[np.ndarray, ...]:
    """Columns of :class:`Judged` for one pose."""
    labelled = np.flatnonzero(sample.visible[n] > 0)
    near = _explanations(sample, poses, m, n)[:, labelled]
    best = near.argmax(0)
    similarity = near[best, np.arange(len(labelled))]
    people = len(near) // 2
    kind = np.full(len(labelled), KINDS.index("swap"))
    kind[best == people] = KINDS.index("inversion")
    kind[best == 0] = KINDS.index("jitter")
    kind[(best == 0) & (similarity >= GOOD)] = KINDS.index("good")
    kind[similarity < NEAR] = KINDS.index("miss")
    where = [np.full(len(labelled), value) for value in (at, m, n)]
    return (*where, labelled, kind, similarity, poses.scores[m, labelled])


def _explanations(sample: Sample, poses: Poses, m: int, n: int) -> Float64[np.ndarray, "L K"]:
    """Similarity of each found keypoint with what it could be instead.

    The rows are the keypoint's own label in every person, this person first, then that of the
    mirrored keypoint likewise.
    """
    order = [n, *(i for i in range(len(sample)) if i != n)]
    own = np.where(sample.visible[order, :, None] > 0, sample.xy[order], np.nan)
    labels = np.concatenate([own, own[:, sample.skeleton.flip_index]])
    alike = np.arange(len(own[0])) == sample.skeleton.flip_index
    labels[len(own) :, alike] = np.nan  # a keypoint of the middle has no mirrored one
    found = np.broadcast_to(poses.xy[m], labels.shape)
    area = np.full(len(labels), sample.area[n])
    return keypoint_similarity(found, labels, area, sample.skeleton.oks_sigmas)


def put_right(
    truth: Sequence[Sample], found: Sequence[Poses], judged: Judged, kinds: Collection[str]
) -> list[Poses]:
    """The poses with some kinds of mistakes corrected, as far as an easy repair would go.

    Jitter becomes good (.85), a miss comes near (.5), an inversion or swap keeps the similarity
    that it had with the wrong label.
    """
    xy = [poses.xy.copy() for poses in found]
    goal = np.select(
        [judged.kind == KINDS.index("jitter"), judged.kind == KINDS.index("miss")],
        [GOOD, NEAR],
        judged.similarity,
    )
    wrong = np.isin(judged.kind, [KINDS.index(kind) for kind in kinds])
    for i in np.flatnonzero(wrong):
        sample, n, k = truth[judged.picture[i]], judged.person[i], judged.keypoint[i]
        spread = 2 * sample.skeleton.oks_sigmas[k]
        away = np.sqrt(-2 * np.log(goal[i]) * sample.area[n]) * spread
        xy[judged.picture[i]][judged.pose[i], k] = sample.xy[n, k] + np.array([away, 0])
    return [replace(poses, xy=points) for poses, points in zip(found, xy, strict=True)]


def best_scores(truth: Sequence[Sample], found: Sequence[Poses]) -> list[Poses]:
    """The poses with the scores that rank them best.

    Each has its largest OKS with a person; of poses that are alike the better one pushes the other
    down (soft suppression by exp(-OKS^2 / .5), most likely first).
    """
    return [
        replace(poses, score=_soft(poses, _optimal(sample, poses)))
        for sample, poses in zip(truth, found, strict=True)
    ]


def _optimal(sample: Sample, poses: Poses) -> Float64[np.ndarray, " M"]:
    counted = (sample.visible > 0).any(1) & ~sample.crowd
    if not counted.any():
        return np.zeros(len(poses))
    best: np.ndarray = _likeness(sample, poses)[counted].max(0)
    return best


def _soft(poses: Poses, score: np.ndarray) -> np.ndarray:
    left, kept = score.astype(np.float64), np.zeros(len(poses), np.float32)
    sides = np.nanmax(poses.xy, 1, initial=0) - np.nanmin(poses.xy, 1, initial=1e9)
    area = sides.clip(1).prod(1)
    alike = oks(
        poses.xy, poses.xy, (area[:, None] + area) / 2, poses.skeleton.oks_sigmas.astype(float)
    )
    waiting = np.ones(len(poses), bool)
    while waiting.any():
        best = int(np.where(waiting, left, -1.0).argmax())
        kept[best], waiting[best] = left[best], False
        left[waiting] *= np.exp(-(alike[best, waiting] ** 2) / 0.5)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What went wrong, how often, and what it costs.

    Attributes:
        ap: Average precision as it is.
        gains: AP added by putting right one kind of mistake alone: the four kinds of keypoints,
            ``score`` (the best ranking) and ``background`` (poses of nobody left out).
        repaired: AP with all of them put right; the rest are people nobody found.
        kinds: Number of keypoints of each kind.
        missed: People without a pose.
        spurious: Poses without a person.
        groups: Name of a grouping (``keypoint``, ``size``, ``crowding``, ``visibility``) -> its
            groups -> number of keypoints of each kind.
    """

    ap: float
    gains: dict[str, float]
    repaired: float
    kinds: dict[str, int]
    missed: int
    spurious: int
    groups: dict[str, dict[str, dict[str, int]]]


def diagnose(truth: Sequence[Sample], found: Sequence[Poses]) -> Diagnosis:
    """Errors of the poses found in each picture; ``truth`` and ``found`` run in step.

    Raises:
        InputError: The two do not fit, or the skeleton has no OKS sigmas.
        MissingExtra: hotcoco is not installed.
    """
    judged = judge(truth, found)
    ap = oks_ap(truth, found).ap
    repairs: dict[str, Callable[[], list[Poses]]] = {
        kind: partial(put_right, truth, found, judged, (kind,)) for kind in KINDS[1:]
    }
    repairs["score"] = partial(best_scores, truth, found)
    repairs["background"] = partial(_without, found, judged.spurious)
    gains = {name: oks_ap(truth, repair()).ap - ap for name, repair in repairs.items()}
    whole = put_right(truth, found, judged, KINDS[1:])
    whole = _without(best_scores(truth, whole), judged.spurious)
    return Diagnosis(
        ap=ap,
        gains=gains,
        repaired=oks_ap(truth, whole).ap,
        kinds=judged.counts(),
        missed=len(judged.missed),
        spurious=len(judged.spurious),
        groups=dict(_groups(truth, judged)),
    )


def _without(found: Sequence[Poses], spurious: np.ndarray) -> list[Poses]:
    gone = {(int(at), int(m)) for at, m in spurious}
    return [
        poses[np.array([(at, m) not in gone for m in range(len(poses))], bool)]
        for at, poses in enumerate(found)
    ]


def _groups(
    truth: Sequence[Sample], judged: Judged
) -> Iterator[tuple[str, dict[str, dict[str, int]]]]:
    """Name of each grouping and how many keypoints of each kind its groups have."""
    rows = list(zip(judged.picture, judged.person, strict=True))
    names = truth[0].skeleton.keypoints if truth else ()
    yield "keypoint", _tally(judged, np.array(names, str)[judged.keypoint], names)
    sizes = [size_of(sample.boxes) for sample in truth]
    yield "size", _tally(judged, np.array([sizes[at][n] for at, n in rows], str), SIZES)
    crowded = [_crowded(sample) for sample in truth]
    near = np.array([crowded[at][n] for at, n in rows], bool)
    yield "crowding", _tally(judged, np.where(near, "crowded", "alone"), ("alone", "crowded"))
    flags = [truth[at].visible[n, k] for (at, n), k in zip(rows, judged.keypoint, strict=True)]
    seen = np.where(np.array(flags, int) > 1, "visible", "hidden")
    yield "visibility", _tally(judged, seen, ("visible", "hidden"))


def _crowded(sample: Sample) -> np.ndarray:
    overlap = iou(sample.boxes, sample.boxes)
    np.fill_diagonal(overlap, 0.0)
    crowded: np.ndarray = overlap.max(1, initial=0.0) > CROWDED
    return crowded


def _tally(judged: Judged, labels: np.ndarray, order: Iterable[str]) -> dict[str, dict[str, int]]:
    """Number of keypoints of each kind under the labels that occur, in this order."""
    return {name: judged.counts(here) for name in order if (here := labels == name).any()}
