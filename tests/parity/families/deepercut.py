"""DeeperCut: the codec ``pairwise`` and its solver. Its networks are Caffe's and TensorFlow's."""

import json
import re
from pathlib import Path

import numpy as np

from tests.parity.kinds import Row
from vitruvian.codecs.pairwise import Pairwise
from vitruvian.core.skeleton import skeleton
from vitruvian.kernels.multicut import objective, solve

_SIDE = 8


def _rows(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in values)


def codec_of(scenes: dict[str, np.ndarray]) -> Pairwise:
    """The codec with the statistics and the models of a fixture."""
    bones, cfg = skeleton("coco17"), json.loads(str(scenes["meta"]))["cfg"]
    start, stop = scenes["stats_pairs"].T
    order = np.argsort((len(bones) - 1) * start + stop - (start < stop))
    names = bones.keypoints
    return Pairwise(
        skeleton=bones,
        unit=float(cfg["locref_stdev"]),
        radius=float(cfg["pos_dist_thresh"]),
        floor=float(cfg["det_min_score"]),
        apart=int(cfg["nms_radius"]),
        offsets=_rows(np.concatenate([scenes["stats_mean"], scenes["stats_std"]], axis=1)[order]),
        graph=tuple((names[a], names[b]) for a, b in scenes["spatial_pairs"].tolist()),
        weights=_rows(scenes["spatial_w"]),
        low=_rows(scenes["spatial_X_min"]),
        high=_rows(scenes["spatial_X_max"]),
        seconds=60.0,
    )


def fields_of(scenes: dict[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
    """The network's outputs in a scene."""
    chance, locref, steps = (
        scenes[f"{name}_{i}"].astype(np.float32).transpose(2, 0, 1)[None]
        for name in ("prob", "locref", "pairwise")
    )
    with np.errstate(divide="ignore"):
        logit = np.log(chance.astype(np.float64) / (1 - chance))
    return {"heatmap": logit.astype(np.float32), "locref": locref, "pairwise": steps}


def _decode(path: Path) -> Row:
    """People of all scenes; per scene the largest distance / 100 px, and what our grouping of the
    authors' candidates costs more than theirs, as a fraction of it."""
    with np.load(path) as file:
        scenes = dict(file)
    codec, ours, authors, gaps = codec_of(scenes), 0, 0, []
    for i in range(int(scenes["n_scenes"])):
        gaps.append(_worse(scenes, i))
        if f"prob_{i}" not in scenes:
            continue
        maps = fields_of(scenes, i)
        size = tuple(_SIDE * cells for cells in maps["heatmap"].shape[2:])
        (found,) = codec.decode(maps, (size[0], size[1]))
        theirs = scenes[f"person_conf_{i}"]
        theirs = np.where((theirs == 0).all(axis=2, keepdims=True), np.nan, theirs)
        ours, authors = ours + len(found.xy), authors + len(theirs)
        gaps += [_nearest(person, theirs) / 100 for person in found.xy]
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(gaps))


def _worse(scenes: dict[str, np.ndarray], i: int) -> float:
    unary, cost = scenes[f"unary_cost_{i}"][:, 0], scenes[f"pair_cost_{i}"][:, 0]
    pairs = scenes[f"pair_index_{i}"].astype(np.int64)
    real = pairs[:, 0] != pairs[:, 1]
    theirs = objective(scenes[f"labels_{i}"][:, 1].astype(np.int64), unary, pairs[real], cost[real])
    ours = solve(unary, pairs[real], cost[real], seconds=60.0)
    return max(ours.objective - theirs, 0.0) / abs(theirs)


def _nearest(person: np.ndarray, others: np.ndarray) -> float:
    """Largest distance of a keypoint to the person's nearest twin with the same keypoints."""
    same = [o for o in others if np.array_equal(np.isnan(o), np.isnan(person))]
    return min((float(np.nanmax(np.abs(person - o))) for o in same), default=np.inf)


def _encode(path: Path) -> Row:
    """Scenes, and the largest difference of values and of weights, as fractions of the scale."""
    count, gaps = 17, []
    rows = [(a - b, 0.5 * b, 30 + a, 40 + b) for a in range(count) for b in range(count) if a != b]
    codec = Pairwise(skeleton=skeleton("coco17"), offsets=_rows(np.array(rows, float)))
    with np.load(path) as file:
        scenes = dict(file)
    numbers = sorted(int(key[3:]) for key in scenes if re.fullmatch(r"gt_\d+", key))
    numbers = [i for i in numbers if f"scmap_{i}" in scenes]
    for i in numbers:
        people = scenes[f"gt_{i}"]
        theirs = {
            name: scenes[f"{name}_{i}"].transpose(2, 0, 1).astype(np.float32)
            for name in ("scmap", "locref", "locref_mask", "pairwise", "pairwise_mask")
        }
        size = (_SIDE * theirs["scmap"].shape[1], _SIDE * theirs["scmap"].shape[2])
        ours = codec.encode(
            people[..., :2].astype(np.float32),
            (people[..., 2] > 0).astype(np.uint8),
            size,
            boxes=np.zeros((len(people), 4), np.float32),
            trust=np.ones(size, np.float32),
        )
        pairs = [(ours["heatmap"].value, theirs["scmap"])]
        for name in ("locref", "pairwise"):
            pairs += [(ours[name].value, theirs[name]), (ours[name].weight, theirs[f"{name}_mask"])]
        gaps.append(max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1)) for a, b in pairs))
    return Row(name=path.stem, ours=len(numbers), authors=len(numbers), differences=tuple(gaps))


CHECKS = {r"decode-deepercut": _decode, r"fn-encoder-deepercut": _encode}
