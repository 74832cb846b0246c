import pytest
import torch

from vitruvian.core.errors import ConfigError
from vitruvian.nets.resnet import ResNet


def _features(net: ResNet, x: torch.Tensor) -> list[torch.Tensor]:
    with torch.inference_mode():
        return net.eval()(x)


@pytest.mark.parametrize("depth, widths", [(18, (64, 128, 256, 512)), (50, (256, 512, 1024, 2048))])
def test_levels_halve_from_stride_4_to_32(depth, widths):
    with torch.device("meta"):
        net = ResNet(depth)
        levels = net(torch.empty(1, 3, 64, 96))
    assert net.widths == widths
    assert [tuple(x.shape[1:]) for x in levels] == [
        (width, 16 >> level, 24 >> level) for level, width in enumerate(widths)
    ]


@pytest.mark.parametrize("depth, style", [(18, "pytorch"), (50, "pytorch"), (50, "caffe")])
def test_dilated_trunk_samples_the_strided_one_more_densely(depth, style):
    torch.manual_seed(0)
    strided, dilated = ResNet(depth, style=style), ResNet(depth, style=style, output_stride=8)
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 64, 64)
    coarse, dense = _features(strided, x)[-1], _features(dilated, x)[-1]
    assert dense.shape[-2:] == (8, 8)
    assert (dense[..., ::4, ::4] - coarse).abs().max() < 1e-5 * coarse.abs().max()


def test_both_styles_share_weights_but_stride_in_different_places():
    torch.manual_seed(0)
    ours, caffe = ResNet(50), ResNet(50, style="caffe")
    caffe.load_state_dict(ours.state_dict())
    assert (ours.layer2[0].conv1.stride, ours.layer2[0].conv2.stride) == ((1, 1), (2, 2))
    assert (caffe.layer2[0].conv1.stride, caffe.layer2[0].conv2.stride) == ((2, 2), (1, 1))


@pytest.mark.parametrize(
    "arguments",
    [{"depth": 26}, {"depth": 18, "style": "caffe"}, {"style": "tf"}, {"output_stride": 4}],
)
def test_unpublished_variants_are_refused(arguments):
    with torch.device("meta"), pytest.raises(ConfigError):
        ResNet(**arguments)
