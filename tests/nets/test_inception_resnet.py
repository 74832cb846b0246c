import torch

from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.inception_resnet import IMAGENET, InceptionResNet

CLASSIFIER = 1536 * 1000 + 1000


def blank():
    with torch.device("meta"):
        return InceptionResNet()


def test_size_with_the_classifier_is_that_of_timm():
    net = blank()
    assert parameters(net) == 54_306_464
    assert parameters(net) + CLASSIFIER == 55_843_464


def test_levels_halve_the_view_at_every_step():
    net = InceptionResNet((1, 1, 1), slim=16).eval()
    with torch.inference_mode():
        levels = net(torch.zeros(1, 3, 64, 96))
    sides = [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert [tuple(x.shape[1:]) for x in levels] == [
        (width, *side) for width, side in zip(net.widths, sides, strict=True)
    ]
    assert net.widths == (12, 20, 68, 96)


def public(net):
    """A checkpoint of the ImageNet classifier."""
    return {**net.state_dict(), "last_linear.weight": torch.zeros(1000, 1536)}


def test_names_are_those_of_the_public_classifier_which_is_left_out():
    net = InceptionResNet((2, 1, 2), slim=16)
    given = public(net)
    assert convert.load(InceptionResNet((2, 1, 2), slim=16), given, IMAGENET) == "inception-resnet"
    for name in (
        "conv2d_1a.conv.weight",
        "mixed_5b.branch0.bn.running_mean",
        "mixed_5b.branch1.1.conv.weight",
        "mixed_5b.branch3.1.conv.weight",
        "repeat.1.branch2.2.conv.weight",
        "repeat.0.conv2d.bias",
        "mixed_6a.branch0.conv.weight",
        "mixed_6a.branch1.2.bn.weight",
        "repeat_1.0.branch1.2.conv.weight",
        "mixed_7a.branch2.2.conv.weight",
        "repeat_2.0.branch1.1.conv.weight",
        "block8.conv2d.weight",
        "conv2d_7b.conv.weight",
    ):
        assert name in given


def test_every_residual_block_is_as_wide_as_the_public_ones():
    shapes = {name: tuple(x.shape) for name, x in blank().state_dict().items()}
    assert shapes["repeat.9.conv2d.weight"] == (320, 128, 1, 1)
    assert shapes["repeat_1.19.branch1.1.conv.weight"] == (160, 128, 1, 7)
    assert shapes["repeat_1.19.branch1.2.conv.weight"] == (192, 160, 7, 1)
    assert shapes["repeat_2.8.branch1.1.conv.weight"] == (224, 192, 1, 3)
    assert shapes["block8.conv2d.weight"] == (2080, 448, 1, 1)


def test_the_last_block_alone_may_answer_below_zero():
    net = InceptionResNet((1, 1, 2), slim=16).eval()
    x = torch.randn(1, net.block8.conv2d.out_channels, 2, 2)
    with torch.inference_mode():
        assert net.repeat_2(x).min() >= 0
        assert net.block8(x).min() < 0
