import pytest
import torch
from torch import nn

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.blocks import Bottleneck
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.fastpose import FastPose, Gate, fastpose
from vitruvian.nets.resnet import ResNet


class Small(nn.Module):
    """A trunk of one narrow bottleneck a level."""

    widths = (8, 16, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.layer1 = nn.Sequential(Bottleneck(8, 2))
        self.layer2 = nn.Sequential(Bottleneck(8, 4, 2))
        self.layer3 = nn.Sequential(Bottleneck(16, 4, 2))
        self.layer4 = nn.Sequential(Bottleneck(16, 8, 2))

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return [self.layer4(self.layer3(x))]


def tiny() -> FastPose:
    """What the contract tests run."""
    return FastPose(Small(), 3)


@pytest.mark.parametrize(
    "depth, expected",
    [
        (50, (40_577_745, 5_886_967_808)),
        (101, (59_569_873, 9_523_429_376)),
        (152, (75_213_521, 13_159_890_944)),
    ],
)
def test_size_equals_the_authors_network(depth, expected):
    with torch.device("meta"):
        net = fastpose(depth)
    assert (parameters(net), macs(net, (256, 192))) == expected


def test_imagenet_weights_start_the_trunk_and_leave_its_gates_new():
    torch.manual_seed(0)
    net, resnet = fastpose(50), ResNet(50)
    state = resnet.state_dict() | {"fc.bias": torch.ones(1000)}
    assert convert.start(net, state) == "trunk (torchvision)"
    assert torch.equal(net.trunk.layer2[0].bn3[0].weight, resnet.layer2[0].bn3.weight)
    assert torch.equal(net.trunk.layer2[1].conv1.weight, resnet.layer2[1].conv1.weight)
    assert 0 < net.trunk.layer2[0].bn3[1].fc[0].weight.std() < 0.1


def test_a_gate_multiplies_each_channel_by_a_number_between_0_and_1():
    torch.manual_seed(0)
    x = torch.rand(2, 4, 3, 5) + 0.1
    ratio = Gate(4)(x) / x
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all()


def test_input_that_does_not_divide_by_32_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 250, 200))


def test_a_trunk_without_bottlenecks_is_refused():
    with pytest.raises(ConfigError, match="50, 101 or 152"):
        fastpose(18)
