import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.lightweight_openpose import LightweightOpenPose, lightweight_openpose


def tiny() -> LightweightOpenPose:
    """What the contract tests run."""
    return lightweight_openpose(1, 4, 6, width=8)


@pytest.mark.parametrize("refinements, expected", [(1, 4_091_698), (3, 7_308_964)])
def test_size_equals_the_authors_network(refinements, expected):
    with torch.device("meta"):
        assert parameters(lightweight_openpose(refinements)) == expected


def test_trunk_starts_from_an_imagenet_mobilenet_without_its_last_blocks():
    net = tiny()
    state = {f"model.{key}": torch.ones_like(x) for key, x in net.trunk.state_dict().items()}
    state |= {"model.12.0.weight": torch.ones(512, 1, 3, 3), "fc.weight": torch.ones(1000, 1024)}

    assert convert.start(net, state) == "trunk (pytorch-mobilenet)"
    assert net.trunk[11][3].weight.min() == 1


def test_the_field_of_view_of_a_refinement_is_that_of_five_7x7():
    torch.manual_seed(0)
    refinement = tiny().refinement_stages[0].trunk.eval()
    x = torch.zeros(1, 18, 41, 41, requires_grad=True)
    refinement(x)[0, :, 20, 20].sum().backward()
    seen = x.grad.abs().sum(dim=(0, 1)) > 0
    assert seen.any(dim=0).nonzero().flatten().tolist() == list(range(20 - 15, 20 + 16))


def test_input_that_does_not_divide_by_8_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 456"):
        tiny()(torch.zeros(1, 3, 256, 455))
