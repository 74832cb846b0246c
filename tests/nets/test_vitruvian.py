import pytest
import torch

from vitruvian.nets.convert import start
from vitruvian.nets.vitruvian import Spotter, Vitruvian, person_s, pose_s

U = ((8, 12), (1, 1))


def tiny() -> Vitruvian:
    """What the contract tests run: two stages, so that the second reads the first."""
    return Vitruvian(3, stages=(U, U))


def tiny_person() -> Spotter:
    """The same for the detector."""
    return Spotter(*U)


@pytest.mark.parametrize("build, limit", [(pose_s, 5e6), (person_s, 5e6)])
def test_bundled_network_stays_small_enough_for_the_wheel(build, limit):
    with torch.device("meta"):
        assert sum(p.numel() for p in build().parameters()) < limit


def test_every_stage_gives_heatmaps_at_stride_4():
    with torch.device("meta"):
        stages = tiny()(torch.empty(1, 3, 64, 48))
    assert [tuple(stage["heatmap"].shape) for stage in stages] == [(1, 3, 16, 12)] * 2


def test_the_detector_takes_its_trunk_from_a_pose_network():
    levels = ((8, 12, 16), (1, 1, 1))
    pose, person = Vitruvian(3, stages=(levels,)), Spotter(*levels)
    filled = start(person, pose.state_dict())
    assert filled == "trunk (vitruvian pose)"
    assert torch.equal(person.trunk.stem[1].weight, pose.stem[1].weight)
    ours, theirs = person.trunk.stage, pose.stages[0]
    assert torch.equal(ours.down[1][0].conv1.weight, theirs.down[1][0].conv1.weight)
    assert torch.equal(ours.up[0].conv1.weight, theirs.up[1].conv1.weight)


def test_the_detector_answers_at_stride_8():
    with torch.device("meta"):
        (stage,) = tiny_person()(torch.empty(1, 3, 64, 48))
    assert stage["centre"].shape == (1, 1, 8, 6)
    assert stage["box"].shape == (1, 4, 8, 6)
