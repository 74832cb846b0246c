import pytest
import torch

from vitruvian.core.errors import InputError
from vitruvian.nets.convert import start
from vitruvian.nets.efficientpose import EfficientPose, Trunk, Variant
from vitruvian.nets.vitruvian import Pose, Spotter, person_s, pose_s

SMALL = Variant(Trunk(8, ((1, 8), (1, 8), (1, 12))), None, 8, 1)


def tiny() -> Pose:
    """What the contract tests run."""
    return Pose(3, SMALL, width=8)


def tiny_person() -> Spotter:
    """The same for the detector."""
    return Spotter(SMALL, (8, 12), (1, 1))


@pytest.mark.parametrize("build", [pose_s, person_s])
def test_bundled_network_stays_small_enough_for_the_wheel(build):
    with torch.device("meta"):
        assert sum(p.numel() for p in build().parameters()) < 5e6


def test_the_pose_network_answers_at_stride_4():
    with torch.device("meta"):
        (stage,) = tiny()(torch.empty(1, 3, 64, 48))
    assert stage["heatmap"].shape == (1, 3, 16, 12)


def test_the_detector_answers_at_stride_8():
    with torch.device("meta"):
        (stage,) = tiny_person()(torch.empty(1, 3, 64, 48))
    assert stage["centre"].shape == (1, 1, 8, 6)
    assert stage["box"].shape == (1, 4, 8, 6)


def test_the_pose_network_starts_from_an_efficientpose():
    published, ours = EfficientPose(SMALL, 16), tiny()
    assert start(ours, published.state_dict()) == "trunk (EfficientPose)"
    for name, tensor in ours.trunk.state_dict().items():
        assert torch.equal(tensor, published.state_dict()[name])


def test_the_detector_takes_its_trunk_from_a_pose_network():
    pose, person = tiny(), tiny_person()
    assert start(person, pose.state_dict()) == "trunk (vitruvian pose)"
    for name, tensor in person.trunk.state_dict().items():
        assert torch.equal(tensor, pose.trunk.state_dict()[name])


def test_the_trunk_computes_what_efficientpose_computes():
    published, ours = EfficientPose(SMALL, 16).eval(), tiny().eval()
    start(ours, published.state_dict())
    features = []
    published.pass3.register_forward_hook(lambda _, inputs, output: features.append(output))
    image = torch.randn(1, 3, 32, 24)
    with torch.inference_mode():
        published(image)
        assert torch.equal(ours.trunk(image)[2], features[0])


@pytest.mark.parametrize("build", [tiny, tiny_person])
def test_sides_that_8_does_not_divide_are_refused(build):
    with pytest.raises(InputError, match="8"):
        build()(torch.zeros(1, 3, 60, 48))
