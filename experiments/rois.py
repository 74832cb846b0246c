"""Teach the keypoint head of Mask R-CNN's small form on frozen features and keep its weights.

python experiments/rois.py --train coco:TRAIN.json@IMAGES --trunk pose.safetensors \
    --detector person.safetensors --keep FOLDER

Features of each picture are computed once, in boxes that are shaken four times over; the head
begins as the pose network's last layer and learns from them in several passes. ``vitruvian
evaluate`` measures what ``vitruvian export`` makes of the weights.
"""

import argparse
import logging
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vitruvian.core.config import to_json
from vitruvian.datasets import open_dataset
from vitruvian.nets import convert
from vitruvian.nets.small import IMAGENET
from vitruvian.systems.mask_rcnn import mask_rcnn_s
from vitruvian.systems.spec import System
from vitruvian.train.checkpoint import write_tensors
from vitruvian.train.device import Normalised
from vitruvian.train.everybody import Everybody
from vitruvian.train.feed import epoch_order
from vitruvian.train.joint_losses import roi_keypoints
from vitruvian.train.loop import build
from vitruvian.train.optim import Average, clip_gradients, learning_rate, make_optimizer, set_rate

COPIES = 4
"""Boxes of a person."""
MOST = 4
"""People of a picture that are learnt from."""
Row = dict[str, np.ndarray]
_log = logging.getLogger(__name__)


@torch.inference_mode()
def read(net: nn.Module, page: System, data: str, count: int, seed: int) -> list[Row]:
    """Features in shaken boxes of so many drawn pictures, and the labels."""
    people = Everybody([open_dataset(data)], page)
    order = epoch_order(people.groups, {"coco": 0.4, "lsp": 0.15}, count, _rng(seed, 0))
    view, found = Normalised(net.trunk, page.input), []
    for number, row in enumerate(order):
        image, targets = people.item(int(row), _rng(seed, 1, number))
        features, _ = view.stages(torch.from_numpy(image[None]))
        boxes = torch.from_numpy(targets["boxes"].value[:, :MOST]).repeat(1, COPIES, 1)
        rois = net.shaken(boxes, page.input.size)
        known = targets["boxes"].weight[0, :MOST]
        found.append(
            {
                "read": net.read(features, rois)[0].half().numpy(),
                "roi": rois[0].numpy(),
                "boxes": targets["boxes"].value[0, :MOST],
                "known_boxes": known,
                "xy": targets["xy"].value[:MOST],
                "known": targets["xy"].weight[:MOST],
            }
        )
        if number % 100 == 0:
            _log.info("picture %d", number)
    return found


def teach(net: nn.Module, page: System, rows: list[Row]) -> list[float]:
    """Mean loss of each pass; the head's averaged weights are in the network afterwards."""
    recipe, head, losses = page.recipe, nn.ModuleList([net.direct, net.keypoints]).train(), []
    optimizer, average = make_optimizer(head, recipe), Average(head, recipe.ema)
    steps = len(rows) // recipe.batch
    with torch.inference_mode():
        _log.info("before: loss %.3f", float(_loss(net, rows[:32])))
    for epoch in range(recipe.epochs):
        order, total = _rng(recipe.seed, 2, epoch).permutation(len(rows)), 0.0
        for step in range(steps):
            batch = [rows[i] for i in order[step * recipe.batch : (step + 1) * recipe.batch]]
            set_rate(optimizer, learning_rate(recipe, epoch * steps + step, steps))
            loss = _loss(net, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_gradients(head.parameters(), recipe.clip_norm)
            optimizer.step()
            average.update(head)
            total += float(loss.detach())
        losses.append(total / steps)
        _log.info("pass %d: loss %.3f", epoch, losses[-1])
    head.load_state_dict(average.values)
    return losses


def _loss(net: nn.Module, batch: list[Row]) -> Tensor:
    """Cross-entropy in the boxes of a batch of pictures; boxes of nobody are not computed."""
    stacked = {k: torch.from_numpy(np.stack([row[k] for row in batch])) for k in batch[0]}
    real = (stacked["roi"][..., 2:] > stacked["roi"][..., :2]).all(-1)
    maps = net.logits(stacked["read"][real].float()).flatten(2)
    full = maps.new_zeros(*real.shape, *maps.shape[1:])
    full[real] = maps
    stage = {
        "roi": stacked["roi"].transpose(1, 2)[..., None],
        "keypoint": full.flatten(1, 2)[..., None],
    }
    targets = {"boxes": stacked["boxes"][:, None], "xy": stacked["xy"]}
    weights = {"boxes": stacked["known_boxes"][:, None], "xy": stacked["known"]}
    return roi_keypoints(stage, targets, weights)["keypoint"]


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def main() -> None:
    """Read, teach, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, help="READER:WHERE of the training data")
    parser.add_argument("--trunk", type=Path, required=True, help="weights of vitruvian_pose_s")
    parser.add_argument("--detector", type=Path, required=True, help="… of vitruvian_person_s")
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4, help="pictures of an optimiser's step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, required=True, help="folder for the weights")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    page = mask_rcnn_s()
    recipe = replace(page.recipe, epochs=args.epochs, seed=args.seed, batch=args.batch)
    page = replace(page, recipe=recipe)
    began, net = time.process_time(), build(page)
    convert.load(net.spotter, convert.read(args.detector))
    pose = convert.read(args.trunk)
    convert.load(net.trunk, pose, IMAGENET)
    net.direct.load_state_dict({k: pose[f"head.{k}"] for k in ("weight", "bias")})
    net.eval().people = COPIES * MOST
    rows = read(net, page, args.train, args.pictures, args.seed)
    losses = teach(net, page, rows)
    about = {
        "command": shlex.join(["python", "experiments/rois.py", *sys.argv[1:]]),
        "data": [args.train],
        "pictures": args.pictures,
        "losses": losses,
        "seconds": round(time.process_time() - began),
        "features": "vitruvian_pose_s and vitruvian_person_s, frozen",
    }
    args.keep.mkdir(parents=True, exist_ok=True)
    meta = {"system": to_json(page), "provenance": about}
    write_tensors(args.keep / f"{page.name}.safetensors", dict(net.state_dict()), meta)


if __name__ == "__main__":
    main()
