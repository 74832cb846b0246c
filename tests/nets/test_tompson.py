import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.tompson import SpatialModel, Tompson, tompson


def tiny(size: tuple[int, int] = (64, 64)) -> Tompson:
    """What the contract tests run."""
    return Tompson(3, size, widths=(4, 4, 4, 4, 4))


def spot(x: int, y: int) -> torch.Tensor:
    maps = torch.full((1, 2, 8, 12), -2.0)
    maps[0, :, y, x] = 3
    return maps


def test_a_joint_is_pulled_to_where_the_other_one_says_it_is():
    """The prior says: joint 0 lies 3 cells right of joint 1; alone, joint 0 would not know."""
    model = SpatialModel(2, (8, 12))
    with torch.no_grad():
        model.energies.fill_(-5)
        model.energies[0, 8 - 1, 12 - 1 + 3] = 5
        model.biases.fill_(-5)
    maps = spot(4, 2)
    maps[0, 0] = -1.0
    with torch.inference_mode():
        found = model(maps)[0, 0]
    y, x = divmod(int(found.argmax()), 12)
    assert y == 2
    assert x in (6, 7)  # 13 shifts become 12 cells


def test_flat_priors_change_no_maximum():
    maps = spot(7, 5)
    with torch.inference_mode():
        found = SpatialModel(2, (8, 12))(maps)
    assert found.flatten(2).argmax(dim=2).tolist() == [[5 * 12 + 7] * 2]


def test_every_pair_of_the_eleven_joints_has_a_prior():
    with torch.device("meta"):
        net = tompson()
    assert net.spatial.energies.shape == (110, 120, 180)
    assert net.spatial.biases.shape == (110, 60, 90)


def test_a_view_of_another_size_is_refused():
    with pytest.raises(InputError, match="divide by 8"):
        tiny()(torch.zeros(1, 3, 60, 60))
    with pytest.raises(ConfigError, match="divide by 8"):
        tompson(size=(60, 64))
