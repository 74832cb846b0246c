"""COCO keypoint AP and AR (cocodataset.org), all ten numbers, for any K, computed by hotcoco."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample

PICTURES = 256
"""Pictures whose labels and poses become JSON objects at once; all of them would take gigabytes."""

_CATEGORIES = [{"id": 1, "name": "person"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoScores:
    """The ten numbers in the order of the official tool; -1 where no person counts.

    Attributes:
        ap: Mean over OKS .50:.05:.95 of the average precision at 101 recalls.
        ap50: At OKS .50.
        ap75: At OKS .75.
        ap_medium: Of people of 32^2 to 96^2 square pixels, both ends included.
        ap_large: Of people of at least 96^2 square pixels.
        ar: Mean over OKS .50:.05:.95 of the recall with 20 poses a picture.
        ar50: At OKS .50.
        ar75: At OKS .75.
        ar_medium: Of people of 32^2 to 96^2 square pixels.
        ar_large: Of people of at least 96^2 square pixels.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def oks_ap(
    truth: Sequence[Sample],
    found: Sequence[Poses],
    *,
    sigmas: Float[np.ndarray, " K"] | None = None,
) -> CocoScores:
    """Scores of the poses found in each picture; ``truth`` and ``found`` run in step.

    Crowds, and people without a labelled keypoint, only absorb poses. A keypoint that was not found
    stands at (0, 0), as in COCO result files.

    Args:
        truth: Labels.
        found: Poses of the same pictures, of the same skeleton.
        sigmas: OKS sigmas; those of the skeleton when not given.

    Raises:
        InputError: The two do not fit, or the skeleton has no sigmas.
        MissingExtra: hotcoco is not installed.
    """
    check_pairs(truth, found)
    ids = picture_ids(truth)
    if ids != [sample.image_id for sample in truth]:
        truth = [replace(sample, image_id=i) for i, sample in zip(ids, truth, strict=True)]
    return oks_ap_stream(zip(truth, found, strict=True), sigmas=sigmas)


def oks_ap_stream(
    pairs: Iterable[tuple[Sample, Poses]], *, sigmas: Float[np.ndarray, " K"] | None = None
) -> CocoScores:
    """The same of pictures that come one after the other; neither labels nor poses are kept.

    Args:
        pairs: Labels of a picture, whose ``image_id`` no other has, and the poses found in it.
        sigmas: OKS sigmas; those of the first picture's skeleton when not given.

    Raises:
        InputError: The two do not fit, or the skeleton has no sigmas.
        MissingExtra: hotcoco is not installed.
    """
    run, people, seen = None, 0, set[int]()
    waiting = iter(pairs)
    while some := list(islice(waiting, PICTURES)):
        truth, found = [sample for sample, _ in some], [poses for _, poses in some]
        check_pairs(truth, found)
        ids = [sample.image_id for sample in truth]
        if len(seen | {*ids}) < len(seen) + len(ids):
            raise InputError("two pictures have the same image_id; give each its own")
        seen.update(ids)
        labels = ground_truth(truth, ids, first_id=people + 1)
        people += len(labels["annotations"])
        if run is None:
            run = _stream(truth[0].skeleton.oks_sigmas if sigmas is None else sigmas)
        run.update(labels["images"], labels["annotations"], pose_results(found, ids))
    if run is None:
        return CocoScores(**{field.name: -1.0 for field in fields(CocoScores)})
    return _ten(*_curves(run.finalize()))


def oks_ap_of_files(
    annotations: Path | str, results: Path | str, sigmas: Float[np.ndarray, " K"]
) -> CocoScores:
    """Scores of a COCO results file; both are read by hotcoco, without a detour through Python.

    Raises:
        InputError: A file is missing or not of its format.
        MissingExtra: hotcoco is not installed.
    """
    for file in (annotations, results):
        if not Path(file).is_file():
            raise InputError(f"no file at {str(file)!r}; give annotations and results of COCO")
    try:
        return _ten(*precision_recall(str(annotations), str(results), "keypoints", sigmas))
    except InputError:
        # hotcoco is strict about "info" and "licenses", which nothing here depends on.
        labels = _essentials(Path(annotations))
        return _ten(*precision_recall(labels, str(results), "keypoints", sigmas))


def picture_ids(truth: Sequence[Sample]) -> list[int]:
    """The samples' own ids, which order ties as the official tool does; else their positions."""
    ids = [sample.image_id for sample in truth]
    return ids if len(set(ids)) == len(ids) else list(range(1, len(ids) + 1))


def ground_truth(
    truth: Sequence[Sample], ids: Sequence[int], *, first_id: int = 1
) -> dict[str, Any]:
    """COCO annotations of the samples, identified from 1: the official tool never matches id 0."""
    images = [
        {"id": i, "height": s.size[0], "width": s.size[1]} for i, s in zip(ids, truth, strict=True)
    ]
    people = [row for i, s in zip(ids, truth, strict=True) for row in _people(i, s)]
    for at, row in enumerate(people):
        row["id"] = first_id + at
    return {"images": images, "annotations": people, "categories": _CATEGORIES}


