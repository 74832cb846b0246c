import numpy as np
import pytest
import torch

from vitruvian.nets.boxes import pair_iou
from vitruvian.train.assign import cheapest, pose_similarity, similar_poses, soft_labels


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


def _people(points):
    """Two people whose poses the points at 20 and 60 answer exactly."""
    boxes = torch.tensor([[0.0, 0, 40, 40], [40, 40, 80, 80]])
    xy = torch.tensor([[[10.0, 10], [30, 30]], [[50, 50], [70, 70]]])
    nearest = (points[:, 0] > 40).long()
    return boxes, xy, torch.ones(2, 2), boxes[nearest], xy[nearest]


def test_points_answer_for_the_pose_that_they_are_most_like():
    points = torch.tensor([[20.0, 20], [24, 24], [60, 60], [90, 90]])
    boxes, xy, known, answers, poses = _people(points)
    given = points, torch.full((4,), 8.0), torch.zeros(4), answers, poses, boxes, xy, known
    found = similar_poses(*given)
    assert found.person.tolist() == [0, 0, 1, -1]
    assert found.iou.tolist() == [1, 1, 1, 0]


def test_who_has_no_labelled_keypoint_is_assigned_by_its_box():
    points = torch.tensor([[20.0, 20], [60, 60]])
    boxes, xy, known, answers, poses = _people(points)
    known[1] = 0
    given = points, torch.full((2,), 8.0), torch.zeros(2), answers, poses, boxes, 0 * xy, known
    assert similar_poses(*given).person.tolist()[1] == 1


def test_poses_without_people_are_for_nobody():
    points = torch.tensor([[20.0, 20]])
    boxes, xy, known, answers, poses = _people(points)
    none = boxes[:0], xy[:0], known[:0]
    found = similar_poses(points, torch.ones(1), torch.zeros(1), answers, poses, *none)
    assert found.person.tolist() == [-1]


def test_likeness_counts_labelled_keypoints_alone():
    ours = torch.tensor([[[0.0, 0], [99, 99]]])
    box, known = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[1.0, 0]])
    assert pose_similarity(ours, torch.zeros(1, 2, 2), box, known).tolist() == [1]
    one_off = torch.tensor([[[20 * 0.07, 0.0], [0, 0]]])
    found = pose_similarity(one_off, torch.zeros(1, 2, 2), box, known)
    assert found.item() == pytest.approx(np.exp(-0.5))
