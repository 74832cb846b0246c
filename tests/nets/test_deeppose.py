import pytest
import torch

from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import skeleton
from vitruvian.nets.count import parameters
from vitruvian.nets.deeppose import AlexNet, DeepPose, deeppose


def tiny() -> DeepPose:
    """What the contract tests run."""
    return DeepPose(
        3, ((0, 1),), sigma=1.0, crop=(64, 64), widths=(4, 4, 4, 4, 4), hidden=8, stages=2
    )


@pytest.mark.parametrize("joints", [14, 11])
def test_a_stage_has_as_many_parameters_as_the_public_port(joints):
    with torch.device("meta"):
        net = AlexNet(2 * joints, (220, 220))
    assert parameters(net) == 58_281_344 + 4097 * 2 * joints


def test_the_torso_of_the_default_is_that_of_lsp():
    names = skeleton("lsp14").keypoints
    pairs = [{names[a], names[b]} for a, b in deeppose.__defaults__[1]]
    assert pairs == [{"left_shoulder", "right_hip"}, {"right_shoulder", "left_hip"}]


def test_crops_show_what_lies_around_each_joint():
    net = DeepPose(2, ((0, 1),), sigma=1.0, crop=(64, 64), widths=(2,) * 5, hidden=2, stages=1)
    net.crop = (16, 16)
    x = torch.zeros(1, 3, 64, 64)
    x[..., 20, 40] = 1
    middle = torch.tensor([[[40.0, 20.0], [8.0, 8.0]]])
    middle = (middle - 31.5) / 64
    crops = net._crops(x, middle, torch.tensor([[17 / 64, 17 / 64]]))
    assert crops.shape == (1, 2, 3, 16, 16)
    y, x_ = divmod(int(crops[0, 0, 0].argmax()), 16)
    assert (y, x_) in [(7, 7), (7, 8), (8, 7), (8, 8)]
    assert crops[0, 1].max() == 0


def test_a_crop_is_as_wide_as_the_torso_is_long():
    net, x = tiny(), torch.zeros(1, 3, 100, 200)
    xy = torch.tensor([[[0.1, 0.0], [0.1, 0.4], [0.0, 0.0]]])
    torch.testing.assert_close(net._side(xy, x), torch.tensor([[40 / 200, 40 / 100]]))


class Constant(torch.nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = torch.nn.Parameter(torch.tensor(values).flatten())

    def forward(self, x):
        return self.values.expand(len(x), -1)


def test_each_joint_moves_by_its_own_part_of_the_answer_in_units_of_the_crop():
    net = tiny()
    start = [[0.0, 0.0], [0.3, 0.4], [0.1, 0.1]]
    step = [[0.1, 0.0], [0.0, 0.2], [-0.2, 0.1]]
    net.regressors = torch.nn.ModuleList([Constant(start), Constant(step)])
    first, second = net(torch.zeros(2, 3, 64, 64))
    torch.testing.assert_close(first["xy"][1, ..., 0], torch.tensor(start))
    expected = torch.tensor(start) + 0.5 * torch.tensor(step)
    torch.testing.assert_close(second["xy"][1, ..., 0], expected)


def test_a_later_stage_teaches_nothing_to_an_earlier_one():
    net = tiny()
    net(torch.randn(1, 3, 64, 64))[-1]["xy"].sum().backward()
    assert all(p.grad is None for p in net.regressors[0].parameters())
    assert all(p.grad is not None for p in net.regressors[1].parameters())


def test_a_cascade_without_stages_is_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        deeppose(stages=0)
