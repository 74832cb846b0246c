import pytest
import torch

from vitruvian.core.skeleton import skeleton
from vitruvian.nets.count import parameters
from vitruvian.nets.jain import FLIC_CHAIN, BodyPartPriors, ContrastNorm, Jain, PartDetector, jain


def tiny(size: tuple[int, int] = (64, 64)) -> Jain:
    """What the contract tests run."""
    return Jain(3, ((0, 1), (1, 2)), size, widths=(2, 2, 2), hidden=(4, 4))


def test_sliding_gives_what_each_window_gives():
    torch.manual_seed(0)
    part, x = PartDetector((2, 3, 2), (5, 4)).eval(), torch.randn(1, 3, 80, 72)
    with torch.inference_mode():
        slid = part(x)
        corners = [(4 * i, 4 * j) for i in range(5) for j in range(3)]
        alone = torch.cat([part(x[..., y : y + 64, x_ : x_ + 64]) for y, x_ in corners])
    assert slid.shape == (1, 1, 5, 3)
    torch.testing.assert_close(slid.flatten(), alone.flatten(), atol=1e-5, rtol=1e-5)


def test_the_middle_of_a_window_is_the_middle_of_its_cell():
    """Cell (8, 7) sees 31.5 pixels to each side of (4 x 8 + 1.5, 4 x 7 + 1.5)."""
    net = tiny().eval()
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    net.norm = torch.nn.Identity()
    for parameter in net.parts.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    net(x)[0]["heatmap"][0, 0, 8, 7].backward()
    seen = x.grad.abs().sum(dim=1)[0].nonzero()
    low, high = seen.amin(dim=0), seen.amax(dim=0)
    wanted = torch.tensor([4 * 8 + 1.5, 4 * 7 + 1.5])
    inside = (wanted - 31.5).clamp(min=0), (wanted + 31.5).clamp(max=63)
    assert (low >= inside[0]).all()
    assert (high <= inside[1]).all()
    assert (low <= inside[0] + 4).all()
    assert (high >= inside[1] - 4).all()


def test_a_detector_has_the_layers_of_the_paper():
    sizes = [1216, 12_832, 25_632, 1_296_500, 50_100, 101]
    assert parameters(PartDetector()) == sum(sizes)
    assert PartDetector()(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 1, 1)


def test_the_chain_goes_from_nose_to_wrist():
    names = skeleton("flic11").keypoints
    found = [(names[a], names[b]) for a, b in FLIC_CHAIN]
    sides = [
        [("nose", f"{s}_shoulder"), (f"{s}_shoulder", f"{s}_elbow"), (f"{s}_elbow", f"{s}_wrist")]
        for s in ("left", "right")
    ]
    assert found == sides[0] + sides[1]
    with torch.device("meta"):
        assert jain().priors.priors.shape == (12, 120, 160)


def test_contrast_does_not_depend_on_light():
    torch.manual_seed(0)
    norm, x = ContrastNorm(), torch.rand(1, 3, 40, 40)
    torch.testing.assert_close(norm(x), norm(5 * x + 3), atol=1e-3, rtol=1e-3)
    assert norm(torch.full((1, 3, 40, 40), 7.0)).abs().max() < 1e-2


def test_a_joint_is_believed_where_its_neighbour_says():
    """The prior says that joint 0 lies 3 cells right of joint 1."""
    priors = BodyPartPriors(2, ((0, 1),), (8, 12))
    with torch.no_grad():
        priors.priors[0] = -20
        priors.priors[0, 8 - 1, 12 - 1 + 3] = 20
    logits = torch.full((1, 2, 8, 12), -6.0)
    logits[0, 1, 2, 4] = 6
    logits[0, 0, 2, 6] = logits[0, 0, 5, 1] = 0.0
    found = priors(logits)[0, 0]
    assert found[2, 6] > 0.5
    assert found[5, 1] < -0.5


def test_flat_priors_change_nothing():
    logits = torch.randn(1, 2, 8, 12)
    assert (BodyPartPriors(2, ((0, 1),), (8, 12))(logits) - logits).abs().max() < 1e-4


def test_priors_teach_the_networks_nothing():
    net = tiny()
    net(torch.randn(1, 3, 64, 64))[1]["heatmap"].sum().backward()
    assert net.priors.priors.grad is not None
    assert all(parameter.grad is None for parameter in net.parts.parameters())


@pytest.mark.parametrize("size", [(64, 64), (64, 128)])
def test_maps_have_a_cell_per_four_pixels(size):
    with torch.inference_mode():
        stages = tiny(size).eval()(torch.zeros(1, 3, *size))
    assert {m.shape for s in stages for m in s.values()} == {(1, 3, size[0] // 4, size[1] // 4)}
