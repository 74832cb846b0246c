import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vitruvian.core.errors import InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.cpm import CPM, LAYOUTS, centre_map, cpm, cpm_vgg


def tiny() -> CPM:
    """What the contract tests run."""
    return cpm(4, 2)


@pytest.mark.parametrize(
    "build, channels, stages, expected",
    [
        (cpm, 15, 6, (31_219_866, 175_437_729_280)),
        (cpm, 10, 4, (21_323_816, 154_500_095_488)),
        (cpm_vgg, 15, 6, (29_852_058, 88_419_683_840)),
    ],
    ids=["MPII and LSP", "FLIC", "MPII, VGG"],
)
def test_size_equals_the_authors_network(build, channels, stages, expected):
    with torch.device("meta"):
        net = build(channels, stages)
    assert (parameters(net), macs(net, (368, 368))) == expected


def test_without_the_centre_each_stage_but_the_first_sees_one_map_less():
    with torch.device("meta"):
        told, not_told = cpm(), cpm(centre=False)
    assert parameters(told) - parameters(not_told) == 5 * 128 * 11 * 11


@pytest.mark.parametrize("fixture", ["cpm-mpii-6stage-centermap", "cpm-mpii-vgg-resize"])
def test_the_centre_is_the_one_that_the_authors_give_as_a_fourth_channel(parity_data, fixture):
    with np.load(parity_data / f"net-{fixture}.npz") as file:
        views = torch.from_numpy(file["input"])
    theirs = F.avg_pool2d(views[:, 3:], 9, 8, ceil_mode=True)
    assert (centre_map(views[:, :3]) - theirs).abs().max() < 1e-6


def test_only_stages_after_the_first_depend_on_the_centre():
    torch.manual_seed(0)
    net, x = tiny().eval(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = [stage["heatmap"] for stage in net(x)]
        net.refine["stage2"].Mconv1.weight[:, -1] += 1
        after = [stage["heatmap"] for stage in net(x)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_names_of_the_caffe_layers_are_read_without_the_prefix_of_the_fixtures(parity_data):
    with np.load(parity_data / "net-cpm-mpii-vgg-resize.npz") as file:
        keys = json.loads(str(file["meta"]))["keys"]
    state = {key.removeprefix("convs."): torch.empty(s, device="meta") for key, s in keys}
    with torch.device("meta"):
        net = cpm_vgg()

    found = convert.match(net, state, LAYOUTS["authors"])

    assert found.faults == 0
    assert found.tensors["refine.stage6.Mconv7.bias"] is state["Mconv7_stage6.bias"]


def test_input_that_does_not_divide_by_8_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 368 x 368"):
        tiny()(torch.zeros(1, 3, 368, 370))
