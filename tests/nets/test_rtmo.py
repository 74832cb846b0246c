import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.count import parameters
from vitruvian.nets.rtmo import (
    RTMO,
    Classifier,
    CSPDarknet,
    Focus,
    Head,
    Neck,
    rtmo,
    rtmo_boxes,
    rtmo_points,
    sine,
)


def tiny() -> RTMO:
    """What the contract tests run; its scores differ by more than runtimes round."""
    trunk = CSPDarknet(0.125, 0.1)
    neck = Neck(trunk.widths[1:], 16, hidden=32, wide=16, width=8, blocks=1)
    head = Head(16, 3, 8, 2, depth=1)
    for layer in head.out_cls:
        torch.nn.init.normal_(layer.weight, std=3)
    return RTMO(trunk, neck, head, Classifier(8, 3, 8, (6, 8)), people=4, candidates=10, taught=5)


@pytest.mark.parametrize(
    "variant, expected",
    [("t", 6_829_875), ("s", 9_868_899), ("m", 22_526_307), ("l", 44_693_315)],
)
def test_size_equals_the_authors_network(variant, expected):
    with torch.device("meta"):
        assert parameters(rtmo(variant)) == expected


def test_points_are_the_middles_of_cells_and_boxes_lie_around_them():
    points = rtmo_points((2, 3), 16, torch.device("cpu"))
    assert points[[0, 1, 3]].tolist() == [[7.5, 7.5], [23.5, 7.5], [7.5, 23.5]]
    strides = torch.full((6,), 16.0)
    boxes = rtmo_boxes(torch.zeros(1, 6, 4), points, strides)
    assert boxes[0, 0].tolist() == [-0.5, -0.5, 15.5, 15.5]


def test_the_stem_reads_four_pixels_in_the_published_order():
    stem = Focus(4)
    seen = []
    stem.conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    stem.eval()(torch.arange(12.0).view(1, 3, 2, 2))
    assert seen[0][0, :, 0, 0].tolist() == [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11]


def test_positions_are_coded_by_cosines_then_sines():
    code = sine(torch.tensor([0.0, 3.0]), 4, 100.0)
    expected = torch.tensor([3.0, 0.3])
    assert code[0].tolist() == [1, 1, 0, 0]
    assert torch.allclose(code[1], torch.cat([expected.cos(), expected.sin()]))


def test_people_come_best_first_and_what_is_missing_has_no_area():
    torch.manual_seed(0)
    with torch.inference_mode():
        (stage,) = tiny().eval()(torch.randn(2, 3, 64, 64))
    chance = stage["chance"][:, 0, :, 0]
    assert (chance.diff(dim=1) <= 0).all()
    assert stage["person"].shape == (2, 4, 4, 1)
    assert stage["keypoint"].shape == (2, 9, 4, 1)


def test_while_training_cells_are_taught_whose_boxes_overlap_people():
    torch.manual_seed(0)
    net = tiny().train()
    boxes = torch.zeros(1, 1, 2, 4)
    boxes[0, 0, 0] = torch.tensor([40.0, 40, 60, 60])
    (stage,) = net(torch.randn(1, 3, 64, 64), boxes=boxes)
    middle = stage["box"][0, :, int(stage["index"][0, 0, 0, 0]), 0]
    assert middle[2] > 40
    assert middle[3] > 40
    assert stage["bins_x"].shape == (1, 18, 5, 1)


def test_sizes_and_variants_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="divide by 32"):
        tiny()(torch.zeros(1, 3, 64, 72))
    with pytest.raises(ConfigError, match="t, s, m, l"):
        rtmo("n")
