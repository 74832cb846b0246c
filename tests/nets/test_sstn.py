import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.simplebaselines import simplebaselines
from vitruvian.nets.sstn import SSTN, inverse, sample, sstn


class Shrunk(nn.Module):
    """A pose network of one number: the picture at a quarter of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return [{"heatmap": F.avg_pool2d(x, 4) * self.factor}]


def tiny() -> SSTN:
    """What the contract tests run."""
    return SSTN(Shrunk(), Shrunk())


def moved(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 2, 3)


THETA = moved(0.9, 0.1, 0.15, -0.05, 1.1, -0.2)


def test_a_fresh_transformer_changes_nothing():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(2, 3, 64, 64)
    centred, stage = net(x)
    torch.testing.assert_close(stage["heatmap"], F.avg_pool2d(x, 4), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(centred["centred"], F.avg_pool2d(x, 4), atol=1e-4, rtol=1e-4)


def test_inverse_undoes_the_map():
    there, back = (F.pad(m[0], (0, 0, 0, 1)) for m in (THETA, inverse(THETA)))
    there[2, 2] = back[2, 2] = 1
    torch.testing.assert_close(there @ back, torch.eye(3), atol=1e-6, rtol=0)


def test_a_map_without_inverse_stays_finite():
    assert torch.isfinite(inverse(torch.zeros(1, 2, 3))).all()


def test_a_shift_to_the_right_shows_what_lies_to_the_right():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 3, 6] = 1
    shown = sample(x, moved(1.0, 0.0, 0.5, 0.0, 1.0, 0.0))
    assert shown[0, 0, 3, 4] == pytest.approx(1, abs=1e-5)


def test_maps_come_back_to_where_the_person_is_in_the_view():
    net = tiny().eval()
    with torch.no_grad():
        net.stn.linear.bias.copy_(THETA.flatten())
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    blob = torch.exp(-((x - 30) ** 2 + (y - 34) ** 2) / 50).expand(1, 3, 64, 64)
    with torch.inference_mode():
        centred, stage = net(blob)
    peak = [divmod(int(maps[0, 0].argmax()), 16) for maps in (centred["centred"], stage["heatmap"])]
    assert peak[1] == (8, 7)
    assert peak[0] != peak[1]


def test_the_parallel_network_teaches_the_transformer():
    torch.manual_seed(1)
    net = tiny()
    net.parallel.requires_grad_(False)
    centred, _ = net(torch.rand(1, 3, 64, 64))
    centred["centred"].square().mean().backward()
    assert net.stn.linear.bias.grad.abs().max() > 0
    assert net.parallel.factor.grad is None


def test_any_network_can_stand_inside_and_start_from_its_own_weights():
    settings = {"depth": 18, "widths": (8, 8, 8)}
    net = sstn("simplebaselines:simplebaselines", 5, settings=settings)
    alone = simplebaselines(channels=5, **settings)
    assert convert.start(net, alone.state_dict()) == "network (pose network)"
    for place in (net.pose, net.parallel):
        assert torch.equal(place.final_layer.weight, alone.final_layer.weight)
    transformer = parameters(net) - 2 * parameters(alone)
    assert transformer == 11_176_512 + 6 * 512 + 6
    without = sstn("simplebaselines:simplebaselines", 5, settings=settings, parallel=False)
    assert [list(stage) for stage in without(torch.zeros(1, 3, 64, 64))] == [["heatmap"]]
