import numpy as np
import pytest
import torch

from tests.nets.test_evopose2d import ROWS
from vitruvian.nets.evopose2d import EvoPose2D
from vitruvian.train.transfer import overlapped, transfer


def _net(seed: int, *changes: tuple[int, int, int]) -> EvoPose2D:
    """The tiny network with genes (stage, column, value) changed."""
    rows = np.array(ROWS)
    for stage, column, value in changes:
        rows[stage, column] = value
    torch.manual_seed(seed)
    return EvoPose2D(rows.tolist(), 3, depth=1.0, width=1.0, drop=0.0, last=1).eval()


def _maps(net: EvoPose2D) -> torch.Tensor:
    with torch.inference_mode():
        return net(torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64))[0]["heatmap"]


def test_the_same_network_becomes_its_parent():
    parent, child = _net(0), _net(1)
    assert transfer(child, parent.state_dict()) == []
    assert torch.equal(_maps(child), _maps(parent))


def test_a_larger_kernel_around_the_parents_sees_the_same_where_it_is_zero():
    parent, child = _net(0), _net(1, (0, 0, 5))
    with torch.no_grad():
        child.blocks[0][0].dwconv.weight.zero_()
    transfer(child, parent.state_dict())
    kernel = child.blocks[0][0].dwconv.weight
    assert torch.equal(kernel[:, :, 1:4, 1:4], parent.blocks[0][0].dwconv.weight)
    torch.testing.assert_close(_maps(child), _maps(parent))


def test_a_kernel_alone_is_not_handed_over_by_the_authors_program():
    parent, child = _net(0), _net(1, (0, 0, 5))
    before = child.blocks[0][0].dwconv.weight.clone()
    transfer(child, parent.state_dict(), faithful=True)
    assert torch.equal(child.blocks[0][0].dwconv.weight, before)


def test_a_new_block_starts_as_the_last_of_its_stage():
    parent, child = _net(0), _net(1, (1, 1, 3))
    assert transfer(child, parent.state_dict()) == []
    new, last = child.blocks[1][2].state_dict(), parent.blocks[1][1].state_dict()
    assert all(torch.equal(new[name], last[name]) for name in last)


def test_further_entries_of_a_vector_get_the_parents_mean_and_shorter_ones_its_first():
    parent = torch.tensor([1.0, 2.0, 3.0])
    longer = overlapped(torch.zeros(5), parent)
    assert longer.tolist() == [1.0, 2.0, 3.0, 2.0, 2.0]
    assert overlapped(torch.zeros(2), parent).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("faithful", [True, False])
def test_channels_and_kernel_that_both_shrink_keep_the_first_and_the_middle(faithful):
    parent = torch.arange(2 * 1 * 5 * 5.0).view(2, 1, 5, 5)
    child = overlapped(torch.zeros(1, 1, 3, 3), parent, faithful=faithful)
    assert torch.equal(child[0, 0], parent[0, 0, 1:4, 1:4])


def test_what_the_parent_has_not_is_named():
    parent = {k: v for k, v in _net(0).state_dict().items() if not k.startswith("final_conv")}
    assert transfer(_net(1), parent) == ["final_conv.weight", "final_conv.bias"]
