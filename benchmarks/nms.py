"""Suppression and RoIAlign beside plain NumPy loops, over boxes and poses as detections overlap.

python benchmarks/nms.py [--repeats 7] [-o benchmarks/nms.json]

``pairs`` is the definition as a loop over pairs; ``one against the rest`` the usual loop that
compares each survivor with all others at once. RoIAlign reads 7 x 7 bins of 16 channels; its loop
goes over samples. Every result is checked to be the same.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from record import keep, quartiles

from vitruvian.core.skeleton import skeleton
from vitruvian.kernels.nms import nms, soft_nms
from vitruvian.kernels.parametric_nms import PoseNms, parametric_nms
from vitruvian.kernels.pose_nms import oks_nms, soft_oks_nms
from vitruvian.nets.roi import roi_align

COUNTS = (100, 300, 1000)
SIGMAS = np.array(skeleton("coco17").sigmas)
SLOW = ("pairs", "samples")
POSE_NMS = PoseNms(floor=0.0)


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
        "scores": (score := rng.uniform(0.05, 1, count)),
        "keypoints": (score[:, None] + rng.uniform(-0.05, 0.05, (count, 17))).clip(0.01, 1),
        "features": rng.normal(size=(1, 16, 125, 125)).astype(np.float32),
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


def soft_oks_pairs(poses: np.ndarray, scores: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The 20 best of the Gaussian decay, one pair at a time."""
    left, order = dict(enumerate(scores.tolist())), []
    while left and len(order) < 20:
        best = max(left, key=left.__getitem__)
        if left.pop(best) < 0.001:
            break
        order.append(best)
        for i in left:
            alike = pair_oks(poses[best], poses[i], (area[best] + area[i]) / 2)
            left[i] *= np.exp(-(alike**2) / 0.9)
    return np.array(order)


def soft_oks_rest(poses: np.ndarray, scores: np.ndarray, area: np.ndarray) -> np.ndarray:
    left, order, everybody = scores.copy(), [], np.arange(len(scores))
    while left.max() >= 0.001 and len(order) < 20:
        best = int(left.argmax())
        order.append(best)
        left *= np.exp(-(rest_oks(poses, area, best, everybody) ** 2) / 0.9)
        left[order] = 0
    return np.array(order)


def merged(
    poses: np.ndarray, values: np.ndarray, boxes: np.ndarray, block: Callable[[int], int]
) -> np.ndarray:
    """AlphaPose's rule; ``block(left)`` of the rest are compared with the best at a time."""
    reach = 0.1 * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    rest, kept = np.argsort(-values.mean(axis=1), kind="stable"), []
    while len(rest):
        best, same = rest[0], []
        for start in range(0, len(rest), block(len(rest))):
            some = rest[start : start + block(len(rest))]
            distance = np.sqrt(((poses[some] - poses[best]) ** 2).sum(axis=2))
            sure = np.tanh(values[best]) * np.tanh(values[some])
            alike = (sure * (distance <= 1)).sum(axis=1)
            alike += POSE_NMS.balance * np.exp(-distance / POSE_NMS.distance_scale).sum(axis=1)
            near = (distance <= min(reach[best], POSE_NMS.match_reach)).sum(axis=1)
            same.append((alike > POSE_NMS.threshold) | (near >= POSE_NMS.matches))
        gone = np.concatenate(same)
        gone[0] = True
        group = rest[gone]
        apart = np.sqrt(((poses[group] - poses[best]) ** 2).sum(axis=2))
        weight = np.where(apart <= min(reach[best], POSE_NMS.merge_reach), values[group], 0)
        share = weight / weight.sum(axis=0)
        kept.append((share[..., None] * poses[group]).sum(axis=0))
        rest = rest[~gone]
    return np.array(kept)


def align_samples(features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """RoIAlign's definition, torchvision's: a loop over boxes, bins and four samples in each."""
    (maps,) = features
    found = np.zeros((len(boxes), len(maps), 7, 7), np.float32)
    last = np.array(maps.shape[1:]) - 1
    for box, out in zip(boxes / 16, found, strict=True):
        step = np.maximum(box[2:] - box[:2], 1) / 7
        for row, column, i, j in np.ndindex(7, 7, 2, 2):
            x, y = box[:2] + step * [column + (j + 0.5) / 2, row + (i + 0.5) / 2]
            if min(x, y) < -1 or y > last[0] + 1 or x > last[1] + 1:
                continue
            x, y = min(max(x, 0), last[1]), min(max(y, 0), last[0])
            x0, y0 = int(x), int(y)
            x1, y1 = min(x0 + 1, last[1]), min(y0 + 1, last[0])
            right, down = x - x0, y - y0
            above = maps[:, y0, x0] * (1 - right) + maps[:, y0, x1] * right
            below = maps[:, y1, x0] * (1 - right) + maps[:, y1, x1] * right
            out[:, row, column] += (above * (1 - down) + below * down) / 4
    return found


def align_ours(features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        rois = torch.from_numpy(boxes.astype(np.float32))[None]
        level = torch.zeros(rois.shape[:2], dtype=torch.long)
        return roi_align([torch.from_numpy(features)], rois, level, (16,), 7)[0].numpy()


def contenders(data: dict[str, np.ndarray]) -> dict[str, dict[str, Callable[[], np.ndarray]]]:
    boxes, poses, area, scores = (data[k] for k in ("boxes", "poses", "area", "scores"))
    values, features = data["keypoints"], data["features"]
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
        "soft OKS NMS, 20 best": {
            "ours": lambda: soft_oks_nms(poses, scores, area, SIGMAS)[0],
            "one against the rest": lambda: soft_oks_rest(poses, scores, area),
            "pairs": lambda: soft_oks_pairs(poses, scores, area),
        },
        "parametric pose NMS": {
            "ours": lambda: parametric_nms(poses, values, boxes, POSE_NMS)[1],
            "one against the rest": lambda: merged(poses, values, boxes, lambda left: left),
            "pairs": lambda: merged(poses, values, boxes, lambda _: 1),
        },
        "RoIAlign": {
            "ours": lambda: align_ours(features, boxes),
            "samples": lambda: align_samples(features, boxes),
        },
    }


def milliseconds(function: Callable[[], np.ndarray], repeats: int) -> list[float]:
    """Processor time of a call, each the mean of as many as take 10 ms."""
    times, calls = [], 1
    for _ in range(repeats + 1):
        began = time.process_time()
        for _ in range(calls):
            function()
        times.append(1000 * (time.process_time() - began) / calls)
        calls = max(1, round(10 / times[0]))
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    rows = []
    for count in COUNTS:
        for kernel, ways in contenders(people(count)).items():
            kept = [way() for way in ways.values()]
            if not all(np.allclose(other, kept[0], rtol=1e-4, atol=1e-4) for other in kept):
                raise SystemExit(f"{kernel}, {count}: the results differ")
            spent = {
                name: quartiles(milliseconds(way, 3 if name in SLOW else args.repeats))
                for name, way in ways.items()
            }
            ours = spent["ours"]["median"]
            times = {n: round(t["median"] / ours, 1) for n, t in spent.items() if n != "ours"}
            row = {"kernel": kernel, "candidates": count, "kept": len(kept[0])}
            rows.append(row | {"milliseconds": spent, "times faster than": times})
    keep(args.out, {"rows": rows})


if __name__ == "__main__":
    main()
