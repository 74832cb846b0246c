"""Decoders and targets of OpenPose (as ported by Hzzone) and of lightweight OpenPose."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.parity.kinds import Row
from vitruvian.codecs.paf import Paf
from vitruvian.core.skeleton import skeleton
from vitruvian.core.types import Keypoints
from vitruvian.systems.lightweight_openpose import lightweight_openpose_coco18
from vitruvian.systems.openpose import openpose_coco18

DEMO = replace(lightweight_openpose_coco18().codec, faithful=True, assembly="extend")
DECODERS = {
    "hz": replace(openpose_coco18().codec, faithful=True, apart=0.0),
    "lw": replace(DEMO, enlarge=8, to_view=True),
    "lw4": DEMO,
}
"""Our settings of the three programmes; the first and the second enlarge maps to the picture."""


def decoder(path: Path) -> Row:
    """People, keypoints in pixels of the grid / 100, scores as a share of the highest."""
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        height, width = map(int, re.search(r"image (\d+)x(\d+)", meta["fields"]).groups())
        ours = authors = 0
        worst = [0.0, 0.0]
        for scene in range(int(file["n_scenes"])):
            maps = file[f"fields_{scene}"].astype(np.float32)[None]
            fields = {"heatmap": maps[:, :19], "paf": maps[:, 19:]}
            for name, codec in DECODERS.items():
                (found,) = codec.decode(fields, (height, width))
                xy, total = _theirs(file, name, scene)
                if name == "lw4":
                    xy = (xy + 0.5) * [width / (4 * maps.shape[3]), height / (4 * maps.shape[2])]
                    xy -= 0.5
                ours, authors = ours + len(found.xy), authors + len(xy)
                if len(found.xy) == len(xy):
                    worst = np.maximum(worst, _apart(found, xy, total))
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(map(float, worst)))


def _theirs(file, name: str, scene: int) -> tuple[np.ndarray, np.ndarray]:
    """The authors' people: N 18 2, NaN where nothing was found, and their total scores."""
    peaks, rows = ("hz_candidate", "hz_subset") if name == "hz" else (None, None)
    peaks, rows = peaks or f"{name}_all_keypoints", rows or f"{name}_pose_entries"
    places = np.append(file[f"{peaks}_{scene}"][:, :2], [[np.nan] * 2], axis=0)
    people = file[f"{rows}_{scene}"].reshape(-1, 20)
    return places[people[:, :18].astype(int)], people[:, 18]


def _apart(found: Keypoints, xy: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """Largest distance / 100 and largest difference of scores, each person beside the nearest."""
    if not len(xy):
        return 0.0, 0.0
    near = np.abs(np.nan_to_num(found.xy[:, None], nan=-1e3) - np.nan_to_num(xy, nan=-1e3))
    near = near.max(axis=(2, 3))
    mine = near.argmin(axis=0)
    once = len({*mine.tolist()}) == len(xy)
    score = found.score * (2 * found.xy.shape[1] - 1)
    difference = np.abs(score[mine] - total).max() / total.max()
    return (float(near.min(axis=0).max()) / 100 if once else np.inf), float(difference)


def encoder(path: Path) -> Row:
    """Targets of scenes of 368 x 368 pixels."""
    codec = Paf(skeleton=skeleton("body18"), faithful=True)
    worst, values = [0.0, 0.0], 0
    with np.load(path) as file:
        for scene in range(len(file["people"])):
            people, theirs = file[f"kps18_{scene}"], (file[f"heat_{scene}"], file[f"paf_{scene}"])
            size = tuple(codec.stride * n for n in theirs[0].shape[1:])
            seen = (people[:, :, 2] <= 1).astype(np.uint8)
            boxes, trust = np.zeros((len(people), 4), np.float32), np.ones(size, np.float32)
            xy = people[:, :, :2].astype(np.float32)
            targets = codec.encode(xy, seen, size, boxes=boxes, trust=trust)
            for i, (name, value) in enumerate(zip(("heatmap", "paf"), theirs, strict=True)):
                worst[i] = max(worst[i], float(np.abs(targets[name].value - value).max()))
                values += value.size
    return Row(name=path.stem, ours=values, authors=values, differences=tuple(worst))


CHECKS = {r"decode-openpose$": decoder, r"fn-encoder-openpose": encoder}
