import json

import numpy as np
import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.simplepose import LAYOUTS, SimplePose, simplepose, simplepose_final


def tiny() -> SimplePose:
    """What the contract tests run."""
    return simplepose(2, 4, 3, width=16, growth=4)


def tiny_final() -> SimplePose:
    """The other version."""
    return simplepose_final(2, 4, 3, width=16, growth=4)


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda: simplepose(4), 128_998_760),
        (lambda: simplepose(3), 96_802_590),
        (lambda: simplepose_final(4), 227_066_536),
        (lambda: simplepose_final(3), 170_189_582),
    ],
)
def test_size_equals_the_authors_network(build, expected):
    with torch.device("meta"):
        assert parameters(build()) == expected


@pytest.mark.parametrize("build", [tiny, tiny_final])
def test_every_hourglass_answers_at_five_scales_and_the_finest_is_last(build):
    torch.manual_seed(0)
    stages = build().eval()(torch.zeros(1, 3, 64, 128))

    sizes = [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]
    channels = {"limb": 4, "heatmap": 3, "person": 1, "foreground": 1}
    assert [{k: tuple(v.shape) for k, v in stage.items()} for stage in stages] == [
        {field: (1, count, *size) for field, count in channels.items()} for size in 2 * sizes
    ]


@pytest.mark.parametrize("build", [tiny, tiny_final])
@pytest.mark.parametrize("scale", range(5))
def test_what_one_hourglass_finds_at_a_scale_reaches_the_next(build, scale):
    torch.manual_seed(0)
    net, x = build().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = net(x)
        net.heads[0][scale].bias[0] += 1000
        after = net(x)
    assert torch.equal(before[4 - scale]["heatmap"], after[4 - scale]["heatmap"])
    assert not torch.equal(before[9 - scale]["heatmap"], after[9 - scale]["heatmap"])


def test_names_of_the_released_weights_carry_a_prefix(parity_data):
    with np.load(parity_data / "net-simplepose-posenet-2stack-small.npz") as file:
        keys = json.loads(str(file["meta"]))["keys"]
    with torch.device("meta"):
        net = simplepose(2, growth=16)
        theirs = {f"posenet.{name}": torch.empty(shape) for name, shape in keys}

    found = convert.match(net, convert.unwrap({"weights": theirs}), LAYOUTS["authors"])

    assert found.faults == 0


def test_versions_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="versions are 'posenet' and 'final'"):
        simplepose(version="posenet3")


def test_input_that_does_not_divide_by_64_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 512 x 512"):
        tiny()(torch.zeros(1, 3, 512, 520))
