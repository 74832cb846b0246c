import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.cpn import CPN, LAYOUTS, _resize, cpn, cpn_inception
from vitruvian.nets.inception_resnet import InceptionResNet
from vitruvian.nets.resnet import ResNet


def tiny() -> CPN:
    """What the contract tests run."""
    return CPN(ResNet(18), 3, width=8)


def tiny_inception() -> CPN:
    """The same on the other trunk."""
    return CPN(InceptionResNet((1, 1, 2), slim=16), 3, "authors", width=8)


@pytest.mark.parametrize(
    "depth, expected",
    [
        (50, (27_406_826, 7_315_550_208, 16_459_987_968)),
        (101, (46_398_954, 10_952_011_776, 24_642_026_496)),
    ],
)
def test_size_equals_the_port(depth, expected):
    with torch.device("meta"):
        net = cpn(depth)
    assert (parameters(net), macs(net, (256, 192)), macs(net, (384, 288))) == expected


@pytest.mark.parametrize("depth, size", [(50, 27_009_770), (101, 46_001_898)])
def test_size_equals_the_authors_program(depth, size):
    with torch.device("meta"):
        assert parameters(cpn(depth, variant="authors")) == size


def test_size_on_an_inception_is_that_of_its_trunk_and_of_the_authors_pyramid():
    with torch.device("meta"):
        net, resnet = cpn_inception(), cpn(50, variant="authors")
    trunk = 54_306_464  # see tests/nets/test_inception_resnet.py
    # Four projections to 256 channels, without their normalisation, are all that differs.
    narrower = 256 * ((192 + 320 + 1088 + 1536) - (256 + 512 + 1024 + 2048))
    pyramid = parameters(resnet) - parameters(resnet.trunk)
    assert parameters(net) == trunk + pyramid + narrower == 57_627_978


def test_normalisation_keeps_the_epsilon_that_an_inception_learnt_with():
    net = tiny_inception()
    assert net.trunk.conv2d_1a.bn.eps == 1e-3
    assert net.levels[0].norm.eps == net.refine.norm.eps == 1e-9


def variables(parity_data):
    """Names and shapes of the authors' TensorFlow checkpoint."""
    lines = (parity_data / "keys-cpn-tf-res50.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    return {
        name: torch.arange(int(torch.tensor(shape).prod())).float().reshape(shape)
        for name, text in rows
        for shape in [[int(side) for side in text.strip("(),").split(",")]]
    }


def test_every_variable_of_the_authors_checkpoint_has_its_place(parity_data):
    state = variables(parity_data)
    net = cpn(50, variant="authors")
    assert convert.load(net, state, LAYOUTS) == "tensorflow"
    theirs = state["res5/refine_conv2/conv2/weights"]
    ours = net.refine.cascade[0][2].conv2.weight
    assert torch.equal(ours, theirs.permute(3, 2, 0, 1))
    assert torch.equal(net.levels[0].up[0].bias, state["merge/res4/biases"])
    moved = state["resnet_v1_50/block3/unit_6/bottleneck_v1/conv3/BatchNorm/moving_variance"]
    assert torch.equal(net.trunk.layer3[5].bn3.running_var, moved)
    assert torch.equal(net.trunk.layer2[0].downsample[1].weight.sum(), torch.tensor(511 * 256.0))


def names(net):
    return [list(stage) for stage in net(torch.empty(1, 3, 64, 64, device="meta"))]


def test_the_authors_ask_the_coarsest_level_for_the_narrowest_labels_and_the_port_the_finest():
    with torch.device("meta"):
        port, authors = tiny(), CPN(ResNet(18), 3, "authors", width=8)
    easy = ["coarse_3", "coarse_2", "coarse_1", "coarse_0"]
    assert names(port) == [easy, ["heatmap"]]
    assert names(authors) == [easy[::-1], ["heatmap"]]


def test_tensorflow_enlarges_by_stepping_evenly_from_the_first_cell():
    x = torch.tensor([[0.0, 1, 4]]).reshape(1, 1, 1, 3)
    assert _resize(x, (2, 6), "authors")[0, 0, 0].tolist() == [0, 0.5, 1, 2.5, 4, 4]


def test_input_that_does_not_divide_by_32_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 256 x 192"):
        tiny()(torch.zeros(1, 3, 250, 200))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="'authors' and 'port'"):
        cpn(variant="tensorflow")
