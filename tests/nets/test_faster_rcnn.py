import re

import numpy as np
import pytest
import torch

from vitruvian.codecs.proposals import Proposals, corrected
from vitruvian.nets import convert
from vitruvian.nets.boxes import decode
from vitruvian.nets.count import parameters
from vitruvian.nets.faster_rcnn import (
    LAYOUTS,
    FasterRCNN,
    faster_rcnn_atrous,
    faster_rcnn_fpn,
)
from vitruvian.nets.resnet import ResNet


def tiny() -> FasterRCNN:
    """On a pyramid."""
    return FasterRCNN(
        ResNet(18), width=8, hidden=16, proposals=24, before=40, sample=(16, 0.25), frozen=False
    )


def tiny_atrous() -> FasterRCNN:
    """On one map."""
    return FasterRCNN(
        ResNet(18, output_stride=8),
        pyramid=False,
        width=8,
        proposals=12,
        before=40,
        sample=(16, 0.25),
        sizes=((16, 32),),
        frozen=False,
    )


def test_size_equals_torchvisions_network():
    with torch.device("meta"):
        net = faster_rcnn_fpn(classes=91)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert (trained, parameters(net)) == (41_755_286, 41_808_406)


@pytest.mark.parametrize("form", ["rpn.head.conv.", "rpn.head.conv.0.0."])
def test_torchvisions_names_load(form):
    net = tiny()
    back = {
        "trunk.": "backbone.body.",
        "neck.inner.": "backbone.fpn.inner_blocks.",
        "neck.outer.": "backbone.fpn.layer_blocks.",
        "rpn.conv.": form,
        "rpn.score.": "rpn.head.cls_logits.",
        "rpn.box.": "rpn.head.bbox_pred.",
        "head.": "roi_heads.box_head.",
        "score.": "roi_heads.box_predictor.cls_score.",
        "box.": "roi_heads.box_predictor.bbox_pred.",
    }
    theirs = {}
    for key, x in net.state_dict().items():
        start = next(start for start in back if key.startswith(start))
        name = back[start] + key.removeprefix(start)
        if "0.0" in form:
            name = re.sub(r"_blocks\.(\d)\.", r"_blocks.\1.0.", name)
        if not name.endswith("num_batches_tracked"):
            theirs[name] = x + 1
    before = {key: x.clone() for key, x in net.state_dict().items()}
    assert convert.load(net, theirs, LAYOUTS) == "torchvision"
    assert all(
        torch.equal(x, before[k] + 1)
        for k, x in net.state_dict().items()
        if not k.endswith("num_batches_tracked")
    )


def test_the_head_of_the_atrous_network_sees_small_boxes_undilated():
    with torch.device("meta"):
        net = faster_rcnn_atrous()
    assert net.trunk.layer3[1].conv2.dilation == (2, 2)
    assert {block.conv2.dilation for block in net.trunk.layer4} == {(1, 1)}


def test_frozen_normalisation_stays_while_training():
    net = FasterRCNN(ResNet(18), width=8, hidden=16, proposals=8, before=8).train()
    net(torch.randn(1, 3, 64, 64))
    assert net.trunk.bn1.running_mean.abs().max() == 0
    assert not net.trunk.bn1.weight.requires_grad


def test_while_training_the_peoples_own_boxes_are_looked_at():
    torch.manual_seed(0)
    net = tiny().train()
    boxes = torch.zeros(2, 1, 3, 4)
    boxes[0, 0, 1] = torch.tensor([5.0, 6, 40, 60])
    (stage,) = net(torch.randn(2, 3, 64, 64), boxes=boxes)
    assert stage["roi"].shape == (2, 4, 16, 1)
    looked_at = stage["roi"][0, ..., 0].T
    assert (looked_at == boxes[0, 0, 1]).all(dim=1).any()
    assert torch.isfinite(stage["score"]).all()


