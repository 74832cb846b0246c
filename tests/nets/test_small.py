import pytest
import torch

from tests.nets.test_vitruvian import SMALL
from tests.nets.test_vitruvian import tiny as pose
from vitruvian.core.errors import InputError
from vitruvian.nets.convert import start
from vitruvian.nets.small import Cascade, Maps, Stages, small_disk
from vitruvian.nets.vitruvian import pose_s


def tiny_maps() -> Maps:
    """What the contract tests run."""
    return Maps({"heatmap": 3, "offset": 6}, SMALL, width=8)


def tiny_stages() -> Stages:
    """The same with stages."""
    return Stages(3, 3, SMALL, width=8, hidden=12)


def tiny_cascade() -> Cascade:
    """The same with two levels."""
    return Cascade(3, SMALL, width=8)


EVERY = (tiny_maps, tiny_stages, tiny_cascade)


def test_stages_are_named_from_coarse_to_fine_and_the_last_is_decoded():
    with torch.device("meta"):
        found = tiny_stages()(torch.empty(1, 3, 64, 48))
    assert [list(stage) for stage in found] == [["fine_2"], ["fine_1"], ["heatmap"]]
    assert all(maps.shape == (1, 3, 16, 12) for stage in found for maps in stage.values())


def test_fields_are_parts_of_one_layer_in_order():
    net, x = tiny_maps().eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        net.head.bias.copy_(torch.arange(9.0))
        net.head.weight.zero_()
        (stage,) = net(x)
    assert stage["heatmap"][0, :, 0, 0].tolist() == [0, 1, 2]
    assert stage["offset"][0, :, 0, 0].tolist() == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("build", EVERY)
def test_features_come_from_a_pose_network(build):
    published, ours = pose().eval(), build().eval()
    assert start(ours, published.state_dict()) == "trunk (vitruvian pose)"
    x, seen = torch.randn(1, 3, 32, 24), []
    published.mix.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        published(x)
        assert torch.equal(ours.trunk(x)[0], seen[0])


@pytest.mark.parametrize("build", EVERY)
def test_sides_that_8_does_not_divide_are_refused(build):
    with pytest.raises(InputError, match="8"):
        build()(torch.zeros(1, 3, 60, 48))


def test_what_is_taught_is_a_tenth_of_the_network():
    with torch.device("meta"):
        net, whole = small_disk(), pose_s()
    head = sum(p.numel() for n, p in net.named_parameters() if not n.startswith("trunk."))
    assert head < 0.1 * sum(p.numel() for p in whole.parameters())
