import numpy as np
import pytest
import torch

from vitruvian.nets.boxes import pair_iou
from vitruvian.train.assign import cheapest, soft_labels


def _authors(parity_data):
    with np.load(parity_data / "fn-rtmdet.npz") as file:
        data = {key: torch.from_numpy(file[key]) for key in file.files if key != "meta"}
    strides = torch.tensor([8.0] * 80 + [16.0] * 20 + [32.0] * 6)
    return data, (data["points"], strides, data["logits"], data["boxes"], data["asg_gt"])


def test_assignment_equals_the_authors(parity_data):
    data, given = _authors(parity_data)

    found = soft_labels(*given)

    assert torch.equal(found.person + 1, data["asg_gt_inds"])
    taken = found.person >= 0
    assert taken.sum() == 11
    assert torch.allclose(found.iou[taken], data["asg_overlaps"][taken], atol=1e-6)
    assert (found.iou[~taken] == 0).all()


def test_without_people_nobody_is_assigned(parity_data):
    _, (points, strides, logits, boxes, people) = _authors(parity_data)
    found = soft_labels(points, strides, logits, boxes, people[:0])
    assert (found.person == -1).all()
    assert (found.iou == 0).all()


def test_people_outside_every_point_get_none():
    points = torch.tensor([[0.0, 0.0], [8.0, 0.0]])
    answers = torch.tensor([[0.0, 0, 5, 5], [0, 0, 5, 5]])
    far = torch.tensor([[100.0, 100, 120, 120]])
    assert (soft_labels(points, torch.ones(2), torch.zeros(2), answers, far).person == -1).all()


def test_a_point_that_two_people_want_answers_for_the_one_it_is_cheapest_for():
    cost = torch.tensor([[1.0, 0.5], [2.0, 9.0]])
    assert cheapest(cost, torch.full((2, 2), 0.1), top=13).tolist() == [1, -1]
    assert cheapest(cost, torch.tensor([[0.9, 0.1], [0.9, 0.1]]), top=13).tolist() == [1, -1]
    assert cheapest(cost, torch.tensor([[1.0, 0.1], [1.0, 0.1]]), top=13).tolist() == [1, 0]


def test_overlap_of_known_pairs():
    a = torch.tensor([[0.0, 0, 10, 10], [3, 3, 3, 3]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10]])
    assert pair_iou(a, b).flatten().tolist() == pytest.approx([1, 1 / 3, 0, 0])
