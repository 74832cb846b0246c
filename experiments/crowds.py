"""Suppression and scores in crowds: boxes by IoU, poses by OKS, merged poses; box or pose scores.

python experiments/crowds.py --val coco:VAL.json@IMAGES [-o experiments/crowds.json]

Crowds are pasted: rectangles around people of the validation data, scaled and laid over each other;
a keypoint under a later rectangle is not labelled. The bundled detector and pose network run once,
without any suppression; then every way of suppressing and scoring sees the same poses. ``copies``
adds two shaken boxes for each, as a detector whose suppression is loose would. AP over OKS
.50:.05:.95; 95 % intervals of a bootstrap over scenes; differences are paired.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from report import keep

import vitruvian
from vitruvian.core.poses import Poses
from vitruvian.core.types import Boxes
from vitruvian.core.view import View
from vitruvian.datasets import open_dataset
from vitruvian.image.read import read
from vitruvian.image.warp import warp
from vitruvian.kernels.nms import nms
from vitruvian.kernels.oks import oks
from vitruvian.kernels.parametric_nms import PoseNms, parametric_nms
from vitruvian.kernels.pose_nms import oks_nms, soft_oks_nms

SIZE = (384, 512)
THRESHOLDS = np.arange(50, 100, 5) / 100
Ways = dict[str, Callable[[Poses], Poses]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A pasted picture.

    Attributes:
        image: H W 3.
        xy: N K 2 image pixels; NaN where hidden or not labelled.
        area: N square pixels.
    """

    image: np.ndarray
    xy: np.ndarray
    area: np.ndarray


