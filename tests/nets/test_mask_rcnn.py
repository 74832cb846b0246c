import pytest
import torch

from tests.nets.test_faster_rcnn import as_detectron2
from tests.nets.test_faster_rcnn import tiny as tiny_boxes
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.mask_rcnn import LAYOUTS, KeypointHead, MaskRCNN, keypoint_cells, mask_rcnn


def tiny() -> MaskRCNN:
    """What the contract tests run."""
    return MaskRCNN(tiny_boxes(), KeypointHead(8, 3, width=8, depth=2), people=4)


def test_size_equals_torchvisions_network():
    with torch.device("meta"):
        net = mask_rcnn()
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert (trained, parameters(net)) == (59_137_258, 59_190_378)


def test_people_come_best_first_without_duplicates_or_area_below_zero():
    torch.manual_seed(0)
    net = tiny().eval()
    with torch.inference_mode():
        (stage,) = net(torch.randn(2, 3, 64, 64))
    chance, person = stage["chance"][:, 0, :, 0], stage["person"][..., 0]
    assert (chance.diff(dim=1) <= 0).all()
    assert (person[:, 2:] >= person[:, :2]).all()
    assert stage["keypoint"].shape == (2, 12, 56 * 56, 1)


def test_while_training_the_first_boxes_are_peoples():
    torch.manual_seed(0)
    boxes = torch.zeros(1, 1, 2, 4)
    boxes[0, 0, 0] = torch.tensor([5.0, 6, 40, 60])
    (stage,) = tiny().train()(torch.randn(1, 3, 64, 64), boxes=boxes)
    assert stage["roi"][0, :, :4, 0].T.tolist().count([5, 6, 40, 60]) == 1
    assert stage["keypoint"].shape == (1, 12, 56 * 56, 1)


def test_a_keypoint_lies_in_the_cell_of_its_place_in_the_box():
    box = torch.tensor([[10.0, 20, 66, 132]])
    xy = torch.tensor([[[10.0, 20], [11.5, 20], [66, 132], [9.9, 20], [66.1, 50]]])
    index, inside = keypoint_cells(xy, box, 56)
    assert index[0].tolist() == [0, 1, 56 * 56 - 1, 0, 0]
    assert inside[0].tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("size", [14, 7])
def test_maps_are_four_times_as_fine_as_the_features(size):
    head = KeypointHead(8, 3, width=8, depth=1)
    assert head(torch.zeros(2, 8, size, size)).shape == (2, 3, 4 * size, 4 * size)


def test_detectron2s_names_load():
    net, other = tiny(), tiny()
    state = net.state_dict()
    boxes = {k.removeprefix("boxes."): v for k, v in state.items() if k.startswith("boxes.")}
    theirs = as_detectron2(boxes)
    for ours, name in (("convs.0", "conv_fcn1"), ("convs.2", "conv_fcn2"), ("up", "score_lowres")):
        for part in ("weight", "bias"):
            theirs[f"roi_heads.keypoint_head.{name}.{part}"] = state[f"keypoints.{ours}.{part}"]
    assert convert.load(other, theirs, LAYOUTS) == "detectron2"
    assert torch.equal(other.keypoints.up.weight, net.keypoints.up.weight)
    assert torch.equal(other.boxes.score.weight, net.boxes.score.weight)
    assert torch.equal(other.trunk.layer4[1].conv2.weight, net.trunk.layer4[1].conv2.weight)


def test_detectron2s_form_is_a_setting():
    with torch.device("meta"):
        net = mask_rcnn(style="caffe", aligned=True)
    assert net.boxes.aligned
    assert net.trunk.layer2[0].conv1.stride == (2, 2)
    assert net.trunk.layer2[0].conv2.stride == (1, 1)
