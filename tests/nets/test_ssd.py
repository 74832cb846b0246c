import torch

from vitruvian.codecs.anchors import Anchors
from vitruvian.nets import convert
from vitruvian.nets.count import trace
from vitruvian.nets.ssd import SSD, VGG, Normalise, ssd


def tiny() -> SSD:
    """Three levels, the coarsest of four cells."""
    return SSD(VGG(0.125), levels=3, widths=(32, 16, 8))


def test_levels_and_boxes_are_the_published_ones():
    with torch.device("meta"):
        net = ssd(classes=81)
    (stage,) = trace(net, (512, 512))[1]
    scores = [shape for name, shape in stage.items() if name.startswith("score")]
    assert [h for _, h, _ in scores] == [64, 32, 16, 8, 4, 2, 1]
    assert sum(c // 81 * h * w for c, h, w in scores) == 24_564
    fields = {f.name: (f.channels, *f.cells((512, 512))) for f in Anchors(classes=81).fields}
    assert stage == fields


def test_normalised_cells_have_the_published_length():
    x = Normalise(8)(torch.randn(2, 8, 3, 3))
    assert torch.allclose(x.norm(dim=1), torch.tensor(20.0))


def test_an_imagenet_classifier_starts_the_trunk():
    net = tiny()
    indices = iter((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))
    names = [k for k in net.trunk.state_dict() if k.endswith("weight")]
    theirs = {}
    for name in names:
        index = next(indices)
        for leaf in ("weight", "bias"):
            value = net.trunk.state_dict()[name.replace("weight", leaf)]
            theirs[f"features.{index}.{leaf}"] = torch.full_like(value, 0.25)
    theirs["classifier.0.weight"] = torch.ones(3, 3)
    assert convert.start(net, theirs) == "trunk (torchvision)"
    assert all((x == 0.25).all() for x in net.trunk.state_dict().values())
