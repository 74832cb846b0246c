import pytest
import torch

from vitruvian.nets.count import parameters
from vitruvian.nets.personlab import PersonLab, personlab
from vitruvian.nets.resnet import ResNet


def tiny() -> PersonLab:
    """What the contract tests run."""
    return PersonLab(ResNet(18, output_stride=16), 3, 2, masks=True)


@pytest.mark.parametrize("stride, cells", [(8, (17, 21)), (16, (9, 11))])
def test_cells_stand_at_every_stride_from_the_first_pixel_to_the_last(stride, cells):
    with torch.device("meta"):
        (stage,) = personlab(output_stride=stride, masks=True)(torch.empty(1, 3, 129, 161))

    assert {name: tuple(x.shape) for name, x in stage.items()} == {
        "heatmap": (1, 17, *cells),
        "short": (1, 34, *cells),
        "mid": (1, 64, *cells),
        "segment": (1, 1, *cells),
        "long": (1, 34, *cells),
    }


def test_heads_add_one_weight_per_feature_and_channel_to_the_trunk():
    with torch.device("meta"):
        net, trunk = personlab(152), ResNet(152)

    assert parameters(net) - parameters(trunk) == (2048 + 1) * (17 + 34 + 64)
    assert parameters(personlab(152, output_stride=8)) == parameters(net)


def test_offsets_are_in_pixels():
    net = tiny().eval()
    for head in net.heads.values():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, 0.5)

    with torch.inference_mode():
        (stage,) = net(torch.zeros(1, 3, 33, 33))

    assert {name: x.mean().item() for name, x in stage.items()} == {
        "heatmap": 0.5,
        "short": 16,
        "mid": 16,
        "segment": 0.5,
        "long": 16,
    }
