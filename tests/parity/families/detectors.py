"""Detectors, and one-stage systems built like them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.parity.kinds import Check, Family, Row
from vitruvian.codecs.points import boxes_around, grid_points
from vitruvian.codecs.roi_keypoints import roi_peaks
from vitruvian.kernels.nms import nms
from vitruvian.nets import convert, mask_rcnn, rtmdet, rtmo
from vitruvian.nets.count import parameters
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


class _Stage(nn.Module):
    """A module that is not a whole network, with its output as a stage."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return [{"keypoint": self.module(x)}]


def _keypoint_head(config: dict) -> nn.Module:
    layers = config["layers"]
    return _Stage(mask_rcnn.KeypointHead(256, 17, layers[0], len(layers)))


_KEYPOINT_HEAD = {
    name: tuple((pattern, f"module.{ours}") for pattern, ours in rules)
    for name, rules in mask_rcnn.HEAD.items()
}


def _values(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    return list(stages[-1].values())


NETS: dict[str, Family] = {
    "rtmdet": Family(build=_rtmdet, layouts=rtmdet.LAYOUTS),
    "keypoint-rcnn-head": Family(build=_keypoint_head, layouts=_KEYPOINT_HEAD),
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


def _check_keypoint_rcnn(path: Path) -> Row:
    """Peaks under both conventions of score, and the cells that training asks for."""
    data = torch.load(path, weights_only=True)
    rows = zip(data["maps"].numpy(), data["rois"].numpy(), strict=True)
    xy, logit, share = map(np.stack, zip(*(roi_peaks(*row) for row in rows), strict=True))
    theirs = data["detectron2_xy_logit_score"].numpy()
    keypoints = data["keypoints"]
    index, inside = mask_rcnn.keypoint_cells(keypoints[..., :2], data["rois"], maps_side(data))
    asked = inside & (keypoints[..., 2] > 0)
    row = compared(
        path,
        [
            (logit, theirs[..., 2]),
            (share, theirs[..., 3]),
            (logit, data["torchvision_scores"].numpy()),
            (asked.numpy().astype(int), data["d2_target_valid"].numpy()),
            ((index * asked).numpy(), (data["d2_target_index"] * data["d2_target_valid"]).numpy()),
        ],
    )
    pixels = [np.abs(xy - other).max() / 100 for other in (theirs[..., :2], _torchvision(data))]
    return replace(row, differences=(*map(float, pixels), *row.differences))


def _torchvision(data: dict[str, torch.Tensor]) -> np.ndarray:
    return data["torchvision_xy"][..., :2].numpy()


def maps_side(data: dict[str, torch.Tensor]) -> int:
    """Cells along a side of the fixture's maps."""
    return data["maps"].shape[-1]


def _rtmo(config: dict) -> rtmo.RTMO:
    trunk, neck, head = config["backbone"], config["neck"], config["head"]
    module, dcc, blocks = head["head_module_cfg"], head["dcc_cfg"], 3 * neck["deepen_factor"]
    width, vector = module["widen_factor"], module["pose_vec_channels"]
    darknet = rtmo.CSPDarknet(trunk["widen_factor"], trunk["deepen_factor"])
    return rtmo.RTMO(
        darknet,
        rtmo.Neck(
            darknet.widths[1:],
            neck["projector"]["out_channels"],
            hidden=neck["hidden_dim"],
            wide=neck["encoder_cfg"]["ffn_cfg"]["feedforward_channels"],
            width=int(256 * neck["widen_factor"]),
            blocks=max(round(blocks), 1),
        ),
        rtmo.Head(
            module["in_channels"],
            head["num_keypoints"],
            vector,
            int(module["channels_per_group"] * width),
            module["stacked_convs"],
        ),
        rtmo.Classifier(
            vector, head["num_keypoints"], dcc["feat_channels"], tuple(dcc["num_bins"])
        ),
    )


@torch.inference_mode()
def _check_rtmo(path: Path) -> Row:
    """Maps of both levels, boxes, and the keypoints of some cells in given boxes."""
    from tests.parity.runner import state_of

    with np.load(path) as file:
        data = dict(file)
    meta = json.loads(str(data["meta"]))
    net = _rtmo(meta["config"]).eval()
    convert.load(net, state_of(meta), rtmo.LAYOUTS)
    image = torch.from_numpy(data["input"].astype(np.float32))
    maps = net.head(net.neck(net.trunk(image)[1:]))
    flat, points, strides = net.cells(image)
    index, grids, boxes = (torch.from_numpy(data[f"out{i}"]) for i in (9, 10, 11))
    xy, x, y = net.dcc(flat["vector"][0, index.long()], boxes, grids)
    found = [m for name in ("score", "box", "visible", "vector") for m in maps[name]]
    found += [rtmo.rtmo_boxes(flat["box"], points, strides), points[index.long()]]
    found += [xy, x[: len(data["out13"])], y[: len(data["out14"])]]
    theirs = [data[f"out{i}"] for i in (*range(9), 10, 12, 13, 14)]
    row = compared(path, [(a.numpy(), b) for a, b in zip(found, theirs, strict=True)])
    return replace(row, ours=parameters(net), authors=meta["n_params"])


CHECKS: dict[str, Check] = {
    "net-rtmo": _check_rtmo,
    "fn-rtmdet": _check_rtmdet,
    "fn-keypoint-rcnn-decode": _check_keypoint_rcnn,
}
