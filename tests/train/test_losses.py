from pathlib import Path

import pytest
import torch
from torch import Tensor

from vitruvian.train.losses import (
    box_giou,
    centre_focal,
    disk_logistic,
    huber,
    joints_mse,
    joints_ohkm,
    quality_focal,
    spatial_ce,
)

ONE = torch.ones(1, 1, 1, 1)


@pytest.fixture(scope="module")
def authors(parity_data: Path) -> dict[str, Tensor]:
    """Outputs of HRNet's JointsMSELoss and JointsOHKMMSELoss."""
    data: dict[str, Tensor] = torch.load(parity_data / "fn-joints_mse_loss.pt", weights_only=True)
    return data


def test_joints_mse_is_the_authors(authors: dict[str, Tensor]) -> None:
    pred, target = authors["pred"], authors["target"]
    weight = authors["weight"][..., None]
    torch.testing.assert_close(joints_mse(pred, target, weight), authors["mse_w"])
    torch.testing.assert_close(joints_mse(pred, target, torch.ones_like(weight)), authors["mse"])


def test_hard_keypoint_mining_is_the_authors(authors: dict[str, Tensor]) -> None:
    pred, target = authors["pred"], authors["target"]
    weight = authors["weight"][..., None]
    torch.testing.assert_close(joints_ohkm(pred, target, weight), authors["ohkm8_w"])
    torch.testing.assert_close(joints_ohkm(pred, target, torch.ones_like(weight)), authors["ohkm8"])


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
