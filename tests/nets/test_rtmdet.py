import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.cspnext import CSPNeXt
from vitruvian.nets.rtmdet import LAYOUTS, RTMDet, rtmdet


def tiny() -> RTMDet:
    """Every level has a head of its own, as in nano."""
    return RTMDet(CSPNeXt(0.125, 0.1, separable=True), 16, separable=True)


def tiny_shared() -> RTMDet:
    """Levels share convolutions, as in the larger networks."""
    return RTMDet(CSPNeXt(0.125, 0.1), 16, classes=2, exponential=True)


@pytest.mark.parametrize(
    "variant, expected", [("nano", 994_423), ("tiny", 4_873_179), ("m", 24_663_447)]
)
def test_size_equals_the_authors_network(variant, expected):
    with torch.device("meta"):
        assert parameters(rtmdet(variant)) == expected


def test_a_checkpoint_that_repeats_shared_convolutions_loads():
    net = tiny_shared()
    theirs = {}
    for key, x in net.state_dict().items():
        top, _, rest = key.partition(".")
        if top == "trunk":
            theirs[f"backbone.{rest}"] = x + 1
        elif top == "neck":
            theirs[key] = x + 1
        elif rest.startswith("convs."):
            for level in range(3):
                index, leaf = rest.removeprefix("convs.").split(".")
                theirs[f"bbox_head.{top}_convs.{level}.{index}.conv.{leaf}"] = x + 1
        elif rest.startswith("norms."):
            level, index, leaf = rest.removeprefix("norms.").split(".")
            theirs[f"bbox_head.{top}_convs.{level}.{index}.bn.{leaf}"] = x + 1
        else:
            theirs[f"bbox_head.rtm_{top}.{rest.removeprefix('out.')}"] = x + 1
    before = {key: x.clone() for key, x in net.state_dict().items()}
    assert convert.load(net, theirs, LAYOUTS) == "mmdetection"
    assert all(torch.equal(x, before[key] + 1) for key, x in net.state_dict().items())


def test_a_fresh_network_sees_nobody():
    (stage,) = rtmdet().eval()(torch.zeros(1, 3, 64, 64))
    assert stage["score8"].sigmoid().max() < 0.02


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match="divide by 32"):
        tiny()(torch.zeros(1, 3, 64, 72))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="nano, tiny, s, m, l"):
        rtmdet("xxl")
