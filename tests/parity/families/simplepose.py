"""SimplePose: networks, the codec ``limbs`` and its loss."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.parity.kinds import Family, Row
from vitruvian.codecs.limbs import Limbs
from vitruvian.core.skeleton import skeleton
from vitruvian.nets import simplepose
from vitruvian.systems.simplepose import PARTS, SCALE_WEIGHTS
from vitruvian.train.losses import focal_l2

_SCALES = simplepose.SCALES


def _build(config: dict) -> nn.Module:
    """All outputs beyond the 20 maps that are no body parts are body parts."""
    return simplepose.simplepose(
        config["nstack"],
        config["oup_dim"] - 20,
        18,
        version="final" if config["file"].endswith("_final") else "posenet",
        width=config["inp_dim"],
        growth=config["increase"],
    )


def _finest_first(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    maps = [np.concatenate([*stage.values()], axis=1) for stage in stages]
    stacks = [maps[at : at + _SCALES] for at in range(0, len(maps), _SCALES)]
    return [scale for stack in stacks for scale in reversed(stack)]


def _codec(ends: list[list[int]], faithful: bool = True) -> Limbs:
    bones = skeleton("body18")
    parts = tuple((bones.keypoints[a], bones.keypoints[b]) for a, b in ends)
    return Limbs(skeleton=bones, limbs=parts, faithful=faithful)


def _decode(path: Path) -> Row:
    """People of all scenes, and per scene the largest distance / 100 px and score error."""
    with np.load(path) as file:
        scenes = dict(file)
    codec = _codec(json.loads(str(scenes["meta"]))["limbs"])
    ours, authors, gaps = 0, 0, []
    for i in range(int(scenes["n_scenes"])):
        maps = scenes[f"fields_{i}"].astype(np.float32)[None]
        size = (4 * maps.shape[2], 4 * maps.shape[3])
        (found,) = codec.decode({"limb": maps[:, :30], "heatmap": maps[:, 30:48]}, size)
        xy, score = theirs(scenes, i)
        ours, authors = ours + len(found.score), authors + len(score)
        same = np.isnan(found.xy).tobytes() == np.isnan(xy).tobytes()
        gaps.append(np.nanmax(np.abs(found.xy - xy), initial=0) / 100 if same else np.inf)
        gaps.append(np.abs(found.score - score).max(initial=0) if same else np.inf)
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(map(float, gaps)))


def theirs(scenes: dict[str, np.ndarray], i: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints N K 2 and scores of the authors' people of scene ``i``, best first."""
    score = scenes[f"people_{i}"][:, -1]
    order = np.argsort(-score, kind="stable")
    peaks = scenes[f"subset_{i}"][order, :18, 0].astype(np.int64)
    xy = np.full((*peaks.shape, 2), np.nan, np.float32)
    xy[peaks >= 0] = scenes[f"candidate_{i}"][peaks[peaks >= 0], :2]
    return xy, score[order].astype(np.float32)


def _encode(path: Path) -> Row:
    """Scenes, and the largest difference of the targets of each."""
    names = skeleton("body18").keypoints
    codec = _codec([[names.index(a), names.index(b)] for a, b in PARTS])
    with np.load(path) as file:
        count = len(file["people"])
        scenes = [(file[f"joints18_{i}"], file[f"target_{i}"]) for i in range(count)]
    gaps = []
    for joints, target in scenes:
        size = (4 * target.shape[1], 4 * target.shape[2])
        found = codec.encode(
            joints[..., :2].astype(np.float32),
            (joints[..., 2] < 2).astype(np.uint8),
            size,
            boxes=np.zeros((len(joints), 4), np.float32),
            trust=np.ones(size, np.float32),
        )
        ours = np.concatenate([target.value for target in found.values()])
        gaps.append(float(np.abs(ours - target).max()))
    return Row(name=path.stem, ours=count, authors=count, differences=tuple(gaps))


def _loss(path: Path) -> Row:
    """The authors' total from ours of every field, stack and scale."""
    data = torch.load(path, weights_only=True)
    factors = {"limb": (30, 1.0), "heatmap": (18, 3.0), "person": (1, 0.1), "foreground": (1, 1.0)}
    sizes = [size for size, _ in factors.values()]
    target, mask = data["target"].split(sizes, dim=1), data["mask_miss"]
    total = torch.zeros(())
    for stack in data["pred"]:
        for weight, maps in zip(SCALE_WEIGHTS, reversed(stack), strict=True):
            parts = zip(maps.float().split(sizes, dim=1), target, factors.values(), strict=True)
            total += sum(weight * f * focal_l2(part, aim, mask) for part, aim, (_, f) in parts)
    total /= len(data["pred"])
    gap = abs(float(total) - data["loss"]) / data["loss"]
    return Row(name=path.stem, ours=1, authors=1, differences=(gap,))


CHECKS = {
    r"decode-simplepose": _decode,
    r"fn-encoder-simplepose": _encode,
    r"fn-simplepose-focal-l2": _loss,
}

NETS = {
    r"simplepose-": Family(
        build=_build,
        layouts=simplepose.LAYOUTS,
        enter=lambda image: np.ascontiguousarray(image.transpose(0, 3, 1, 2)),
        leave=_finest_first,
    )
}
