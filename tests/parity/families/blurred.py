"""Megvii's heat maps, a blurred cell per keypoint: CPN and MSPN."""

import re
from pathlib import Path

import numpy as np

from tests.parity.kinds import PIXELS, Check, Pair, Row, compared, numbered
from vitruvian.codecs.blurred_heatmap import BlurredHeatmap
from vitruvian.core.view import View


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _mspn_targets(path: Path) -> Row:
    """Every width k of the file; a keypoint outside the view is not valid."""
    data, pairs = _load(path), []
    joints, valid = data["joints"].astype(np.float32), data["valid"].reshape(-1)
    size = tuple(map(int, data["input_shape"]))
    stride = size[0] // int(data["output_shape"][0])
    for key in (key for key in data if re.fullmatch(r"k\d+", key)):
        codec = BlurredHeatmap(
            skeleton=numbered(len(joints)), stride=stride, kernels=(int(key[1:]),)
        )
        target = codec.encode(joints, valid.astype(np.uint8), size)["heatmap"]
        pairs.append(Pair(ours=target.value, theirs=data[key]))
    return compared(path, pairs)


def _cpn_targets(path: Path) -> Row:
    """A keypoint a case, in cells."""
    data, pairs = _load(path), []
    for name in (key.removesuffix("_pt") for key in data if key.endswith("_pt")):
        h, w = data[name].shape
        codec = BlurredHeatmap(skeleton=numbered(1), kernels=(int(name.rsplit("k", 1)[1]),))
        xy = (data[f"{name}_pt"] * 4)[None].astype(np.float32)
        target = codec.encode(xy, np.full(1, 2, np.uint8), (4 * h, 4 * w))["heatmap"]
        pairs.append(Pair(ours=target.value[0], theirs=data[name]))
    return compared(path, pairs)


def _decoded(maps: np.ndarray, centres: np.ndarray, sides: np.ndarray, blur: int):
    """Image xy B K 2 of boxes (w, h) around centres, and scores B K."""
    size = (4 * maps.shape[2], 4 * maps.shape[3])
    codec = BlurredHeatmap(skeleton=numbered(maps.shape[1]), blur_kernel=blur)
    found = codec.decode({"heatmap": maps}, size)
    views = [
        View.around(centre.astype(float), (float(h), float(w)), size, align="legacy")
        for centre, (w, h) in zip(centres, sides, strict=True)
    ]
    xy = np.stack([view.to_image(xy) for view, xy in zip(views, found.xy, strict=True)])
    return xy, found.scores


def _mspn_decode(path: Path) -> Row:
    """Theirs adds 0.5 to the scores; ours are clipped to [0, 1]."""
    data, pairs = _load(path), []
    for key in (key for key in data if re.fullmatch(r"preds_k\d+", key)):
        blur = int(key.removeprefix("preds_k"))
        xy, scores = _decoded(data["heatmaps"], data["centers"], 200 * data["scales"], blur)
        value = (data[f"maxvals_k{blur}"][..., 0] - 0.5).clip(0, 1)
        pairs.append(Pair(ours=xy, theirs=data[key], scale=PIXELS))
        pairs.append(Pair(ours=scores, theirs=value, scale=1))
    return compared(path, pairs, note="without the second shift (s2), which no system here has")


def _cpn_decode(path: Path) -> Row:
    data = _load(path)
    boxes = data["crop_boxes_xyxy"]
    centres, sides = (boxes[:, 2:] + boxes[:, :2]) / 2, boxes[:, 2:] - boxes[:, :2]
    xy, scores = _decoded(data["heatmaps"], centres, sides, 21)
    pairs = [
        Pair(ours=xy, theirs=data["keypoints"][..., :2], scale=PIXELS),
        Pair(ours=scores, theirs=(data["scores"] - 0.5).clip(0, 1), scale=1),
    ]
    return compared(path, pairs)


CHECKS: dict[str, Check] = {
    r"fn-mspn-generate_heatmap": _mspn_targets,
    r"fn-cpn-generate_heatmap": _cpn_targets,
    r"fn-mspn-get_results": _mspn_decode,
    r"fn-cpn-decode": _cpn_decode,
}
"""Start of a fixture's file name -> what runs it."""
