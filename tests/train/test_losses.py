import numpy as np
import pytest
import torch

from vitruvian.train.losses import (
    box_giou,
    centre_focal,
    coordinates_l2,
    disk_logistic,
    focal_l2,
    huber,
    integral_ce,
    quality_focal,
    spatial_ce,
)

ONE = torch.ones(1, 1, 1, 1)


def test_spatial_ce_is_zero_for_the_target_itself_and_ignores_what_has_no_weight() -> None:
    target = torch.rand(2, 3, 4, 5)
    target /= target.sum(dim=(2, 3), keepdim=True)
    weight = torch.tensor([1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(2, 3, 1, 1)
    output = target.log()
    output[:, 1] = torch.randn(2, 4, 5)
    assert float(spatial_ce(output, target, weight)) == pytest.approx(0, abs=1e-6)


def test_spatial_ce_of_a_uniform_answer_is_log_cells_for_a_certain_target() -> None:
    target = torch.zeros(1, 1, 4, 5)
    target[0, 0, 2, 2] = 1
    expected = float(torch.log(torch.tensor(20.0)))
    assert float(spatial_ce(torch.zeros(1, 1, 4, 5), target, ONE)) == pytest.approx(expected)


def test_giou_loss_of_known_boxes() -> None:
    same = torch.full((1, 4, 1, 1), 8.0)
    output = (same / 8).log()
    assert float(box_giou(output, same, ONE)) == pytest.approx(0, abs=1e-6)
    # 16 x 16 against 32 x 32 around the same cell: IoU 1/4, hull = union, so 1 - GIoU = 3/4.
    assert float(box_giou(output, 2 * same, ONE)) == pytest.approx(0.75, abs=1e-6)


def test_focal_loss_prefers_the_right_cell_and_forgives_cells_next_to_it() -> None:
    target = torch.tensor([[[[0.0, 0.9, 1.0]]]])
    right = torch.tensor([[[[-6.0, -6.0, 6.0]]]])
    wrong, near = torch.flip(right, [3]), torch.tensor([[[[-6.0, 6.0, 6.0]]]])
    losses = [float(centre_focal(output, target, ONE)) for output in (right, near, wrong)]
    assert losses[0] < 1e-4
    assert losses[0] < losses[1] < 0.01
    assert losses[2] > 10


def test_focal_loss_of_an_ignored_cell_is_nothing() -> None:
    output, target = torch.full((1, 1, 1, 2), 5.0), torch.zeros(1, 1, 1, 2)
    assert float(centre_focal(output, target, torch.zeros(1, 1, 1, 2))) == 0


def test_disk_logistic_averages_over_weighted_cells_only() -> None:
    output, target = torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 3, 3)
    weight = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    expected = float(torch.log(torch.tensor(2.0)))
    assert float(disk_logistic(output, target, weight)) == pytest.approx(expected)


def test_huber_is_quadratic_then_linear() -> None:
    target, weight = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]])
    assert float(huber(torch.tensor([[[[0.5, 9.0]]]]), target, weight)) == pytest.approx(0.125)
    assert float(huber(torch.tensor([[[[3.0, 9.0]]]]), target, weight)) == pytest.approx(2.5)


def test_quality_focal_is_zero_at_the_label_and_scaled_by_the_gap() -> None:
    target = torch.tensor([[[[0.5, 1.0]]]])
    exact = torch.tensor([[[[0.0, 30.0]]]])
    assert float(quality_focal(exact, target, ONE)) == pytest.approx(0, abs=1e-6)
    # at 0 the gap to a label of 1 is 1/2: 1/4 of the cross-entropy log 2, over a label sum of 1.5
    log_two = float(torch.log(torch.tensor(2.0)))
    expected = 0.25 * log_two / 1.5
    assert float(quality_focal(torch.zeros(1, 1, 1, 2), target, ONE)) == pytest.approx(expected)


def test_integral_ce_is_the_surprise_plus_the_distance_of_the_means() -> None:
    output = torch.full((1, 2, 3, 4), -40.0)
    output[0, :, 1, 1], output[0, :, 2, 3] = np.log(0.5), np.log(0.5)
    target = torch.zeros(1, 2, 3, 4)
    target[0, :, 1, 1] = 1
    both, first = torch.ones(1, 2, 1, 1), torch.tensor([1.0, 0]).view(1, 2, 1, 1)
    expected = np.log(2) + (1 + 0.5) / 2  # the mean is (2, 1.5), the label (1, 1)
    assert float(integral_ce(output, target, both)) == pytest.approx(expected, abs=1e-5)
    assert float(integral_ce(output, target, first)) == pytest.approx(expected / 2, abs=1e-5)


def test_focal_l2_counts_a_sure_cell_less_and_a_coarse_output_against_the_mean() -> None:
    target = torch.tensor([0.8, 0.0, 0.4, 0.0]).view(1, 1, 2, 2)
    output = torch.tensor([0.6, 0.1, 0.4, 0.5]).view(1, 1, 2, 2)
    expected = 0.2**2 * 0.4 + 0.1**2 * 0.1 + 0.5**2 * 0.5
    assert float(focal_l2(output, target, ONE)) == pytest.approx(expected)
    coarse = focal_l2(torch.full((1, 1, 1, 1), 0.5), target, ONE)
    assert float(coarse) == pytest.approx(0.2**2 * 0.5)
    paper = focal_l2(output[..., :1, :1], target[..., :1, :1], ONE, alpha=0.1, beta=0.02, gamma=2)
    assert float(paper) == pytest.approx(0.2**2 * 0.5**2)


def test_focal_l2_leaves_out_coarse_cells_that_are_mostly_not_to_be_trusted() -> None:
    target, weight = torch.ones(1, 2, 4, 4), torch.ones(1, 1, 4, 4)
    weight[..., :2, :] = 0
    full = focal_l2(torch.zeros(1, 2, 2, 2), target, torch.ones(1, 1, 1, 1))
    assert float(full) == pytest.approx(8)
    assert float(focal_l2(torch.zeros(1, 2, 2, 2), target, weight)) == pytest.approx(4)


def test_coordinates_l2_is_the_mean_squared_distance_of_what_is_labelled() -> None:
    target = torch.zeros(1, 3, 2, 1)
    output = torch.tensor([[3.0, 4.0], [0.0, 1.0], [100.0, 0.0]]).view(1, 3, 2, 1)
    weight = torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1)
    assert float(coordinates_l2(output, target, weight)) == 13
    assert float(coordinates_l2(output, target, 0 * weight)) == 0