def pasted(samples: list, people: int, rng: np.random.Generator) -> Scene:
    """Rectangles with one person each, later ones over earlier ones."""
    height, width = SIZE
    image = np.full((height, width, 3), rng.integers(60, 190, 3), np.uint8)
    xys, areas = [], []
    centre = rng.uniform(0.3, 0.7, 2) * [width, height]
    for sample in rng.permutation(np.array(samples, object))[:people]:
        box = sample.boxes[0].astype(np.float64)
        tall = int(rng.uniform(130, 240))
        wide = max(8, round(tall * (box[2] - box[0]) / (box[3] - box[1])))
        view = View.crop(box, (tall, min(wide, 300)), padding=1.15)
        corner = centre - np.array(view.size[::-1]) / 2
        corner = np.clip(corner, 0, np.array([width, height]) - view.size[::-1]).astype(int)
        x, y = np.maximum(corner, 0)
        patch = warp(read(sample.path), view)[: height - y, : width - x]
        image[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
        xys = [hidden(xy, x, y, patch.shape) for xy in xys]
        placed = view.to_view(sample.xy[0]) + np.array([x, y])
        placed[sample.visible[0] == 0] = np.nan
        xys.append(placed)
        areas.append(float(sample.area[0]) * view.scale**2)
        centre = centre + rng.normal(0, 0.17, 2) * [width, height]
        centre = np.clip(centre, [60, 100], [width - 60, height - 100])
    seen = [np.isfinite(xy[:, 0]).sum() >= 5 for xy in xys]
    return Scene(image=image, xy=np.array(xys)[seen], area=np.array(areas)[seen])


def hidden(xy: np.ndarray, x: int, y: int, shape: tuple[int, ...]) -> np.ndarray:
    """Keypoints without those under a rectangle."""
    under = (xy >= [x, y]).all(1) & (xy < [x + shape[1], y + shape[0]]).all(1)
    return np.where(under[:, None], np.nan, xy)


def candidates(pose: vitruvian.Predictor, image: np.ndarray, copies: int, seed: int) -> Poses:
    """Every pose of every box."""
    (found,) = pose.detector([image])
    rng = np.random.default_rng(seed)
    boxes, scores = [found.xyxy], [found.scores]
    sides = np.tile(found.xyxy[:, 2:] - found.xyxy[:, :2], 2)
    for _ in range(copies):
        boxes.append(found.xyxy + rng.normal(0, 0.06, sides.shape) * sides)
        scores.append(found.scores * rng.uniform(0.6, 1, len(found)))
    every = Boxes(
        xyxy=np.concatenate(boxes).astype(np.float32),
        scores=np.concatenate(scores).astype(np.float32),
    )
    return pose.pose([image], [every], suppress=False)[0]


def by_oks(people: Poses, threshold: float) -> Poses:
    """What OKS suppression leaves."""
    return people[oks_nms(people.xy, people.score, extent(people), sigmas(people), threshold)]


def by_soft_oks(people: Poses) -> Poses:
    """What soft OKS suppression leaves, with its scores."""
    kept, score = soft_oks_nms(
        people.xy, people.score, extent(people), sigmas(people), threshold=0.9
    )
    return scored(people[kept], score)


def merged(people: Poses) -> Poses:
    """What the parametric pose NMS leaves."""
    groups, *_ = parametric_nms(people.xy, people.scores, people.boxes, PoseNms())
    return people[[int(group[0]) for group in groups]]


def sigmas(people: Poses) -> np.ndarray:
    """Of the keypoints."""
    return people.skeleton.oks_sigmas


def extent(people: Poses) -> np.ndarray:
    """Area of the boxes."""
    return np.prod(people.boxes[:, 2:] - people.boxes[:, :2], axis=1)


def scored(people: Poses, score: np.ndarray) -> Poses:
    """The same people with other scores."""
    return replace(people, score=np.asarray(score, np.float32))


SUPPRESSIONS: Ways = {
    "nothing": lambda p: p,
    "IoU 0.6": lambda p: p[nms(p.boxes, p.score, 0.6)],
    "IoU 0.45": lambda p: p[nms(p.boxes, p.score, 0.45)],
    "OKS 0.9": lambda p: by_oks(p, 0.9),
    "OKS 0.65": lambda p: by_oks(p, 0.65),
    "OKS 0.5": lambda p: by_oks(p, 0.5),
    "soft OKS 0.9": by_soft_oks,
    "pose NMS": merged,
}
BASE = "IoU 0.6"


def scores_of(box: np.ndarray, people: Poses) -> dict[str, np.ndarray]:
    """Scores of every person, by rule."""
    mean = people.scores.mean(1)
    sure = np.where(people.scores > 0.2, people.scores, 0)
    sure = sure.sum(1) / np.maximum((people.scores > 0.2).sum(1), 1)
    return {
        "box": box,
        "box x mean of sure keypoints": box * sure,
        "mean of keypoints": mean,
        "box + mean + 1.25 best": box + mean + 1.25 * people.scores.max(1),
    }


def matches(people: Poses, scene: Scene, threshold: float) -> np.ndarray:
    """N bool: who is the best pose, by score, of somebody not yet taken."""
    alike = oks(people.xy, scene.xy, scene.area[None], sigmas(people))
    right = np.zeros(len(people), bool)
    for i in np.argsort(-people.score, kind="stable"):
        best = int(alike[i].argmax()) if alike.shape[1] else 0
        if alike.shape[1] and alike[i, best] >= threshold:
            right[i], alike[:, best] = True, -1
    return right


def judged(found: list[Poses], scenes: list[Scene]) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Of each scene: scores N, right N T, number of people."""
    return [
        (p.score, np.stack([matches(p, s, t) for t in THRESHOLDS], 1), len(s.xy))
        for p, s in zip(found, scenes, strict=True)
    ]


def precision(rows: list[tuple[np.ndarray, np.ndarray, int]]) -> float:
    """AP: mean over thresholds of the area under the envelope of precision over recall."""
    scores = np.concatenate([r[0] for r in rows])
    right = np.concatenate([r[1] for r in rows])[np.argsort(-scores, kind="stable")]
    hits = right.cumsum(0)
    precise = hits / np.arange(1, len(hits) + 1)[:, None]
    envelope = np.maximum.accumulate(precise[::-1])[::-1]
    return float((envelope * right).sum(0).mean() / max(1, sum(r[2] for r in rows)))


def table(
    judgements: dict[str, list], base: str, metric: Callable[[list], float], name: str, setting: str
) -> list[dict[str, object]]:
    """A row per way: the metric, and how much better than the base."""
    rng, count = np.random.default_rng(0), len(judgements[base])
    draws = [rng.integers(0, count, count) for _ in range(300)]
    drawn = {
        way: np.array([metric([rows[i] for i in draw]) for draw in draws])
        for way, rows in judgements.items()
    }
    return [
        {
            "boxes": setting,
            "variant": way,
            name: _interval(metric(rows), drawn[way], count),
            f"minus {base}": None
            if way == base
            else _interval(
                metric(rows) - metric(judgements[base]), drawn[way] - drawn[base], count
            ),
        }
        for way, rows in judgements.items()
    ]


def _interval(value: float, drawn: np.ndarray, count: int) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = {"value": value, "low": float(low), "high": float(high)}
    return {k: round(100 * v, 2) for k, v in found.items()} | {"scenes": count}


def main() -> None:
    """Paste, find, suppress, score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--val", required=True, help="READER:WHERE of people to paste")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    samples = [s for s in open_dataset(args.val) if len(s) == 1 and s.source != "coco"]
    rng = np.random.default_rng(args.seed)
    scenes = [pasted(samples, args.people, rng) for _ in range(args.scenes)]
    pose = vitruvian.load(changes=["boxes.nms=1.0", "boxes.threshold=0.1"], threads=args.threads)
    rows: list[dict[str, object]] = []
    for copies, setting in ((0, "found"), (2, "found, and copies")):
        every = [candidates(pose, s.image, copies, i) for i, s in enumerate(scenes)]
        judgements = {
            way: judged([suppress(p) for p in every], scenes)
            for way, suppress in SUPPRESSIONS.items()
        }
        rows += table(judgements, BASE, precision, "AP", setting)
    every = [candidates(pose, s.image, 0, i) for i, s in enumerate(scenes)]
    boxes = [pose.detector([s.image])[0].scores for s in scenes]
    ranked: dict[str, list] = {}
    for box, people, scene in zip(boxes, every, scenes, strict=True):
        for way, score in scores_of(box, people).items():
            left = by_oks(scored(people, score), 0.65)
            ranked.setdefault(way, []).extend(judged([left], [scene]))
    rows += table(ranked, "box", precision, "AP", "found; OKS 0.65")
    people = sum(len(s.xy) for s in scenes)
    keep(
        args.out, "Crowds", rows, seed=args.seed, scenes=len(scenes), people=people,
        models=pose.provenance,
    )  # fmt: skip


if __name__ == "__main__":
    main()
