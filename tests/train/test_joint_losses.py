from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from tests.nets.test_faster_rcnn import tiny as tiny_boxes
from vitruvian.codecs.anchors import Anchors
from vitruvian.codecs.located import Located
from vitruvian.codecs.points import Points
from vitruvian.codecs.proposals import Proposals
from vitruvian.codecs.roi_keypoints import RoiKeypoints
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import skeleton
from vitruvian.nets.mask_rcnn import KeypointHead, MaskRCNN
from vitruvian.nets.rtmo import RTMO, Classifier, CSPDarknet, Head, Neck
from vitruvian.systems.rtmdet import rtmdet_nano_person_320
from vitruvian.train import joint_losses
from vitruvian.train.assign import Assignment
from vitruvian.train.feed import Batch
from vitruvian.train.joint_losses import _bin_likelihood, giou, multibox, rtmdet, two_stage
from vitruvian.train.loop import total_loss

SIZE = (64, 64)


def _batch(codec, *people) -> tuple[dict, dict]:
    trust = np.ones((8, 8), np.float32)
    rows = [codec.encode(np.array(p, np.float32).reshape(-1, 4), trust, SIZE) for p in people]
    names = rows[0]
    values = {n: np.stack([row[n].value for row in rows]) for n in names}
    return values, {n: np.stack([row[n].weight for row in rows]) for n in names}


def _tensors(part: dict) -> dict:
    return {name: torch.from_numpy(array) for name, array in part.items()}


