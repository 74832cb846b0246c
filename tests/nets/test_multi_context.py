import pytest
import torch
import torch.nn.functional as F

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.count import parameters
from vitruvian.nets.multi_context import (
    Attention,
    HourglassResidual,
    MultiContext,
    Parts,
    multi_context,
)


def tiny() -> MultiContext:
    """What the contract tests run."""
    return multi_context(1, 3, width=8, kernel=3, resolutions=2)


def test_attention_is_three_steps_with_the_same_weights():
    torch.manual_seed(0)
    net, x = Attention(4, kernel=5), torch.randn(2, 4, 6, 7)
    unary = F.conv2d(x, net.unary.weight, net.unary.bias, padding=1)
    step = [F.conv2d(unary, net.pairwise.weight, net.pairwise.bias, padding=2)]
    for _ in range(2):
        q = torch.sigmoid(step[-1] + unary)
        step.append(F.conv2d(q, net.pairwise.weight, net.pairwise.bias, padding=2))
    torch.testing.assert_close(net(x), torch.sigmoid(step[-1] + unary))
    assert parameters(net) == 4 * 9 + 1 + 25 + 1


def test_every_keypoint_has_the_features_that_its_own_map_attends_to():
    torch.manual_seed(0)
    net, x = Parts(4, 3, kernel=3), torch.randn(2, 4, 6, 7)
    maps = net.attention(x)
    for keypoint, weight in enumerate(net.conv.weight):
        alone = F.conv2d(x * maps[:, keypoint, None], weight[None], net.conv.bias[keypoint, None])
        torch.testing.assert_close(net(x)[:, keypoint, None], alone)


def test_a_keypoints_map_depends_on_its_own_weights_only():
    torch.manual_seed(0)
    net, x = Attention(4, 3, kernel=3), torch.randn(1, 4, 6, 7)
    before = net(x).detach().clone()
    with torch.no_grad():
        net.pairwise.weight[1] += 1
        after = net(x)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_the_third_branch_is_added_to_the_residual():
    torch.manual_seed(0)
    net, x = HourglassResidual(4).eval(), torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        net.conv2.weight.zero_()
        net.conv2.bias.fill_(2.0)
        torch.testing.assert_close(net(x), net.residual(x) + 2)


def test_the_first_half_of_the_stacks_attends_to_the_body_only():
    with torch.device("meta"):
        net = multi_context(8)
    assert [isinstance(stack.head, Parts) for stack in net.stacks] == [False] * 4 + [True] * 4
    assert [stack.attention.unary.in_channels for stack in net.stacks] == [256] * 7 + [512]


def test_attention_at_a_coarser_resolution_reaches_the_finest():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = net(x)[0]["heatmap"]
        net.stacks[0].coarser[0].unary.bias += 1
        after = net(x)[0]["heatmap"]
    assert not torch.equal(before, after)


def test_input_that_does_not_divide_by_64_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 256, 176))


@pytest.mark.parametrize("wrong", [{"stacks": 0}, {"kernel": 4}, {"resolutions": 6}])
def test_a_network_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match="are accepted"):
        multi_context(**wrong)
