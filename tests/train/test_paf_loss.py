import pytest
import torch

from vitruvian.train.losses import paf_l2


def test_cells_and_channels_add_up_and_the_batch_is_averaged():
    output, target = torch.zeros(2, 3, 4, 5), torch.full((2, 3, 4, 5), 0.5)

    assert float(paf_l2(output, target, torch.ones(2, 1, 4, 5))) == pytest.approx(3 * 4 * 5 / 8)


def test_cells_that_nobody_labelled_teach_nothing():
    output = torch.randn(1, 3, 4, 5, requires_grad=True)
    weight = torch.ones(1, 1, 4, 5)
    weight[..., 2:] = 0

    paf_l2(output, torch.zeros(1, 3, 4, 5), weight).backward()

    assert (output.grad[..., 2:] == 0).all()
    assert torch.allclose(output.grad[..., :2], output.detach()[..., :2])
