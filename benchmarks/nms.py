"""Suppression kernels beside plain NumPy loops, over boxes and poses that overlap as detections do.

python benchmarks/nms.py [--repeats 7] [-o benchmarks/nms.json]

``pairs`` is the definition as a loop over pairs; ``one against the rest`` the usual loop that
compares each survivor with all others at once. Every result is checked to be the same.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import keep, quartiles

from vitruvian.core.skeleton import skeleton
from vitruvian.kernels.nms import nms, soft_nms
from vitruvian.kernels.pose_nms import oks_nms

COUNTS = (100, 300, 1000)
SIGMAS = np.array(skeleton("coco17").sigmas)


def people(count: int) -> dict[str, np.ndarray]:
    """Ten detections of each of ``count`` / 10 people, boxes and poses."""
    rng = np.random.default_rng(count)
    size = rng.uniform(60, 200, (count // 10, 1)) * [0.4, 1.0]
    corner = rng.uniform(0, 1500, (count // 10, 2))
    pose = corner[:, None] + rng.uniform(0, 1, (count // 10, 17, 2)) * size[:, None]
    of = np.arange(count) % (count // 10)
    corners = np.stack([corner, corner + size], axis=1)[of]
    corners += rng.normal(0, 0.06, corners.shape) * size[of][:, None]
    return {
        "boxes": corners.reshape(-1, 4),
        "poses": pose[of] + rng.normal(0, 0.05, (count, 17, 2)) * size[of][:, None],
        "area": size[of].prod(axis=1),
        "scores": rng.uniform(0.05, 1, count),
    }


def pair_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(width * height / (sum(areas) - width * height))


def pair_oks(a: np.ndarray, b: np.ndarray, area: float) -> float:
    squared = ((a - b) ** 2).sum(axis=1)
    return float(np.exp(-squared / (2 * area * (2 * SIGMAS) ** 2)).mean())


def pairs(
    scores: np.ndarray, threshold: float, similarity: Callable[[int, int], float]
) -> np.ndarray:
    """The definition: a candidate stays unless it is too similar to one that stayed."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(similarity(i, j) <= threshold for j in kept):
            kept.append(int(i))
    return np.array(kept)


def one_against_the_rest(
    scores: np.ndarray, threshold: float, similarity: Callable[[int, np.ndarray], np.ndarray]
) -> np.ndarray:
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        kept.append(int(order[0]))
        order = order[1:][similarity(order[0], order[1:]) <= threshold]
    return np.array(kept)


def rest_iou(boxes: np.ndarray, i: int, rest: np.ndarray) -> np.ndarray:
    low, high = np.maximum(boxes[i, :2], boxes[rest, :2]), np.minimum(boxes[i, 2:], boxes[rest, 2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared / (areas[i] + areas[rest] - shared)


def rest_oks(poses: np.ndarray, area: np.ndarray, i: int, rest: np.ndarray) -> np.ndarray:
    squared = ((poses[i] - poses[rest]) ** 2).sum(axis=2)
    mean = (area[i] + area[rest])[:, None] / 2
    return np.exp(-squared / (2 * mean * (2 * SIGMAS) ** 2)).mean(axis=1)


def soft_pairs(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Gaussian decay, one pair at a time."""
    left, order = dict(enumerate(scores.tolist())), []
    while left:
        best = max(left, key=left.__getitem__)
        if left.pop(best) < 0.001:
            break
        order.append(best)
        for i in left:
            left[i] *= np.exp(-(pair_iou(boxes[best], boxes[i]) ** 2) / 0.5)
    return np.array(order)


def soft_rest(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    left, order = scores.copy(), []
    while left.max() >= 0.001:
        best = int(left.argmax())
        order.append(best)
        left *= np.exp(-(rest_iou(boxes, best, np.arange(len(boxes))) ** 2) / 0.5)
        left[order] = 0
    return np.array(order)


def contenders(data: dict[str, np.ndarray]) -> dict[str, dict[str, Callable[[], np.ndarray]]]:
    boxes, poses, area, scores = (data[k] for k in ("boxes", "poses", "area", "scores"))
    return {
        "box NMS 0.6": {
            "ours": lambda: nms(boxes, scores, 0.6),
            "one against the rest": lambda: one_against_the_rest(
                scores, 0.6, lambda i, rest: rest_iou(boxes, i, rest)
            ),
            "pairs": lambda: pairs(scores, 0.6, lambda i, j: pair_iou(boxes[i], boxes[j])),
        },
        "soft NMS, Gaussian": {
            "ours": lambda: soft_nms(boxes, scores)[0],
            "one against the rest": lambda: soft_rest(boxes, scores),
            "pairs": lambda: soft_pairs(boxes, scores),
        },
        "OKS NMS 0.5": {
            "ours": lambda: oks_nms(poses, scores, area, SIGMAS, 0.5),
            "one against the rest": lambda: one_against_the_rest(
                scores, 0.5, lambda i, rest: rest_oks(poses, area, i, rest)
            ),
            "pairs": lambda: pairs(
                scores, 0.5, lambda i, j: pair_oks(poses[i], poses[j], (area[i] + area[j]) / 2)
            ),
        },
    }


def milliseconds(function: Callable[[], np.ndarray], repeats: int) -> list[float]:
    """Processor time of each call."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(1000 * (time.process_time() - began))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    rows = []
    for count in COUNTS:
        for kernel, ways in contenders(people(count)).items():
            kept = [way().tolist() for way in ways.values()]
            if any(other != kept[0] for other in kept):
                raise SystemExit(f"{kernel}, {count}: the results differ")
            spent = {
                name: quartiles(milliseconds(way, args.repeats if name != "pairs" else 3))
                for name, way in ways.items()
            }
            ours = spent["ours"]["median"]
            times = {n: round(t["median"] / ours, 1) for n, t in spent.items() if n != "ours"}
            row = {"kernel": kernel, "candidates": count, "kept": len(kept[0])}
            rows.append(row | {"milliseconds": spent, "times faster than": times})
    keep(args.out, {"rows": rows})


if __name__ == "__main__":
    main()
