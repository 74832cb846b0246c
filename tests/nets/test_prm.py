import pytest
import torch
import torch.nn.functional as F

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.prm import PRM, PyraNet, pool, prm


def tiny() -> PyraNet:
    """What the contract tests run."""
    return prm(1, 3, features=16, levels=2, base=4)


@pytest.mark.parametrize(
    "stacks, levels, base, expected",
    [
        (8, 4, 9, (28_131_832, 22_829_322_956)),
        (2, 4, 9, (7_286_464, 7_321_415_180)),
        pytest.param(8, 30, 6, (54_272_576, 40_037_631_696), marks=pytest.mark.slow),
    ],
)
def test_size_equals_the_count_of_the_authors_layers(stacks, levels, base, expected):
    with torch.device("meta"):
        net = prm(stacks, levels=levels, base=base)
    assert (parameters(net), macs(net, (256, 256))) == expected


def _block(variant: str, levels: int) -> PRM:
    return PRM(256, 256, width=28, levels=levels, variant=variant)


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_variants_differ_in_what_goes_into_the_levels_and_comes_out(levels):
    a, b, c, d = (parameters(_block(v, levels)) for v in "ABCD")
    inputs = 2 * 256 + 256 * 28 + 28 + 2 * 28
    assert a - b == (levels - 1) * inputs
    assert c - b == (levels - 1) * (2 * 28 + 28 * 128)
    assert d == b


@pytest.mark.parametrize("variant", "ABCD")
def test_a_block_keeps_the_size_of_what_it_sees(variant):
    block = PRM(8, 12, width=3, levels=3, variant=variant)
    assert block(torch.randn(2, 8, 10, 6)).shape == (2, 12, 10, 6)


def test_pooling_by_half_is_max_pooling():
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(pool(x, 0.5), F.max_pool2d(x, 2))


@pytest.mark.parametrize("ratio", [0.84, 0.71, 0.6])
def test_fractional_pooling_covers_the_picture_and_forgets_no_peak(ratio):
    side = 16
    pooled = pool(torch.eye(side * side).view(-1, 1, side, side), ratio)
    assert pooled.shape[2:] == (int(side * ratio),) * 2
    assert (pooled.amax(dim=(1, 2, 3)) == 1).all()


def test_weights_spread_as_equation_8_says_for_their_branches():
    torch.manual_seed(0)
    block = PRM(64, 64, width=48, levels=4, variant="B")
    reduce, level, expand = (
        block.pyramid.reduce[0][0][-1],
        block.pyramid.levels[0],
        block.pyramid.expand[-1],
    )
    for conv, seen in (
        (reduce, 1 * 64 + 4 * 48),
        (level, 9 * 48 + 9 * 48),
        (expand, 4 * 48 + 1 * 32),
    ):
        assert conv.weight.var().item() == pytest.approx(4 / seen, rel=0.15)
        assert not conv.bias.any()


def test_the_way_up_has_a_convolution_on_its_shortcut():
    hourglass = tiny().hourglasses[0]
    for _ in range(4):
        assert isinstance(hourglass.low1.skip, torch.nn.Identity)
        assert not isinstance(hourglass.low3.skip, torch.nn.Identity)
        hourglass = hourglass.low2


def test_the_maps_of_a_stack_reach_the_next():
    torch.manual_seed(0)
    net = prm(2, 3, features=16, levels=2, base=4).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = [stage["heatmap"] for stage in net(x)]
        net.merge_preds[0].weight += 1
        after = [stage["heatmap"] for stage in net(x)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_input_that_does_not_divide_by_64_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 256, 176))


@pytest.mark.parametrize("wrong", [{"variant": "E"}, {"levels": 0}, {"base": 200}])
def test_a_network_that_nobody_published_is_refused(wrong):
    with pytest.raises(ConfigError, match="variants are A, B, C and D"):
        prm(**wrong)
