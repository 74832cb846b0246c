from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vitruvian.train.losses import (
    box_giou,
    centre_focal,
    coordinates_l2,
    disk_logistic,
    focal_l2,
    huber,
    integral_ce,
    joints_mse,
    joints_ohkm,
    quality_focal,
    rtmpose_kl,
    simcc_kl,
    simcc_kl_sum,
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


@pytest.fixture(scope="module")
def simcc(parity_data: Path) -> dict[str, Tensor]:
    """Outputs of MMPose's KLDiscretLoss and of SimCC's own losses."""
    with np.load(parity_data / "fn-simcc.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file if key != "meta"}


def _both(
    loss: Callable[..., Tensor], simcc: dict[str, Tensor], targets: str, count: int
) -> tuple[Tensor, Tensor]:
    """The sum over both axes, and its gradient for the rows."""
    row = simcc["loss_px"][:count, :, None].clone().requires_grad_()
    column = simcc["loss_py"][:count, :, :, None]
    weight = simcc[f"{targets}_w"][:count, :, None, None]
    value = loss(row, simcc[f"{targets}_x"][:count, :, None], weight)
    value = value + loss(column, simcc[f"{targets}_y"][:count, :, :, None], weight)
    return value, torch.autograd.grad(value, row)[0]


def test_rtmposes_classification_loss_is_the_authors(simcc: dict[str, Tensor]) -> None:
    value, gradient = _both(rtmpose_kl, simcc, "enc_rtm", 4)
    assert float(value.detach()) == pytest.approx(float(simcc["loss_rtm"]), rel=1e-5)
    torch.testing.assert_close(gradient[0, :4, 0], simcc["loss_rtm_gx"], rtol=1e-4, atol=1e-9)


def test_simccs_classification_loss_is_mmposes_per_sample(simcc: dict[str, Tensor]) -> None:
    value, gradient = _both(simcc_kl, simcc, "enc_g6", 4)
    assert 4 * float(value.detach()) == pytest.approx(float(simcc["loss_g6"]), rel=1e-5)
    torch.testing.assert_close(4 * gradient[0, :4, 0], simcc["loss_g6_gx"], rtol=1e-4, atol=1e-11)


def test_simccs_classification_loss_is_the_authors(simcc: dict[str, Tensor]) -> None:
    twice = {f"sa_{key}": simcc[f"sa_{key}"][None].repeat(2, 1, 1) for key in "xy"}
    weights = {"sa_w": simcc["sa_w"][None, :, 0].repeat(2, 1)}
    value, _ = _both(simcc_kl, simcc | twice | weights, "sa", 2)
    assert float(value.detach()) == pytest.approx(float(simcc["sa_loss"]), rel=1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 0.2])
def test_simccs_first_losses_are_the_authors(simcc: dict[str, Tensor], epsilon: float) -> None:
    places = simcc["nmt_lab"].long()
    smooth = {"nmt_w": torch.ones(2, 17)}
    for axis, bins in enumerate((384, 512)):
        wrong = torch.full((2, 17, bins), epsilon / (bins - 1))
        chances = wrong.scatter(2, places[..., axis, None], 1 - epsilon)
        smooth["nmt_" + "xy"[axis]] = chances
    total, _ = _both(simcc_kl_sum, simcc | smooth, "nmt", 2)
    mean, _ = _both(simcc_kl, simcc | smooth, "nmt", 2)
    assert float(total.detach()) == pytest.approx(float(simcc[f"nmt_loss_{epsilon}"]), rel=1e-5)
    assert float(mean.detach()) == pytest.approx(float(simcc[f"nmtnorm_loss_{epsilon}"]), rel=1e-5)


def test_mspns_losses_add_up_to_the_authors(parity_data: Path) -> None:
    """Per stage three coarse levels, seen keypoints only, and the finest with the hardest eight."""
    data = torch.load(parity_data / "fn-mspn-loss.pt", weights_only=True)["total"]
    valid, labels = data["valids"][..., None], data["labels"]
    seen, labelled, everywhere = valid > 1, (valid > 0).float(), torch.ones(1)
    total = torch.zeros(())
    for stage, levels in enumerate(data["outputs"]):
        for level, output in enumerate(levels):
            target = labels[:, level + stage]
            if level < 3:
                total += 0.5 * joints_mse(output, target * seen, everywhere)
            else:
                total += 2 * joints_ohkm(output, target, labelled)
    assert float(total) == pytest.approx(float(data["total_loss"]), rel=1e-5)


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
