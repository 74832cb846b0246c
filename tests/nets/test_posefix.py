import numpy as np
import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.posefix import LAYOUTS, PoseFix, posefix
from vitruvian.nets.resnet import BLOCKS, ResNet

UNUSED = r"pose_conv"
"""Without a pose its maps are empty, and the gradient is 0."""


def tiny() -> PoseFix:
    """What the contract tests run."""
    return PoseFix(ResNet(18), 3, sigma=7.0, widths=(8, 8, 8))


@pytest.mark.parametrize("depth, size", [(50, 34_053_009), (152, 68_688_785)])
def test_size_equals_the_authors_network(depth, size):
    with torch.device("meta"):
        assert parameters(posefix(depth)) == size


def test_a_pose_is_drawn_as_gaussians_of_height_255():
    net, pose = tiny(), torch.tensor([[[10.0, 20.0], [40.5, 3.25], [np.nan, 5.0]]])
    maps = net._maps(torch.zeros(1, 3, 64, 96), pose)
    y, x = np.mgrid[:64, :96]
    for k, (px, py) in enumerate(pose[0, :2].tolist()):
        expected = 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 7.0**2))
        np.testing.assert_allclose(maps[0, k].numpy(), expected, atol=1e-3)
    assert maps[0, 2].abs().max() == 0


def test_the_pose_changes_the_answer_and_a_lost_one_is_as_good_as_none():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    lost, here = torch.full((1, 3, 2), torch.nan), torch.full((1, 3, 2), 30.0)
    with torch.inference_mode():
        none, same, other = (net(x, pose)[0]["heatmap"] for pose in (None, lost, here))
    assert torch.equal(none, same)
    assert not torch.allclose(none, other)


def variables(depth, channels=17):
    """Names and shapes of the authors' TensorFlow variables, by their description."""
    net = f"resnet_v1_{depth}"
    convs = {f"{net}/conv1": (7, 7, 3 + channels, 64)}
    inputs = 64
    for level, count in enumerate(BLOCKS[depth]):
        width = 64 << level
        for unit in range(1, count + 1):
            scope = f"{net}/block{level + 1}/unit_{unit}/bottleneck_v1"
            convs |= {
                f"{scope}/conv1": (1, 1, inputs, width),
                f"{scope}/conv2": (3, 3, width, width),
                f"{scope}/conv3": (1, 1, width, 4 * width),
            }
            if unit == 1:
                convs[f"{scope}/shortcut"] = (1, 1, inputs, 4 * width)
            inputs = 4 * width
    convs |= {f"up{i}": (4, 4, 256, 2048 if i == 1 else 256) for i in (1, 2, 3)}
    state = {}
    for scope, shape in convs.items():
        outputs = shape[2] if scope.startswith("up") else shape[3]
        state[f"{scope}/weights"] = torch.randn(shape)
        for leaf in ("gamma", "beta", "moving_mean", "moving_variance"):
            state[f"{scope}/BatchNorm/{leaf}"] = torch.rand(outputs)
    return state | {"out/weights": torch.randn(1, 1, 256, channels), "out/biases": torch.rand(17)}


def test_every_variable_of_the_authors_checkpoint_has_its_place():
    state, net = variables(50), posefix(50)
    assert convert.load(net, state, LAYOUTS) == "tensorflow"
    first = state["resnet_v1_50/conv1/weights"].permute(3, 2, 0, 1)
    assert torch.equal(torch.cat([net.trunk.conv1.weight, net.pose_conv.weight], 1), first)
    assert torch.equal(net.deconv_layers[3].weight, state["up2/weights"].permute(3, 2, 0, 1))
    assert torch.equal(net.final_layer.bias, state["out/biases"])


def test_the_two_parts_of_the_first_convolution_are_one_over_all_channels():
    torch.manual_seed(1)
    net, x = tiny(), torch.randn(1, 3, 64, 64)
    maps = torch.randn(1, 3, 64, 64)
    weight = torch.cat([net.trunk.conv1.weight, net.pose_conv.weight], dim=1)
    together = torch.nn.functional.conv2d(torch.cat([x, maps], 1), weight, stride=2, padding=3)
    torch.testing.assert_close(net.trunk.conv1(x) + net.pose_conv(maps), together)


def test_the_trunk_starts_from_imagenet():
    torch.manual_seed(2)
    net, trunk = tiny(), ResNet(18)
    assert convert.start(net, trunk.state_dict()) == "trunk (ours)"
    assert torch.equal(net.trunk.conv1.weight, trunk.conv1.weight)


def test_input_that_does_not_divide_by_32_is_refused():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 250, 200))


def test_gaussians_without_width_are_refused():
    with pytest.raises(ConfigError, match="above 0"):
        posefix(sigma=0.0)
