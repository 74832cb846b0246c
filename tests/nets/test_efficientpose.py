import numpy as np
import pytest
import torch

from vitruvian.core.convert import convert as convert_people
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.types import Boxes
from vitruvian.datasets import open_dataset
from vitruvian.image.read import read
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.efficientpose import (
    LAYOUTS,
    MPII_ORDER,
    EfficientPose,
    Trunk,
    Variant,
    efficientpose,
    upsample,
)
from vitruvian.runtime.backends import torch_network
from vitruvian.runtime.model import Model
from vitruvian.runtime.topdown import TopDown
from vitruvian.systems.efficientpose import efficientpose_rt_mpii_224x224
from vitruvian.systems.metadata import Metadata
from vitruvian.train.device import Normalised


def tiny() -> EfficientPose:
    """What the contract tests run."""
    small = Trunk(8, ((1, 8), (2, 8)))
    return EfficientPose(Variant(Trunk(8, ((1, 8), (1, 8), (2, 8))), small, 8, 2), 3, limbs=2)


@pytest.mark.parametrize(
    "variant, side, size, without_upsampling",
    [
        ("rt", 224, 435_676, 360_855_808),
        ("i", 256, 689_880, 732_483_200),
        ("ii", 368, 1_684_464, 3_602_494_432),
        ("iii", 480, 3_157_612, 11_182_128_448),
        ("iv", 600, 6_448_266, 35_485_800_400),
    ],
)
def test_size_equals_the_authors_network(variant, side, size, without_upsampling):
    with torch.device("meta"):
        net = efficientpose(variant)
    assert parameters(net) == size
    # The authors' count leaves out the upsampling: 4 x 4 weights for each map.
    upsampling = sum(16 * 16 * (side // 8 << step) ** 2 for step in range(3))
    assert macs(net, (side, side)) == without_upsampling + upsampling


@pytest.mark.shared
def test_released_weights_give_the_released_output(shared):
    released = torch.load(shared / "weights" / "efficientpose-rt-trained.pt", weights_only=True)
    net = efficientpose("rt").eval()
    assert convert.load(net, released["state_dict"], LAYOUTS) == "authors"
    with torch.inference_mode():
        (stage,) = net(released["input"])
    expected = released["outputs"][:, list(MPII_ORDER)]
    difference = (stage["heatmap"] - expected).abs().max()
    assert difference <= 1e-5 * expected.abs().max()


@pytest.mark.shared
@pytest.mark.parametrize("reader", ["mpii", "coco"])
def test_released_weights_find_the_people_in_the_sample_pictures(shared, reader):
    page = efficientpose_rt_mpii_224x224()
    net = efficientpose("rt").eval()
    convert.start(net, convert.read(shared / "weights" / "efficientpose-rt-trained.pt"))
    backend = torch_network(Normalised(net, page.input).eval())
    people = TopDown(model=Model(metadata=Metadata.of(page), backend=backend))
    folder = shared / "samples" / reader
    found, sizes = [], []
    for sample in open_dataset(f"{reader}:{folder / f'test_{reader}.json'}@{folder}"):
        known = convert_people(sample, page.skeleton)
        given = Boxes(xyxy=known.boxes, scores=np.ones(len(known.boxes), np.float32))
        (poses,) = people([read(sample.path)], [given], suppress=False)
        sides = (known.boxes[:, 2:] - known.boxes[:, :2]).max(axis=1, keepdims=True)
        gap = np.linalg.norm(poses.xy - known.xy, axis=2) / sides
        found.append(gap[(known.visible > 1) & np.isfinite(gap)])
        sizes.append(len(known.boxes))
    gaps = np.concatenate(found)
    assert sum(sizes) >= 5
    assert np.mean(gaps < 0.1) > 0.6, np.mean(gaps < 0.1)


def test_the_limb_pass_and_the_first_keypoint_pass_answer_only_while_training_them():
    with torch.device("meta"):
        asked, released = tiny(), efficientpose("rt")
    x = torch.empty(1, 3, 64, 48, device="meta")
    shapes = [{n: tuple(m.shape[1:]) for n, m in stage.items()} for stage in asked(x)]
    assert shapes == [{"paf": (4, 64, 48)}, {"heatmap": (3, 64, 48)}, {"heatmap": (3, 64, 48)}]
    assert len(released(x)) == 1


def test_upsampling_keeps_a_constant_map_away_from_the_border():
    (large,) = upsample(torch.ones(1, 2, 6, 6))[:, :1]
    assert large.shape == (1, 48, 48)
    assert torch.allclose(large[:, 16:-16, 16:-16], torch.ones(1, 16, 16))
    assert large[0, 0, 0] < 1


def test_input_that_does_not_divide_by_8_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 224 x 224"):
        tiny()(torch.zeros(1, 3, 224, 225))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="rt, i, ii, iii, iv"):
        efficientpose("v")
