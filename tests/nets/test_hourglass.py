import json

import numpy as np
import pytest
import torch

from tests.parity.runner import value
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.hourglass import LAYOUTS, StackedHourglass, hourglass

UNUSED = r"(hourglasses|features)\..*\.skip\.|stem\.3\.skip\."
"""Princeton's port carries them; see the module."""


def tiny() -> StackedHourglass:
    """What the contract tests run."""
    return hourglass(2, 3, width=8)


PUBLISHED = {
    ("princeton", 1, 1): (4_364_048, 5_150_343_168),
    ("princeton", 2, 1): (8_429_088, 8_334_606_336),
    ("princeton", 4, 1): (16_559_168, 14_703_132_672),
    ("princeton", 8, 1): (32_819_328, 27_440_185_344),
    ("bearpaw", 1, 1): (3_586_960, 5_804_654_592),
    ("bearpaw", 2, 1): (6_730_912, 8_988_917_760),
    ("bearpaw", 8, 1): (25_594_624, 28_094_496_768),
    ("bearpaw", 2, 4): (24_751_264, 24_671_944_704),
}


@pytest.mark.parametrize("port, stacks, blocks", PUBLISHED)
def test_size_equals_the_port(port, stacks, blocks):
    with torch.device("meta"):
        net = hourglass(stacks, port=port, blocks=blocks)
    assert (parameters(net), macs(net, (256, 256))) == PUBLISHED[port, stacks, blocks]


def test_the_idle_convolutions_of_princetons_port_are_not_trained():
    with torch.device("meta"):
        net = hourglass(8)
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert trained == 25_434_112


def test_a_checkpoint_of_princetons_trainer_loads_through_its_wrappers(parity_data):
    with np.load(parity_data / "net-hourglass-princeton-tiny.npz") as file:
        keys = json.loads(str(file["meta"]))["keys"]
    state = {f"model.module.{k}": torch.from_numpy(value(k, s, 1.0, 0)) for k, s in keys}
    net = hourglass(2, 5, width=32, growth=8)

    convert.load(net, convert.unwrap({"state_dict": state}), LAYOUTS)

    assert torch.equal(net.heads[1].bias, state["model.module.outs.1.conv.bias"])


def test_the_maps_of_a_stack_reach_the_next():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = [stage["heatmap"] for stage in net(x)]
        net.merge_preds[0].weight += 1
        after = [stage["heatmap"] for stage in net(x)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_input_that_does_not_divide_by_64_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 256, 176))


@pytest.mark.parametrize("wrong", [{"port": "torch7"}, {"stacks": 0}, {"blocks": 0}])
def test_a_network_that_nobody_published_is_refused(wrong):
    with pytest.raises(ConfigError, match="'princeton' and 'bearpaw'"):
        hourglass(**wrong)