def test_what_is_proposed_lies_inside_the_view_without_duplicates():
    torch.manual_seed(0)
    net = tiny().eval()
    with torch.inference_mode():
        (stage,) = net(torch.randn(2, 3, 64, 64))
    roi = stage["roi"][..., 0]
    assert roi.min() >= 0
    assert roi.max() <= 64
    assert ((roi[:, 2:] - roi[:, :2]) > 0).all(dim=1).any()


def test_device_and_codec_correct_boxes_alike():
    rng = np.random.default_rng(0)
    boxes = np.abs(rng.normal(0, 20, (50, 4))).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2] + 1
    deltas = rng.normal(0, 9, (50, 4)).astype(np.float32)
    theirs = decode(torch.tensor(deltas), torch.tensor(boxes), Proposals().weights)
    np.testing.assert_allclose(corrected(boxes, deltas, Proposals().weights), theirs, rtol=1e-5)


def detectron2_name(name: str) -> str:
    """What detectron2 calls a parameter of ours."""
    rules = (
        (r"trunk\.conv1\.", "backbone.bottom_up.stem.conv1."),
        (r"trunk\.bn1\.", "backbone.bottom_up.stem.conv1.norm."),
        (r"downsample\.0\.", "shortcut."),
        (r"downsample\.1\.", "shortcut.norm."),
        (r"\.bn(\d)\.", r".conv\1.norm."),
        (r"rpn\.conv\.", "proposal_generator.rpn_head.conv."),
        (r"rpn\.score\.", "proposal_generator.rpn_head.objectness_logits."),
        (r"rpn\.box\.", "proposal_generator.rpn_head.anchor_deltas."),
        (r"head\.fc6\.", "roi_heads.box_head.fc1."),
        (r"head\.fc7\.", "roi_heads.box_head.fc2."),
        (r"^score\.", "roi_heads.box_predictor.cls_score."),
        (r"^box\.", "roi_heads.box_predictor.bbox_pred."),
    )
    levels = {"inner": "lateral", "outer": "output"}
    name = re.sub(r"trunk\.layer(\d)", lambda m: f"backbone.bottom_up.res{int(m[1]) + 1}", name)
    name = re.sub(
        r"neck\.(inner|outer)\.(\d)",
        lambda m: f"backbone.fpn_{levels[m[1]]}{int(m[2]) + 2}",
        name,
    )
    for pattern, theirs in rules:
        name = re.sub(pattern, theirs, name)
    return name


def as_detectron2(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A checkpoint of theirs: nobody is the last class, and has no correction of a box."""
    found = {}
    for name, value in state.items():
        if name.startswith("score."):
            value = value.roll(-1, dims=0)
        if name.startswith("box."):
            value = value[4:]
        if not name.endswith("num_batches_tracked"):
            found[detectron2_name(name)] = value
    return found


def test_detectron2s_names_and_order_of_classes_load():
    net, other = tiny(), tiny()
    theirs = as_detectron2(net.state_dict())
    extra = {"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}
    extra |= {"proposal_generator.anchor_generator.cell_anchors.0": torch.zeros(3, 4)}
    assert "backbone.bottom_up.res3.0.shortcut.norm.running_mean" in theirs
    assert convert.load(other, theirs | extra, LAYOUTS) == "detectron2"
    for name, value in net.state_dict().items():
        ours = other.state_dict()[name]
        if name.startswith("box."):
            assert torch.equal(ours[4:], value[4:])
            assert not ours[:4].any()
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(ours, value), name


def test_anchors_are_rounded_as_in_torchvision_or_not_as_in_detectron2():
    rounded, exact = (FasterRCNN(ResNet(18), width=8, hidden=16, aligned=a) for a in (False, True))
    assert torch.equal(rounded.anchors0, rounded.anchors0.round())
    assert not torch.equal(exact.anchors0, exact.anchors0.round())
    sides = exact.anchors0[:, 2:] - exact.anchors0[:, :2]
    torch.testing.assert_close(sides.prod(dim=1), torch.full((3,), 32.0**2))
