"""Losses of heat maps, suppression of people, and PCKh."""

import json
import re
from pathlib import Path

import numpy as np
import torch

from tests.parity.kinds import Check, Pair, Row, compared
from vitruvian.core.skeleton import skeleton
from vitruvian.kernels.nms import nms
from vitruvian.kernels.oks import oks
from vitruvian.kernels.pose_nms import oks_nms, soft_oks_nms
from vitruvian.metrics.pckh import pckh, pckh_table
from vitruvian.train.losses import joints_mse, joints_ohkm


def _joints_mse(path: Path) -> Row:
    """HRNet's, weighted and not, and of the hardest keypoints."""
    data = torch.load(path, weights_only=True)
    pred, target, weight = data["pred"], data["target"], data["weight"][..., None]
    pairs = []
    for end, weights in (("_w", weight), ("", torch.ones_like(weight))):
        pairs.append(Pair(ours=joints_mse(pred, target, weights), theirs=data[f"mse{end}"]))
        for key in (key for key in data if re.fullmatch(rf"ohkm\d+{end}", key)):
            hardest = int(key.removeprefix("ohkm").removesuffix("_w"))
            ours = joints_ohkm(pred, target, weights, hardest=hardest)
            pairs.append(Pair(ours=ours, theirs=data[key]))
    return compared(path, pairs)


def _mspn_loss(path: Path) -> Row:
    """Per stage coarse levels, seen keypoints only, and the finest with the hardest keypoints."""
    data = torch.load(path, weights_only=True)
    simple, total = data["simple"], data["total"]
    valid = (simple["valid"][..., None] > 0).float()
    pred, target = simple["pred"], simple["target"]
    seen = simple["valid"][..., None] > 1
    ours = 2 * joints_mse(pred, target * seen, torch.ones(1))
    pairs = [Pair(ours=ours, theirs=simple["l2"])]
    for key in (key for key in simple if key.startswith("ohkm")):
        ours = 2 * joints_ohkm(pred, target, valid, hardest=int(key.removeprefix("ohkm")))
        pairs.append(Pair(ours=ours, theirs=simple[key]))
    pairs.append(Pair(ours=_mspn_total(total), theirs=total["total_loss"]))
    return compared(path, pairs)


def _mspn_total(data: dict) -> torch.Tensor:
    valid, labels, hardest = data["valids"][..., None], data["labels"], int(data["config"]["topk"])
    seen, labelled, everywhere = valid > 1, (valid > 0).float(), torch.ones(1)
    found = torch.zeros(())
    for stage, levels in enumerate(data["outputs"]):
        shift = stage + 5 - len(data["outputs"]) - len(levels) + 1
        for level, output in enumerate(levels):
            target = labels[:, level + shift]
            if level < len(levels) - 1:
                found += 0.5 * joints_mse(output, target * seen, everywhere)
            else:
                found += 2 * joints_ohkm(output, target, labelled, hardest=hardest)
    return found


def _suppression(path: Path) -> Row:
    """Which poses and boxes stay, and how similar they are to the first."""
    sigmas, pairs = np.array(skeleton("coco17").sigmas), []
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        xy, areas = np.array(case["keypoints"])[..., :2], np.array(case["areas"])
        scores, boxes = np.array(case["scores"]), np.array(case["boxes"])
        first = oks(xy[:1], xy, (areas[:1, None] + areas[None]) / 2, sigmas)[0]
        pairs.append(Pair(ours=first, theirs=np.array(case["oks_from_0"])))
        for key, theirs in case.items():
            if not (found := re.fullmatch(r"(keep|soft_keep|nms)_([\d.]+)", key)):
                continue
            threshold = float(found[2])
            match found[1]:
                case "keep":
                    ours = oks_nms(xy, scores, areas, sigmas, threshold)
                case "soft_keep":
                    ours, _ = soft_oks_nms(xy, scores, areas, sigmas, threshold=threshold)
                case _:
                    ours = nms(boxes[:, :4], boxes[:, 4], threshold)
            pairs.append(Pair(ours=ours, theirs=np.array(theirs)))
    return compared(path, pairs, note="without their visibility threshold, which skips one mask")


def _pckh(path: Path) -> Row:
    """HRNet's table; its mean at a tenth of a head is really at eleven hundredths."""
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    people = skeleton("mpii16")
    truth = data["gt_1based"].transpose(2, 0, 1).copy()
    truth[data["jnt_missing"].T == 1] = np.nan
    heads = data["headboxes"].transpose(2, 0, 1).reshape(-1, 4)
    given = data["preds_0based"] + 1, truth, heads, people
    table = pckh_table(pckh(*given), people, head="top")
    table["mean@0.1"] = pckh(*given, alpha=0.11).pooled
    ours = 100 * np.array([table[str(name).lower()] for name in data["names"]])
    return compared(path, [Pair(ours=ours, theirs=data["values"])])


CHECKS: dict[str, Check] = {
    r"fn-joints_mse_loss": _joints_mse,
    r"fn-mspn-loss": _mspn_loss,
    r"fn-oks_nms": _suppression,
    r"fn-pckh": _pckh,
}
"""Start of a fixture's file name -> what runs it."""
