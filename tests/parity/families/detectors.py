"""Detectors, and one-stage systems built like them."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.parity.kinds import Check, Family, Row
from vitruvian.codecs.points import boxes_around, grid_points
from vitruvian.kernels.nms import nms
from vitruvian.nets import rtmdet
from vitruvian.nets.cspnext import CSPNeXt
from vitruvian.train.assign import soft_labels


def _rtmdet(config: dict) -> nn.Module:
    trunk, neck, head = config["backbone"], config["neck"], config["bbox_head"]
    return rtmdet.RTMDet(
        CSPNeXt(
            trunk["widen_factor"], trunk["deepen_factor"], separable=trunk.get("use_depthwise")
        ),
        head["feat_channels"],
        neck["num_csp_blocks"],
        classes=head["num_classes"],
        separable=not head.get("share_conv", True),
        exponential=head["exp_on_reg"],
    )


def _values(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    return list(stages[-1].values())


NETS: dict[str, Family] = {
    "rtmdet": Family(build=_rtmdet, layouts=rtmdet.LAYOUTS),
}


def _check_rtmdet(path: Path) -> Row:
    """Points, boxes, what suppression keeps, and the assignment."""
    with np.load(path) as file:
        data = {key: file[key] for key in file.files if key != "meta"}
    levels = zip(((10, 8), (5, 4), (3, 2)), (8, 16, 32), strict=True)
    points = [grid_points(cells, stride, 0.0) for cells, stride in levels]
    strides = np.repeat([8.0, 16.0, 32.0], [len(p) for p in points]).astype(np.float32)
    points = np.concatenate(points)
    scores = 1 / (1 + np.exp(-data["logits"].astype(np.float64)))
    sure = np.flatnonzero(scores > 0.05)
    given = points, strides, data["logits"], data["boxes"], data["asg_gt"]
    found = soft_labels(*map(torch.from_numpy, given))
    taken = data["asg_gt_inds"] > 0
    pairs = [
        (points, data["points"]),
        (boxes_around(points, data["dist"]), data["boxes"]),
        (nms(data["boxes"], scores, 0.6), data["nms_keep"]),
        (sure[nms(data["boxes"][sure], scores[sure], 0.6)], data["nms_keep_thr05"]),
        (found.person.numpy() + 1, data["asg_gt_inds"]),
        (found.iou.numpy()[taken], data["asg_overlaps"][taken]),
    ]
    return compared(path, pairs)


def compared(path: Path, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Row:
    """The row of arrays of ours beside the authors'."""
    return Row(
        name=path.stem,
        ours=sum(ours.size for ours, _ in pairs),
        authors=sum(theirs.size for _, theirs in pairs),
        differences=tuple(
            float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))
            if ours.shape == theirs.shape
            else np.inf
            for ours, theirs in pairs
        ),
    )


CHECKS: dict[str, Check] = {"fn-rtmdet": _check_rtmdet}
