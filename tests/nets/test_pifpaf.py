import pytest
import torch

from vitruvian.core.errors import ConfigError
from vitruvian.nets import convert
from vitruvian.nets.count import parameters
from vitruvian.nets.pifpaf import LAYOUTS, PifPaf, pifpaf_resnet, pifpaf_shufflenet
from vitruvian.nets.shufflenet import ShuffleNetK, ShuffleUnit


def tiny() -> PifPaf:
    """What the contract tests run."""
    return PifPaf(ShuffleNetK((2, 2, 1), (4, 8, 16, 24)), 3, 2, width=24)


@pytest.mark.parametrize(
    "build, size, upsample, expected",
    [
        (pifpaf_shufflenet, 16, 1, 9_135_537),
        (pifpaf_shufflenet, 20, 1, 22_733_549),
        (pifpaf_shufflenet, 30, 1, 28_520_429),
        (pifpaf_shufflenet, 44, 1, 37_655_533),
        (pifpaf_resnet, 18, 1, 11_298_093),
        (pifpaf_resnet, 50, 1, 23_993_645),
        (pifpaf_resnet, 101, 1, 42_985_773),
        (pifpaf_resnet, 152, 1, 58_629_421),
        (pifpaf_shufflenet, 16, 2, 10_125_960),
        (pifpaf_shufflenet, 30, 2, 29_977_268),
        (pifpaf_resnet, 50, 2, 25_450_484),
    ],
)
def test_size_equals_the_authors_network(build, size, upsample, expected):
    with torch.device("meta"):
        assert parameters(build(size, upsample=upsample)) == expected


@pytest.mark.parametrize("build, size", [(pifpaf_resnet, 18), (pifpaf_shufflenet, 16)])
@pytest.mark.parametrize("upsample, cells", [(1, (9, 11)), (2, (17, 21))])
def test_cells_stand_at_every_16th_or_8th_pixel_from_the_first_to_the_last(
    build, size, upsample, cells
):
    with torch.device("meta"):
        (stage,) = build(size, upsample=upsample)(torch.empty(1, 3, 129, 161))

    assert {name: tuple(x.shape) for name, x in stage.items()} == {
        "cif": (1, 85, *cells),
        "caf": (1, 152, *cells),
    }


def test_channels_of_the_halves_are_interleaved():
    unit = ShuffleUnit(4, 4).eval()
    x = torch.arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 6, 6)

    with torch.inference_mode():
        y = unit(x)

    assert torch.equal(y[:, 0::2], x[:, :2])


def test_shuffled_pixels_of_one_channel_lie_side_by_side():
    net = tiny()
    net.upsample = 2

    fine = net._fine(torch.arange(16.0).reshape(1, 4, 2, 2))

    assert fine.tolist() == [[[[0, 4, 1], [8, 12, 9], [2, 6, 3]]]]


def test_the_authors_names_of_either_trunk_are_known():
    for build, size in ((pifpaf_resnet, 18), (pifpaf_shufflenet, 16)):
        with torch.device("meta"):
            net = build(size)
        theirs = {
            "base_net.input_block.0.weight": "trunk.conv1.weight",
            "base_net.block5.0.conv1.weight": "trunk.layer4.0.conv1.weight",
            "head_nets.1.conv.bias": "caf.bias",
        }
        if build is pifpaf_shufflenet:
            theirs = {
                "base_net.input_block.0.1.running_var": "trunk.input_block.1.running_var",
                "base_net.stage4.0.branch1.3.bias": "trunk.stage4.0.branch1.3.bias",
                "base_net.conv5.0.weight": "trunk.conv5.0.weight",
            }
        for key, ours in theirs.items():
            assert convert.rename(key, LAYOUTS["authors"]) == ours
            assert ours in net.state_dict()


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: pifpaf_shufflenet(17), r"\[16, 20, 30, 44\]"),
        (lambda: pifpaf_resnet(18, upsample=4), "1 .stride 16. and 2"),
    ],
)
def test_what_was_never_published_is_refused(build, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        build()
