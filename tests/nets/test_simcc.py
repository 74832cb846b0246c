import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.simcc import LAYOUTS, SimCC, simcc_hrnet, simcc_res
from vitruvian.nets.simplebaselines import simplebaselines


def tiny(size: tuple[int, int] = (64, 64)) -> SimCC:
    """What the contract tests run."""
    body = simplebaselines(18, 3, widths=(8, 8, 8))
    return SimCC(body, 3, maps=1, stride=4, size=size, split=1.5)


def test_size_equals_the_published_networks():
    with torch.device("meta"):
        assert parameters(simcc_res(50)) == 36_753_105
        millions = [
            parameters(net) / 1e6 for net in (simcc_res(101), simcc_hrnet(32), simcc_hrnet(48))
        ]
    assert millions == pytest.approx([55.7, 31.3, 66.3], abs=0.05)


def test_without_deconvolutions_a_keypoint_has_several_maps():
    with torch.device("meta"):
        net = simcc_res(50, maps=28)
        (stage,) = net(torch.empty(2, 3, 256, 192, device="meta"))
    assert net.mlp_head_x.in_features == 28 * 8 * 6
    assert {name: tuple(x.shape) for name, x in stage.items()} == {
        "simcc_x": (2, 17, 1, 384),
        "simcc_y": (2, 17, 512, 1),
    }


def test_the_authors_names_load():
    net = tiny()
    state = {
        key.removeprefix("body.").removeprefix("trunk."): torch.full_like(x, 0.5)
        for key, x in net.state_dict().items()
        if x.is_floating_point()
    }
    assert convert.load(net, state, LAYOUTS) == "authors"
    assert net.mlp_head_y.bias.min() == 0.5
    assert net.body.trunk.conv1.weight.max() == 0.5


def test_an_imagenet_trunk_starts_that_of_the_heatmap_network():
    net = tiny()
    state = {key: torch.full_like(x, 0.5) for key, x in net.body.trunk.state_dict().items()}
    assert convert.start(net, state | {"fc.bias": torch.ones(9)}) == "trunk (torchvision)"
    assert net.body.trunk.layer4[1].conv2.weight.mean() == 0.5
    assert net.body.final_layer.bias.max() == 0


def test_another_input_size_is_refused():
    with pytest.raises(InputError, match="built for 64 x 64"):
        tiny()(torch.zeros(1, 3, 64, 96))
