import torch
import torch.nn.functional as F
from torch import nn

from vitruvian.nets.count import macs, parameters, trace


def _counted(layer: nn.Module, size: tuple[int, int]) -> int:
    return macs(Stage(layer), size)


class Stage(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return [{"out": self.layer(x)}]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(3, 8, bias=False)

    def forward(self, x):
        tokens = self.project(x.flatten(2).transpose(1, 2))
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


def test_convolution_counts_every_weight_once_per_output_pixel():
    assert _counted(nn.Conv2d(3, 8, 3, 2, 1), (10, 20)) == 3 * 8 * 9 * 5 * 10


def test_grouped_convolution_counts_the_weights_it_has():
    assert _counted(nn.Conv2d(3, 6, 3, 1, 1, groups=3), (4, 4)) == 6 * 9 * 16


def test_transposed_convolution_counts_every_weight_once_per_input_pixel():
    assert _counted(nn.ConvTranspose2d(3, 8, 4, 2, 1), (10, 20)) == 3 * 8 * 16 * 10 * 20


def test_linear_layers_and_attention_are_counted():
    tokens = 4 * 4
    assert _counted(Attention(), (4, 4)) == tokens * 3 * 8 + 2 * tokens * tokens * 8


def test_counting_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    before = net[0].weight.clone()
    _counted(net, (8, 8))
    assert net.training
    assert net[1].num_batches_tracked == 0
    assert torch.equal(net[0].weight, before)


def test_statistics_of_normalisation_are_no_parameters():
    assert parameters(nn.BatchNorm2d(5)) == 10


def test_trace_gives_the_shape_of_every_output_of_every_stage():
    count, stages = trace(Stage(nn.Conv2d(3, 8, 3, 2, 1)), (10, 20))
    assert count == 3 * 8 * 9 * 5 * 10
    assert stages == [{"out": (8, 5, 10)}]
