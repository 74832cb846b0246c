import numpy as np
import pytest
import torch

from vitruvian.kernels.nms import nms
from vitruvian.nets.boxes import (
    anchor_grid,
    base_anchors,
    clip,
    decode,
    draw,
    encode,
    match,
    unsuppressed,
)


def _boxes(count: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    return torch.tensor(np.hstack([corner, corner + rng.uniform(5, 40, (count, 2))]))


def test_anchors_have_the_published_corners():
    assert base_anchors((32,), (0.5, 1.0, 2.0), whole=True).tolist() == [
        [-23, -11, 23, 11],
        [-16, -16, 16, 16],
        [-11, -23, 11, 23],
    ]
    grid = anchor_grid(base_anchors((4,), (1.0,), whole=False), (2, 3), 8)
    assert grid[:, 0].tolist() == [-2, 6, 14, -2, 6, 14]
    assert grid[:, 1].tolist() == [-2, -2, -2, 6, 6, 6]


def test_a_box_decodes_to_what_was_encoded():
    anchors, boxes = _boxes(20), _boxes(20, seed=1)
    weights = (10.0, 10.0, 5.0, 5.0)
    assert torch.allclose(decode(encode(boxes, anchors, weights), anchors, weights), boxes)
    zero = torch.zeros(1, 4)
    assert decode(zero, torch.tensor([[1.0, 2, 5, 9]]), weights).tolist() == [[1, 2, 5, 9]]


def test_a_box_never_grows_beyond_its_bound():
    huge = decode(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0, 16, 16]]), (1.0,) * 4)
    assert (huge[0, 2:] - huge[0, :2]).tolist() == pytest.approx([1000, 1000])
    assert clip(huge, (40, 60)).tolist() == [[60, 40, 60, 40]]


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_the_fixed_point_is_greedy_suppression(count, threshold):
    boxes = torch.stack([_boxes(count, seed) for seed in range(4)])
    scores = np.linspace(1, 0.1, count)
    for row, keep in zip(boxes, unsuppressed(boxes, threshold), strict=True):
        assert keep.nonzero()[:, 0].tolist() == nms(row.numpy(), scores, threshold).tolist()


def test_a_long_chain_of_overlaps_keeps_every_other_box():
    x = torch.arange(101.0) * 4
    chain = torch.stack([x, 0 * x, x + 10, 0 * x + 10], dim=1)[None]
    assert unsuppressed(chain, 0.3)[0].nonzero()[:, 0].tolist() == list(range(0, 101, 2))


def test_matching_follows_the_thresholds():
    people = torch.tensor([[0.0, 0, 10, 10], [50, 50, 90, 90]])
    answers = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 5], [5, 5, 15, 15], [60, 60, 75, 75]])
    found, iou = match(people, answers, low=0.3, high=0.7, everybody=False)
    assert found.tolist() == [0, -2, -1, -1]
    assert iou.tolist() == pytest.approx([0.8, 0.5, 25 / 175, 225 / 1600])
    assert match(people, answers, low=0.3, high=0.7, everybody=True)[0].tolist() == [0, -2, -1, 1]


def test_without_people_every_answer_is_for_nobody():
    found, iou = match(torch.zeros(0, 4), _boxes(3), low=0.3, high=0.7, everybody=True)
    assert found.tolist() == [-1, -1, -1]
    assert iou.tolist() == [0, 0, 0]


def test_a_draw_keeps_to_its_share_and_takes_what_is_there():
    person = torch.tensor([0] * 30 + [-1] * 50 + [-2] * 20)
    usable = torch.ones(100, dtype=torch.bool)
    people, nobody = draw(person, usable, 40, 0.25)
    assert (len(people), len(nobody)) == (10, 30)
    assert (person[people] == 0).all()
    assert (person[nobody] == -1).all()
    usable[:80] = False
    assert [len(x) for x in draw(person, usable, 40, 0.25)] == [0, 0]
