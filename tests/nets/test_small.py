import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.nets.test_vitruvian import SMALL
from tests.nets.test_vitruvian import tiny as pose
from vitruvian.codecs.centres import Centres
from vitruvian.core.errors import InputError
from vitruvian.nets.convert import start
from vitruvian.nets.small import Cascade, Maps, Rois, Stages, small_disk
from vitruvian.nets.vitruvian import Spotter, pose_s


def tiny_maps() -> Maps:
    """What the contract tests run."""
    return Maps({"heatmap": 3, "offset": 6}, SMALL, width=8)


def tiny_stages() -> Stages:
    """The same with stages."""
    return Stages(3, 3, SMALL, width=8, hidden=12)


def tiny_cascade() -> Cascade:
    """The same with two levels."""
    return Cascade(3, SMALL, width=8)


def tiny_rois(**settings) -> Rois:
    """The same with boxes."""
    spotter = Spotter(SMALL, (8, 12), (1, 1))
    return Rois(3, 4, spotter=spotter, variant=SMALL, width=8, hidden=8, **settings)


EVERY = (tiny_maps, tiny_stages, tiny_cascade, tiny_rois)


def test_stages_are_named_from_coarse_to_fine_and_the_last_is_decoded():
    with torch.device("meta"):
        found = tiny_stages()(torch.empty(1, 3, 64, 48))
    assert [list(stage) for stage in found] == [["fine_2"], ["fine_1"], ["heatmap"]]
    assert all(maps.shape == (1, 3, 16, 12) for stage in found for maps in stage.values())


def test_fields_are_parts_of_one_layer_in_order():
    net, x = tiny_maps().eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        net.head.bias.copy_(torch.arange(9.0))
        net.head.weight.zero_()
        (stage,) = net(x)
    assert stage["heatmap"][0, :, 0, 0].tolist() == [0, 1, 2]
    assert stage["offset"][0, :, 0, 0].tolist() == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("build", EVERY)
def test_features_come_from_a_pose_network(build):
    published, ours = pose().eval(), build().eval()
    assert start(ours, published.state_dict()) == "trunk (vitruvian pose)"
    x, seen = torch.randn(1, 3, 32, 24), []
    published.mix.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        published(x)
        assert torch.equal(ours.trunk(x)[0], seen[0])


@pytest.mark.parametrize("build", EVERY)
def test_sides_that_8_does_not_divide_are_refused(build):
    with pytest.raises(InputError, match="8"):
        build()(torch.zeros(1, 3, 60, 48))


def test_what_is_taught_is_a_tenth_of_the_network():
    with torch.device("meta"):
        net, whole = small_disk(), pose_s()
    head = sum(p.numel() for n, p in net.named_parameters() if not n.startswith("trunk."))
    assert head < 0.1 * sum(p.numel() for p in whole.parameters())


def _scene() -> dict[str, torch.Tensor]:
    """Outputs of a detector: three people, one of them found twice, one unlikely."""
    centre, box = torch.full((1, 1, 16, 16), -9.0), torch.zeros(1, 4, 16, 16)
    for row, column, logit, sides in (
        (4, 3, 3.0, (20, 30, 25, 35)),
        (4, 5, 2.0, (34, 30, 11, 36)),
        (11, 12, 1.0, (40, 50, 60, 70)),
        (12, 3, -2.0, (10, 10, 10, 10)),
    ):
        centre[0, 0, row, column] = logit
        box[0, :, row, column] = (torch.tensor(sides) / 8).log()
    return {"centre": centre, "box": box}


def test_boxes_are_those_that_the_codec_of_the_detector_reads():
    scene = _scene()
    found, chance = tiny_rois(grow=1.0).found(scene, (128, 128))
    numpy = {name: maps.numpy() for name, maps in scene.items()}
    (theirs,) = Centres(threshold=0.3).decode(numpy, (128, 128))
    assert len(theirs) == 2
    np.testing.assert_allclose(found[0, :2], theirs.xyxy.clip(0, 128), rtol=1e-5)
    np.testing.assert_allclose(chance[0, :2], theirs.scores, rtol=1e-5)
    assert not found[0, 2:].any()
    assert not chance[0, 2:].any()


def test_boxes_are_enlarged_and_stay_in_the_view():
    (box, corner, _, _), _ = (x[0] for x in tiny_rois(grow=1.5).found(_scene(), (128, 128)))
    x, y = 3.5 * 8 - 0.5, 4.5 * 8 - 0.5
    wide, high = 0.25 * 45, 0.25 * 65
    tight = np.array([x - 20 - wide, y - 30 - high, x + 25 + wide, y + 35 + high])
    np.testing.assert_allclose(box, tight.clip(0), rtol=1e-5)
    assert corner[2:].tolist() == [128, 128]


def test_the_head_begins_as_the_last_layer_of_a_pose_network():
    net, read = tiny_rois(), torch.randn(2, 8, 14, 14)
    with torch.no_grad():
        maps, direct = net.logits(read), net.direct(read)
    assert direct.abs().max() > 0
    assert torch.equal(maps, F.interpolate(direct, (56, 56), mode="bilinear"))


def test_while_training_boxes_are_the_peoples_shaken():
    boxes = torch.zeros(1, 1, 5, 4)
    boxes[0, 0, 0] = torch.tensor([10.0, 20, 50, 100])
    net = tiny_rois(grow=1.0, shake=0.05).train()
    (stage,) = net(torch.randn(1, 3, 128, 128), boxes)
    assert stage["roi"].shape == (1, 4, 4, 1)
    assert stage["keypoint"].shape == (1, 4 * 3, 56 * 56, 1)
    off = (stage["roi"][0, :, 0, 0] - boxes[0, 0, 0]) / torch.tensor([40.0, 80, 40, 80])
    assert 0 < off.abs().max() < 0.3
    assert not stage["roi"][0, :, 1:].any()
