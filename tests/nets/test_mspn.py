import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.mspn import MSPN, mspn
from vitruvian.nets.resnet import ResNet


def tiny() -> MSPN:
    """What the contract tests run."""
    return mspn(2, 3, blocks=(1, 1, 1, 1), width=8)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_size_equals_the_authors_network(stages):
    sizes = {1: 25_141_708, 2: 56_867_032, 3: 88_592_356, 4: 120_317_680}
    authors_macs = {
        1: (5_072_646_144, 11_413_453_824),
        2: (11_262_812_160, 25_341_327_360),
        3: (17_452_978_176, 39_269_200_896),
        4: (23_643_144_192, 53_197_074_432),
    }
    with torch.device("meta"):
        net = mspn(stages)
    assert parameters(net) == sizes[stages]
    assert (macs(net, (256, 192)), macs(net, (384, 288))) == authors_macs[stages]


@pytest.mark.parametrize(
    "arguments, size",
    [
        ({"channels": 16}, 25_132_480),
        ({"depth": 101}, 44_159_948),
        ({"depth": 152}, 59_826_636),
        ({"blocks": (4, 8, 16, 3)}, 37_523_020),
    ],
)
def test_size_of_one_stage_equals_that_of_the_authors(arguments, size):
    with torch.device("meta"):
        assert parameters(mspn(1, **arguments)) == size


def names(**arguments):
    with torch.device("meta"):
        net = mspn(blocks=(1, 1, 1, 1), width=8, **arguments)
    return [list(stage) for stage in net(torch.empty(1, 3, 64, 48, device="meta"))]


def test_earlier_stages_are_asked_for_wider_maps():
    assert names(stages=2) == [
        ["coarse_4", "coarse_3", "coarse_2"],
        ["fine_1"],
        ["coarse_3", "coarse_2", "coarse_1"],
        ["heatmap"],
    ]
    assert names(stages=2, coarse_to_fine=False) == 2 * [
        ["coarse_3", "coarse_2", "coarse_1"],
        ["heatmap"],
    ]


def test_without_cross_stage_features_a_stage_gives_the_next_its_stem_alone():
    given = [key for key in mspn(2, 3, blocks=(1,) * 4, width=8).state_dict() if "skip1" in key]
    alone = mspn(2, 3, blocks=(1,) * 4, width=8, cross_stage=False)
    assert all(key.startswith("stage0.upsample") for key in given)
    assert given
    assert not [key for key in alone.state_dict() if "skip1" in key or "skip2" in key]


def test_imagenet_weights_start_the_first_stage():
    torch.manual_seed(0)
    net, resnet = mspn(2, 3, width=8), ResNet(50)
    state = {
        key.replace("downsample.conv", "downsample.0"): value
        for key, value in resnet.state_dict().items()
    }
    assert convert.start(net, state | {"fc.bias": torch.ones(1000)}) == "trunk (torchvision)"
    second = net.stage0.downsample.layer4[2].conv_bn_relu2.conv
    assert torch.equal(second.weight, resnet.layer4[2].conv2.weight)
    assert second.bias.abs().max() == 0
    assert torch.equal(net.top.conv.bn.running_var, resnet.bn1.running_var)


def test_input_that_does_not_divide_by_4_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 255, 193))


def test_a_network_without_stages_is_refused():
    with pytest.raises(ConfigError, match="1 or more"):
        mspn(0)
