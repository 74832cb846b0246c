"""Person boxes: COCO box AP (hotcoco) and recall, apart by box size.

Sizes are those of the box, not of a segmentation: small is below 32^2 square pixels, large is from
96^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from vitruvian.core.sample import Sample
from vitruvian.core.types import Boxes
from vitruvian.kernels.nms import iou
from vitruvian.metrics.oks_ap import ground_truth, mean_known, picture_ids, precision_recall

SMALL, LARGE = 32.0**2, 96.0**2
SIZES = ("small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxScores:
    """Average precision with at most 100 boxes a picture; -1 where no person counts.

    Attributes:
        ap: Mean over IoU .50:.05:.95.
        ap50: At IoU .50.
        ap75: At IoU .75.
        ap_small: Of boxes up to 32^2 square pixels.
        ap_medium: Of boxes of 32^2 to 96^2 square pixels.
        ap_large: Of boxes of at least 96^2 square pixels.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float


def box_ap(truth: Sequence[Sample], found: Sequence[Boxes]) -> BoxScores:
    """Scores of the boxes found in each picture; ``truth`` and ``found`` run in step.

    Only pictures whose people are all labelled tell a wrong box from an unlabelled person.

    Raises:
        MissingExtra: hotcoco is not installed.
    """
    ids = picture_ids(truth)
    labels = ground_truth(truth, ids)
    for row in labels["annotations"]:
        row["area"] = row["bbox"][2] * row["bbox"][3]
    results = [
        {"image_id": i, "category_id": 1, "bbox": box, "score": score}
        for i, boxes in zip(ids, found, strict=True)
        for box, score in zip(_xywh(boxes), boxes.scores.tolist(), strict=True)
    ]
    precision, _ = precision_recall(labels, results, "bbox")
    return BoxScores(
        ap=mean_known(precision[:, :, 0]),
        ap50=mean_known(precision[0, :, 0]),
        ap75=mean_known(precision[5, :, 0]),
        ap_small=mean_known(precision[:, :, 1]),
        ap_medium=mean_known(precision[:, :, 2]),
        ap_large=mean_known(precision[:, :, 3]),
    )


def recalled(
    truth: Float[np.ndarray, "N 4"], found: Boxes, *, overlap: float = 0.5
) -> Bool[np.ndarray, " N"]:
    """Which people have a box of their own: IoU at least ``overlap``, best pairs first.

    Args:
        truth: Labelled boxes, xyxy.
        found: Boxes of the same picture; their scores play no part.
        overlap: Least intersection over union.
    """
    return best_pairs(iou(truth, found.xyxy), overlap) >= 0


def best_pairs(likeness: Float[np.ndarray, "N M"], least: float) -> Int64[np.ndarray, " N"]:
    """Column paired with each row, -1 for none: the most alike first, each used once.

    Args:
        likeness: Any measure of how well a row and a column go together.
        least: Smallest likeness of a pair.
    """
    left = likeness.astype(np.float64)
    paired = np.full(len(left), -1, np.int64)
    for _ in range(min(left.shape)):
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] < least:
            break
        paired[row] = column
        left[row], left[:, column] = -np.inf, -np.inf
    return paired


def size_of(boxes: Float[np.ndarray, "N 4"]) -> list[str]:
    """``small``, ``medium`` or ``large`` for each xyxy box."""
    area = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(1)
    return [SIZES[size] for size in (area >= SMALL).astype(int) + (area >= LARGE)]


def _xywh(boxes: Boxes) -> list[list[float]]:
    corner = boxes.xyxy[:, :2].astype(np.float64)
    rows: list[list[float]] = np.concatenate([corner, boxes.xyxy[:, 2:] - corner], 1).tolist()
    return rows
