import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets.count import parameters
from vitruvian.nets.higher_hrnet import (
    HigherHRNet,
    higher_hrnet,
    higher_hrnet_w32,
    higher_hrnet_w48,
)


def tiny() -> HigherHRNet:
    """What the contract tests run."""
    return higher_hrnet((4, 8, 12, 16), 3, modules=(1, 1, 1), blocks=1)


@pytest.mark.parametrize(
    "build, channels, expected",
    [
        (higher_hrnet_w32, 17, 28_645_331),
        (higher_hrnet_w32, 14, 28_641_962),
        (higher_hrnet_w48, 17, 63_827_139),
    ],
)
def test_size_equals_the_authors_network(build, channels, expected):
    with torch.device("meta"):
        assert parameters(build(channels)) == expected


def test_maps_and_tags_are_at_stride_4_and_finer_maps_at_stride_2():
    with torch.device("meta"):
        (stage,) = tiny()(torch.empty(2, 3, 64, 96))
    assert {name: tuple(x.shape) for name, x in stage.items()} == {
        "heatmap": (2, 3, 16, 24),
        "tag": (2, 3, 16, 24),
        "heatmap_fine": (2, 3, 32, 48),
    }


def test_input_that_does_not_divide_by_32_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 512 x 768"):
        tiny()(torch.zeros(1, 3, 512, 770))
