import pytest
import torch

from vitruvian.nets.count import macs, parameters
from vitruvian.nets.g_rmi import GRMI, g_rmi


def tiny() -> GRMI:
    """What the contract tests run."""
    return g_rmi(18, 3)


def test_crop_of_the_paper_gives_45_x_33_cells():
    with torch.device("meta"):
        (stage,) = g_rmi()(torch.empty(1, 3, 353, 257))
    assert {name: tuple(maps.shape) for name, maps in stage.items()} == {
        "heatmap": (1, 17, 45, 33),
        "offset": (1, 34, 45, 33),
    }


def test_size_is_what_later_papers_quote():
    """Sun et al. 2019, Table 2: 42.6 M parameters, 57.0 G multiply-adds (in units of 2^30)."""
    with torch.device("meta"):
        net = g_rmi()
    assert parameters(net) == pytest.approx(42.6e6, abs=0.05e6)
    assert macs(net, (352, 256)) / 2**30 == pytest.approx(57.0, abs=0.2)
