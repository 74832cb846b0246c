import torch
from torch import nn

from vitruvian.nets import convert
from vitruvian.nets.openpose import OpenPose, openpose
from vitruvian.nets.vgg import chain, vgg19

TORCHVISION = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512)
"""Channels of VGG-19's convolutions; 0 is a pooling."""


def _torchvision() -> dict[str, torch.Tensor]:
    """Keys and shapes of torchvision's ``vgg19``, cut after conv5_2; each bias says which it is."""
    state, inputs, index = {"classifier.6.weight": torch.zeros(1000, 4096)}, 3, 0
    for width in TORCHVISION:
        if width:
            state[f"features.{index}.weight"] = torch.zeros(width, inputs, 3, 3)
            state[f"features.{index}.bias"] = torch.full((width,), float(index))
            inputs = width
        index += 2 if width else 1
    return state


def test_trunk_starts_from_torchvisions_vgg19():
    net: OpenPose = openpose(3, 2, stages=1)

    assert convert.start(net, _torchvision()) == "trunk (torchvision)"

    biases = [m.bias[0].item() for m in net.trunk if isinstance(m, nn.Conv2d)]
    assert biases == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21]


def test_a_chain_keeps_the_resolution_but_where_it_pools():
    with torch.device("meta"):
        assert chain(3, *vgg19())(torch.empty(1, 3, 64, 48)).shape == (1, 512, 8, 6)


def test_a_chain_ends_with_an_activation_or_without():
    layers = [("a", 2, 1), ("b", 2, 3)]
    with_act = chain(1, *layers, act=nn.PReLU)
    without = chain(1, *layers, act=nn.PReLU, last=False)
    assert [name for name, _ in with_act.named_children()] == ["a", "a_act", "b", "b_act"]
    assert [name for name, _ in without.named_children()] == ["a", "a_act", "b"]
    assert with_act.a_act.weight.shape == (2,)
