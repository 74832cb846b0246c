import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.hrnet import HRNet, hrnet, hrnet_w32, hrnet_w48


def tiny() -> HRNet:
    """What the contract tests run."""
    return hrnet((4, 8, 12, 16), 3, modules=(1, 1, 2), blocks=1, head_kernel=3)


@pytest.mark.parametrize(
    "build, channels, size, expected",
    [
        (hrnet_w32, 17, (256, 192), (28_536_113, 7_645_003_776)),
        (hrnet_w32, 17, (384, 288), (28_536_113, 17_201_258_496)),
        (hrnet_w32, 16, (256, 256), (28_536_080, 10_193_207_296)),
        (hrnet_w48, 17, (256, 192), (63_595_745, 15_691_825_152)),
        (hrnet_w48, 17, (384, 288), (63_595_745, 35_306_606_592)),
        (hrnet_w48, 16, (256, 256), (63_595_696, 20_922_236_928)),
    ],
)
def test_size_equals_the_authors_network(build, channels, size, expected):
    with torch.device("meta"):
        net = build(channels)
    assert (parameters(net), macs(net, size)) == expected


def test_every_convolution_starts_from_a_narrow_gaussian():
    torch.manual_seed(0)
    weights = [p for p in tiny().parameters() if p.ndim == 4]
    assert torch.cat([w.flatten() for w in weights]).std().item() == pytest.approx(1e-3, rel=0.01)


def test_input_that_does_not_divide_by_32_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 256, 180))
