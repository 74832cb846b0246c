import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.cspnext import CSPNeXt
from vitruvian.nets.rtmpose import LAYOUTS, RTMPose, rtmpose


def tiny(size: tuple[int, int] = (64, 64)) -> RTMPose:
    """What the contract tests run."""
    return RTMPose(CSPNeXt(0.125, 0.1), 3, size=size, width=16, query=8)


@pytest.mark.parametrize(
    "variant, size, expected",
    [
        ("t", (256, 192), (3_337_007, 354_611_456)),
        ("t", (384, 288), (3_467_055, 785_654_272)),
        ("s", (256, 192), (5_473_251, 676_220_928)),
        ("s", (384, 288), (5_603_299, 1_509_085_184)),
        ("m", (256, 192), (13_587_611, 1_917_486_080)),
        ("m", (384, 288), (13_717_659, 4_301_387_776)),
        ("l", (256, 192), (27_660_339, 4_142_125_056)),
        ("l", (384, 288), (27_790_387, 9_306_063_872)),
    ],
)
def test_size_equals_the_authors_network(variant, size, expected):
    with torch.device("meta"):
        net = rtmpose(variant, size=size)
    attention = 17 * 17 * (128 + 512)  # which the authors' count leaves out
    assert (parameters(net), macs(net, size) - attention) == expected


def test_a_trunk_trained_on_something_else_starts_the_network():
    net = tiny()
    state = {
        f"backbone.{key}": torch.full_like(x, 0.5) for key, x in net.trunk.state_dict().items()
    }
    state["head.fc.weight"] = torch.ones(1000, 4)
    assert convert.start(net, state) == "trunk (mmpose)"
    assert net.trunk.stem[0].conv.weight.min() == 0.5
    assert convert.match(net, state, LAYOUTS["mmpose"]).missing


def test_input_of_another_size_is_refused():
    with pytest.raises(InputError, match="built for 64 x 64"):
        tiny()(torch.zeros(1, 3, 64, 96))
    with pytest.raises(InputError, match="nearest size is 64 x 64"):
        tiny()(torch.zeros(1, 3, 64, 72))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="t, s, m, l, x"):
        rtmpose("n")
