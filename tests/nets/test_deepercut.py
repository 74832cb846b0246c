import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets.count import parameters
from vitruvian.nets.deepercut import DeeperCut, deepercut, deepercut_tensorflow


def tiny() -> DeeperCut:
    """What the contract tests run."""
    return deepercut(18, 3)


def tiny_tensorflow() -> DeeperCut:
    """The version that supervises the middle."""
    return deepercut_tensorflow(18, 3)


@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda: deepercut(152, 14), 65_835_884),
        (lambda: deepercut_tensorflow(101, 14, pairs=False), 43_403_384),
        (lambda: deepercut_tensorflow(101, 17), 53_624_484),
    ],
)
def test_size_equals_the_authors_network(build, expected):
    with torch.device("meta"):
        assert parameters(build()) == expected


def test_fields_are_at_stride_8_and_the_middle_is_supervised():
    with torch.device("meta"):
        middle, last = deepercut_tensorflow()(torch.empty(1, 3, 64, 96))
    assert {k: tuple(v.shape) for k, v in middle.items()} == {"heatmap": (1, 17, 8, 12)}
    assert {k: tuple(v.shape) for k, v in last.items()} == {
        "heatmap": (1, 17, 8, 12),
        "locref": (1, 34, 8, 12),
        "pairwise": (1, 544, 8, 12),
    }


def test_caffes_network_has_one_stage_without_pairs_for_one_person():
    with torch.device("meta"):
        stages = deepercut(50, 14, pairs=False)(torch.empty(1, 3, 64, 64))
    assert [[*stage] for stage in stages] == [["heatmap", "locref"]]


def test_the_fourth_levels_middle_is_its_twelfth_block_of_23():
    with torch.device("meta"):
        assert deepercut_tensorflow(101).early == 11


def test_versions_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="versions are 'caffe' and 'tensorflow'"):
        deepercut(version="torch")


def test_input_that_does_not_divide_by_16_is_refused_with_the_nearest_size():
    with pytest.raises(InputError, match="nearest size is 336 x 336"):
        tiny()(torch.zeros(1, 3, 336, 340))
