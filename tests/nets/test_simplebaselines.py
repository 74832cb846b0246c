import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.simplebaselines import SimpleBaseline, simplebaselines


def tiny() -> SimpleBaseline:
    """What the contract tests run."""
    return simplebaselines(18, 3, widths=(8, 8, 8))


PUBLISHED = {
    (18, "pytorch"): (15_376_721, 2_897_215_488, 6_518_734_848),
    (34, "pytorch"): (25_484_881, 4_709_154_816, 10_595_598_336),
    (50, "pytorch"): (33_999_697, 5_426_380_800, 12_209_356_800),
    (50, "caffe"): (33_999_697, 5_199_888_384, 11_699_748_864),
    (101, "pytorch"): (52_991_825, 9_062_842_368, 20_391_395_328),
    (152, "pytorch"): (68_635_473, 12_699_303_936, 28_573_433_856),
}


@pytest.mark.parametrize("depth, style", PUBLISHED)
def test_size_equals_the_authors_network(depth, style):
    with torch.device("meta"):
        net = simplebaselines(depth, style=style)
    counted = (parameters(net), macs(net, (256, 192)), macs(net, (384, 288)))
    assert counted == PUBLISHED[depth, style]


def test_head_follows_the_number_of_keypoints():
    with torch.device("meta"):
        assert parameters(simplebaselines(50, 16)) == 33_999_440


def test_head_starts_near_zero_and_the_trunk_does_not():
    torch.manual_seed(0)
    net = tiny()
    for layer in (*net.deconv_layers[::3], net.final_layer):
        assert layer.weight.std().item() == pytest.approx(1e-3, rel=0.2)
    assert net.final_layer.bias.abs().max() == 0
    assert net.trunk.conv1.weight.std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.05)


def test_input_that_does_not_divide_by_32_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 250, 200))


def test_deconvolution_kernel_of_5_is_refused():
    with pytest.raises(ConfigError, match=r"\[2, 3, 4\]"):
        simplebaselines(18, kernels=(5, 4, 4))