def _stage(batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    new = partial(torch.randn, generator=rng)
    stage = {f"score{s}": new(batch, 1, 64 // s, 64 // s) for s in (8, 16, 32)}
    stage |= {f"box{s}": new(batch, 4, 64 // s, 64 // s).abs() * 20 for s in (8, 16, 32)}
    return {name: x.requires_grad_() for name, x in stage.items()}


def test_giou_of_known_pairs():
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]])
    assert giou(a, b).tolist() == pytest.approx([1, 1 / 3, 0])


def test_rtmdet_teaches_boxes_where_people_are_and_nobody_elsewhere():
    targets, weights = (_tensors(part) for part in _batch(Points(), [[8, 8, 56, 56]], []))
    stage = _stage(2)

    sum(rtmdet(stage, targets, weights).values()).backward()

    moved = [stage[f"box{s}"].grad.abs().sum(dim=1) > 0 for s in (8, 16, 32)]
    assert 1 <= sum(int(m[0].sum()) for m in moved) <= 13
    assert not any(m[1].any() for m in moved)
    assert all((stage[f"score{s}"].grad[1] > 0).all() for s in (8, 16, 32))


def test_rtmdet_learns_nothing_from_what_is_ignored():
    values, weights = _batch(Points(), [])
    values["trust"][0, 0, :4] = 0
    stage = _stage(1)
    sum(rtmdet(stage, _tensors(values), _tensors(weights)).values()).backward()
    assert (stage["score8"].grad[0, 0, :4] == 0).all()
    assert (stage["score8"].grad[0, 0, 4:] != 0).all()
    assert (stage["score16"].grad[0, 0, :2] == 0).all()


def test_rtmdet_reaches_zero_for_the_right_answer():
    values, weights = _batch(Points(strides=(32,)), [[4, 4, 60, 60]])
    stage = {"score32": torch.full((1, 1, 2, 2), -40.0), "box32": torch.zeros(1, 4, 2, 2)}
    stage["score32"][0, 0, 1, 1] = 40
    stage["box32"][0, :, 1, 1] = 28
    terms = rtmdet(stage, _tensors(values), _tensors(weights))
    assert {name: float(x) for name, x in terms.items()} == pytest.approx({"score": 0, "box": 0})


def _two_stage(logits: float) -> dict[str, torch.Tensor]:
    """An anchor and a proposal at each of two places, all taken for people."""
    roi = torch.tensor([[0.0, 0, 32, 32], [32, 32, 64, 64], [0, 0, 0, 0]]).T[None, ..., None]
    score = torch.zeros(1, 2, 3, 1)
    score[:, 1] = logits
    return {
        "roi": roi,
        "score": score.requires_grad_(),
        "box": torch.zeros(1, 8, 3, 1).requires_grad_(),
        "anchor": roi[:, :, :2],
        "anchor_score": torch.full((1, 1, 2, 1), logits).requires_grad_(),
        "anchor_box": torch.zeros(1, 4, 2, 1).requires_grad_(),
    }


def test_two_looks_that_are_right_cost_nothing():
    values, weights = _batch(Proposals(), [[0, 0, 32, 32], [32, 32, 64, 64]])
    terms = two_stage(_two_stage(50.0), _tensors(values), _tensors(weights))
    assert {n: float(x.detach()) for n, x in terms.items()} == pytest.approx(
        dict.fromkeys(terms, 0)
    )


def test_two_looks_cost_what_the_definition_says():
    values, weights = _batch(Proposals(), [[0, 0, 32, 32]])
    values["trust"][0, 0, 4:] = 0.5
    stage = _two_stage(2.0)
    terms = two_stage(stage, _tensors(values), _tensors(weights))
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert float(terms["anchor_score"].detach()) == pytest.approx((right + 0.5 * wrong) / 2)
    assert float(terms["score"].detach()) == pytest.approx((right + 0.5 * wrong) / 2)
    moved, weights_ = _batch(Proposals(), [[0, 0, 32 * np.e**0.2, 32]])
    terms = two_stage(stage, _tensors(moved), _tensors(weights_))
    shift = (np.e**0.2 - 1) / 2
    near = 0.5 * 9 * shift**2 if shift < 1 / 9 else shift - 1 / 18
    assert float(terms["anchor_box"].detach()) == pytest.approx((near + 0.2 - 1 / 18) / 2, rel=1e-4)
    assert float(terms["box"].detach()) == pytest.approx((10 * shift + 1 - 1 / 9) / 2, rel=1e-4)


def test_two_looks_at_a_picture_without_people_teach_no_box():
    values, weights = _batch(Proposals(), [])
    stage = _two_stage(2.0)
    sum(two_stage(stage, _tensors(values), _tensors(weights)).values()).backward()
    assert (stage["score"].grad[0, 1, :2] > 0).all()
    assert stage["score"].grad[0, :, 2].abs().max() == 0
    assert stage["box"].grad.abs().max() == stage["anchor_box"].grad.abs().max() == 0


def test_multibox_teaches_three_of_nobody_for_each_with_a_person():
    codec = Anchors(strides=(32,), sizes=(32.0, 64.0), ratios=((2.0,),), overlap=0.99)
    values, weights = _batch(codec, [[0, 0, 32, 32]], [])
    stage = {
        "score32": torch.zeros(2, 8, 2, 2).requires_grad_(),
        "box32": torch.zeros(2, 16, 2, 2).requires_grad_(),
    }
    terms = multibox(stage, _tensors(values), _tensors(weights))
    sum(terms.values()).backward()
    assert float(terms["score"].detach()) == pytest.approx(5 * np.log(2))
    moved = stage["score32"].grad.abs().flatten(2) > 0
    assert moved.flatten(1).sum(dim=1).tolist() == [8, 2]
    assert (stage["box32"].grad[1] == 0).all()


BONES = skeleton("coco17")


def _scene(codec, people: int) -> tuple[dict, dict]:
    """Two pictures, the second without anybody."""
    box = np.float32([[8, 8, 56, 56]])[:people]
    xy = np.random.default_rng(0).uniform(10, 50, (people, len(BONES), 2)).astype(np.float32)
    visible, trust = np.full(xy.shape[:2], 2, np.uint8), np.ones(SIZE, np.float32)
    rows = [
        codec.encode(xy[:n], visible[:n], SIZE, boxes=box[:n], trust=trust) for n in (people, 0)
    ]
    values = {n: np.stack([row[n].value for row in rows]) for n in rows[0]}
    weights = {n: np.stack([row[n].weight for row in rows]) for n in rows[0]}
    return _tensors(values), _tensors(weights)


@pytest.mark.parametrize("people", [1, 0])
@pytest.mark.parametrize("name", ["mask_rcnn", "rtmo"])
def test_networks_of_keypoints_learn_from_scenes_and_from_empty_ones(name, people):
    torch.manual_seed(0)
    if name == "mask_rcnn":
        codec = RoiKeypoints(skeleton=BONES, people=4)
        net = MaskRCNN(tiny_boxes(), KeypointHead(8, len(BONES), width=8, depth=1), people=4)
    else:
        codec, trunk = Located(skeleton=BONES, people=4), CSPDarknet(0.125, 0.1)
        neck = Neck(trunk.widths[1:], 16, hidden=32, wide=16, width=8, blocks=1)
        parts = Head(16, len(BONES), 8, 2, depth=1), Classifier(8, len(BONES), 8, (6, 8))
        net = RTMO(trunk, neck, *parts, taught=5)
    targets, weights = _scene(codec, people)
    images, steps = torch.randn(2, 3, *SIZE), []
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(6):
        (stage,) = net.train()(images, boxes=targets["boxes"])
        terms = getattr(joint_losses, name)(stage, targets, weights)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        steps.append({key: float(term.detach()) for key, term in terms.items()})
    totals = [sum(step.values()) for step in steps]
    assert np.isfinite(totals).all()
    assert min(totals[-2:]) < totals[0]
    assert (steps[0]["box"] > 0) == bool(people)


def test_likelihood_is_largest_where_the_bins_are_right():
    frame = torch.tensor([[30.0, 30, 40, 40]])
    here = {"index": torch.zeros(1, 1), "frame": frame, "sigma": torch.full((1, 1), 0.1)}
    given = Assignment(person=torch.zeros(1, dtype=torch.long), iou=torch.ones(1))
    boxes, xy = torch.tensor([[10.0, 10, 50, 50]]), torch.tensor([[[20.0, 40.0]]])
    losses = []
    for right in (1, 3):  # bins at 10, 20, 30, 40 and 50
        bins = torch.zeros(1, 5)
        bins[0, right], down = 50, torch.zeros(1, 5)
        down[0, 3] = 50
        maps = here | {"bins_x": bins, "bins_y": down}
        losses.append(float(_bin_likelihood(maps, given, boxes, xy, torch.ones(1, 1))))
    assert losses[0] == pytest.approx(-np.log(100 + 1e-4), abs=1e-5)
    assert losses[1] == pytest.approx(-np.log(100 * np.exp(-20 / 8) + 1e-4), abs=1e-4)


def test_the_loop_takes_a_joint_loss_by_name():
    values, weights = _batch(Points(), [[8, 8, 56, 56]])
    batch = Batch(images=np.zeros((1, 1)), values=values, weights=weights, rows=np.zeros(1))
    recipe = rtmdet_nano_person_320().recipe
    stages = [_stage(1), _stage(1, seed=1)]

    total, parts = total_loss(stages, batch, replace(recipe, stage_weights=(1.0, 0.5)))

    alone = [sum(rtmdet(s, _tensors(values), _tensors(weights)).values()) for s in stages]
    expected = (alone[0] + 0.5 * alone[1]).detach()
    assert float(total.detach()) == pytest.approx(float(expected))
    assert set(parts) == {"loss_score", "loss_box"}
    with pytest.raises(ConfigError, match="no loss named 'rtmdat'"):
        total_loss(stages, batch, replace(recipe, loss="rtmdat", stage_weights=(1.0, 1.0)))