def _essentials(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
        return {key: data[key] for key in ("images", "annotations", "categories")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not COCO annotations ({error!r})") from error


def _people(image_id: int, sample: Sample) -> list[dict[str, Any]]:
    flags = sample.visible[:, :, None].astype(np.float64)
    points = np.concatenate([np.nan_to_num(sample.xy.astype(np.float64)), flags], 2)
    size = sample.boxes[:, 2:] - sample.boxes[:, :2]
    boxes = np.concatenate([sample.boxes[:, :2], size], 1).astype(np.float64)
    return [
        {
            "image_id": image_id,
            "category_id": 1,
            "keypoints": points[n].ravel().tolist(),
            "num_keypoints": int((sample.visible[n] > 0).sum()),
            "bbox": boxes[n].tolist(),
            "area": float(sample.area[n]),
            "iscrowd": int(sample.crowd[n]),
        }
        for n in range(len(sample))
    ]


def pose_results(found: Sequence[Poses], ids: Sequence[int]) -> list[dict[str, Any]]:
    """COCO results; a keypoint that was not found stands at (0, 0)."""
    rows = []
    for image_id, poses in zip(ids, found, strict=True):
        xy = np.nan_to_num(poses.xy.astype(np.float64))
        points = np.concatenate([xy, poses.scores[:, :, None].astype(np.float64)], 2)
        rows += [
            {
                "image_id": image_id,
                "category_id": 1,
                "keypoints": points[n].ravel().tolist(),
                "score": float(poses.score[n]),
            }
            for n in range(len(poses))
        ]
    return rows


def check_pairs(truth: Sequence[Sample], found: Sequence[Poses]) -> None:
    """Nothing, where labels and poses are of as many pictures and of the same keypoints.

    Raises:
        InputError: They are not.
    """
    if len(truth) != len(found):
        raise InputError(f"{len(truth)} samples and {len(found)} results; give one per picture")
    names = {s.skeleton.keypoints for s in truth} | {p.skeleton.keypoints for p in found}
    if len(names) > 1:
        raise InputError("labels and poses have different keypoints; convert one to the other's")


def _ten(precision: Float64[np.ndarray, "T R A"], recall: Float64[np.ndarray, "T A"]) -> CocoScores:
    area_all, medium, large = range(3)
    every, at50, at75 = slice(None), slice(0, 1), slice(5, 6)
    cuts = [(every, area_all), (at50, area_all), (at75, area_all), (every, medium), (every, large)]
    ap = [mean_known(precision[t, :, a]) for t, a in cuts]
    ar = [mean_known(recall[t, a]) for t, a in cuts]
    names = [field.name for field in fields(CocoScores)]
    return CocoScores(**dict(zip(names, ap + ar, strict=True)))


def precision_recall(
    truth: dict[str, Any] | str,
    results: list[dict[str, Any]] | str,
    kind: Literal["keypoints", "bbox"],
    sigmas: np.ndarray | None = None,
) -> tuple[Float64[np.ndarray, "T R A"], Float64[np.ndarray, "T A"]]:
    """Precision at 101 recalls, and the last recall, of the official matching; -1 is not known.

    T thresholds .50:.05:.95, A area ranges of the official tool; as many results a picture as it
    allows at most. COCO annotations and results are dictionaries or paths.

    Raises:
        InputError: hotcoco refuses the files.
        MissingExtra: hotcoco is not installed.
    """
    hotcoco = _hotcoco()
    try:
        labels = hotcoco.COCO(truth)
        run = hotcoco.COCOeval(labels, labels.load_res(results), kind)
    except (ValueError, KeyError, OSError) as error:
        raise InputError(f"not COCO annotations and results: {error}") from error
    if sigmas is not None:
        run.params.kpt_oks_sigmas = _short(sigmas)
    run.evaluate()
    return _curves(run)


def _stream(sigmas: np.ndarray) -> Any:
    """An evaluator that matches pictures as they come."""
    hotcoco = _hotcoco()
    params = hotcoco.Params("keypoints")
    params.kpt_oks_sigmas = _short(sigmas)
    return hotcoco.StreamingEval(_CATEGORIES, iou_type="keypoints", params=params)


def _hotcoco() -> Any:
    try:
        import hotcoco
    except ImportError as error:
        raise MissingExtra("hotcoco", "eval", "COCO average precision") from error
    return hotcoco


def _short(sigmas: np.ndarray) -> list[float]:
    """Seven digits undo float32: 0.079 again, not 0.0790000036."""
    return [float(f"{sigma:.7g}") for sigma in sigmas]


def _curves(run: Any) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of a run that has matched."""
    run.accumulate()
    made = run.eval or {}
    return made["precision"][:, :, 0, :, -1], made["recall"][:, 0, :, -1]


def mean_known(values: np.ndarray) -> float:
    """Mean of what is known; -1 where nothing is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0
