import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.associative_embedding import AssociativeEmbedding, associative_embedding
from vitruvian.nets.count import parameters


def tiny() -> AssociativeEmbedding:
    """What the contract tests run."""
    return associative_embedding(2, 3, tags=3, outputs=8, width=4, growth=(2, 2, 2, 2))


@pytest.mark.parametrize("stacks, expected", [(1, 35_055_428), (2, 69_668_232), (4, 138_893_840)])
def test_size_equals_the_authors_network(stacks, expected):
    with torch.device("meta"):
        assert parameters(associative_embedding(stacks)) == expected


def test_heatmaps_come_before_tags_and_the_rest_has_no_name():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        net.outs[1].conv.bias[:] = torch.arange(8.0)
        net.outs[1].conv.weight[:] = 0
        last = net(x)[-1]
    assert last["heatmap"][0, :, 0, 0].tolist() == [0, 1, 2]
    assert last["tag"][0, :, 0, 0].tolist() == [3, 4, 5]


def test_outputs_without_a_name_reach_the_next_hourglass():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = net(x)
        net.outs[0].conv.bias[7] += 1
        after = net(x)
    assert torch.equal(before[0]["tag"], after[0]["tag"])
    assert not torch.equal(before[1]["tag"], after[1]["tag"])


def test_more_fields_than_outputs_are_refused():
    with pytest.raises(ConfigError, match="give at least 6"):
        associative_embedding(1, 3, tags=3, outputs=5)


def test_input_that_does_not_divide_by_64_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 512 x 512"):
        tiny()(torch.zeros(1, 3, 512, 520))
