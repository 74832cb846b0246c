import pytest
import torch

from vitruvian.train.losses import offset_l1, pifpaf_caf, pifpaf_cif


def targets(channels, cells=4):
    """One field on 1 x ``cells`` cells, a person in the first two."""
    value, weight = torch.zeros(2, 1, channels, 1, cells)
    weight[:, 1] = 1
    weight[:, :, :, :2] = 1
    value[:, 0, :, :2] = 0.0125
    value[:, 1, :, :2] = 1
    value[:, 2:, :, :2] = 2.0
    return value, weight


@pytest.mark.parametrize("loss, channels", [(pifpaf_cif, 5), (pifpaf_caf, 8)])
def test_better_answers_cost_less(loss, channels):
    value, weight = targets(channels)
    good = value.clone()
    good[:, 0] = 0
    good[:, 1] = torch.where(value[:, 1] > 0, 8.0, -8.0)
    unsure, far = good.clone(), good.clone()
    unsure[:, 1] = 0
    far[:, 2] += 1

    assert loss(good, value, weight) < loss(far, value, weight)
    assert loss(good, value, weight) < loss(unsure, value, weight)


def test_a_place_without_weight_teaches_nothing():
    value, weight = targets(5)
    output = torch.randn(1, 5, 1, 4, generator=torch.Generator().manual_seed(0))
    output.requires_grad_()

    pifpaf_cif(output, value, weight * 0).backward()

    assert output.grad.abs().max() == 0


def test_an_unknown_scale_is_not_taught_and_the_place_still_is():
    value, weight = targets(5)
    weight[:, 4] = 0
    output = torch.ones(1, 5, 1, 4, requires_grad=True)

    pifpaf_cif(output, value, weight).backward()

    assert torch.isfinite(output.grad).all()
    assert (output.grad[0, 2, 0, :2] != 0).all()
    assert (output.grad[0, 2:, 0, 2:] == 0).all()


def test_an_exact_place_has_a_finite_gradient():
    value, weight = targets(5)
    output = value.clone().requires_grad_()

    pifpaf_cif(output, value, weight).backward()

    assert torch.isfinite(output.grad).all()


def test_a_hopeless_background_logit_is_left_alone():
    value, weight = targets(5)
    output = torch.full((1, 5, 1, 4), -16.0, requires_grad=True)

    pifpaf_cif(output, value, weight).backward()

    assert (output.grad[0, 1, 0, 2:] == 0).all()
    assert (output.grad[0, 1, 0, :2] < 0).all()


def test_offsets_cost_their_distance_where_they_are_known():
    output, target = torch.tensor([[[[16.0, 100.0]]]]), torch.zeros(1, 1, 1, 2)

    assert offset_l1(output, target, torch.tensor([[[[1.0, 0.0]]]])).item() == pytest.approx(0.5)
    assert offset_l1(output, target, torch.zeros(1, 1, 1, 2)).item() == 0
