import numpy as np
import pytest
import torch
from torch import nn

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.cspnext import CSPLayer, CSPNeXt
from vitruvian.nets.rtmpose import LAYOUTS, GatedAttention, RTMPose, ScaleNorm, rtmpose


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


@pytest.fixture
def blocks(parity_data):
    """(weights, inputs, outputs) of one of the authors' blocks, by its name."""
    data = dict(np.load(parity_data / "fn-rtm-blocks.npz"))

    def pick(name):
        found = {
            k.removeprefix(f"{name}/"): torch.from_numpy(np.asarray(v))
            for k, v in data.items()
            if k.startswith(f"{name}/")
        }
        weights = {k.removeprefix("w/"): v for k, v in found.items() if k.startswith("w/")}
        return weights, found["in0"], [v for k, v in found.items() if k.startswith("out")]

    return pick


@pytest.mark.parametrize(
    "name, module",
    [
        ("scalenorm", ScaleNorm(24)),
        ("gau", GatedAttention(32, 16)),
        ("cspnext_csp", CSPLayer(12, 16, 2, shortcut=True)),
    ],
)
def test_blocks_equal_the_authors(blocks, name, module):
    weights, x, (expected,) = blocks(name)
    convert.load(module, weights)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 1e-3  # the class default, which no published network has
    with torch.inference_mode():
        difference = (module.eval()(x) - expected).abs().max()
    assert difference <= 1e-5 * expected.abs().max()


class Given(nn.Module):
    """A trunk that answers what it was told."""

    def __init__(self, x):
        super().__init__()
        self.x, self.widths = x, (x.shape[1],)

    def forward(self, image):
        return [self.x]


def test_head_equals_the_authors(blocks):
    weights, x, expected = blocks("rtmcc_head")
    net = RTMPose(Given(x), 17, size=(128, 96), width=32, query=16).eval()
    convert.load(net, weights)
    with torch.inference_mode():
        (stage,) = net(torch.empty(2, 3, 128, 96))
    for ours, theirs in zip(stage.values(), expected, strict=True):
        difference = (ours.reshape(theirs.shape) - theirs).abs().max()
        assert difference <= 1e-5 * theirs.abs().max()


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
