"""Heatmap: targets and decodes whose answer is known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))
ONE = Skeleton(name="one", keypoints=("only",))
SEEN = np.array([2], np.uint8)


def encode(codec, xy, size, visible=SEEN):
    return codec.encode(np.array(xy, np.float32), visible, size)["heatmap"]


def decode(codec, map_, size):
    return codec.decode({"heatmap": np.array(map_, np.float32)[None, None]}, size)


@pytest.mark.parametrize(
    "align, xy", [("centre", [9.5, 5.5]), ("legacy", [8.0, 4.0]), ("udp", [2 * 63 / 15, 63 / 15])]
)
def test_the_peak_is_one_where_a_cell_centre_lies_on_the_keypoint(align, xy):
    target = encode(Heatmap(skeleton=ONE, align=align), [xy], (64, 64))

    assert target.value.shape == (1, 16, 16)
    assert target.value[0, 1, 2] == pytest.approx(1)
    assert target.value[0, 1, 4] == pytest.approx(np.exp(-0.5))
    assert target.value[0, 3, 2] == pytest.approx(np.exp(-0.5))


def test_sub_pixel_targets_move_with_the_keypoint_and_quantised_ones_do_not():
    moved = [[9.5 + 1, 5.5]]

    soft = encode(Heatmap(skeleton=ONE), moved, (64, 64)).value
    hard = encode(Heatmap(skeleton=ONE, encoding="quantised"), moved, (64, 64)).value

    assert soft[0, 1, 2] == pytest.approx(np.exp(-(0.25**2) / 8))
    assert hard[0, 1, 2] == 1


@pytest.mark.parametrize("encoding", ["quantised", "windowed"])
def test_cut_targets_end_three_sigma_from_the_nearest_cell(encoding):
    value = encode(Heatmap(skeleton=ONE, encoding=encoding, sigma=1.0), [[41.5, 41.5]], (64, 64))

    assert (value.value[0] > 0).any(axis=0).nonzero()[0].tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert (value.value[0] > 0).any(axis=1).nonzero()[0].tolist() == [7, 8, 9, 10, 11, 12, 13]


def test_a_longer_cutoff_draws_more_cells():
    codec = Heatmap(skeleton=ONE, encoding="quantised", sigma=1.0, cutoff=4.0)

    value = encode(codec, [[41.5, 41.5]], (64, 64)).value

    assert (value[0] > 0).any(axis=0).nonzero()[0].tolist() == list(range(6, 15))


def test_the_background_is_what_the_highest_keypoint_leaves():
    codec = Heatmap(skeleton=PAIR, background=True, stride=1, sigma=1.0)
    points = np.array([[4, 4], [5, 4]], np.float32)

    target = codec.encode(points, np.array([2, 0], np.uint8), (8, 8))["heatmap"]

    assert codec.fields[0].channels == target.value.shape[0] == 3
    assert target.weight.ravel().tolist() == [1, 0, 1]
    assert target.value[2] == pytest.approx(1 - target.value[0])
    nobody = codec.encode(points, np.zeros(2, np.uint8), (8, 8))["heatmap"]
    assert not nobody.weight.any()


def test_a_decode_is_the_same_beside_a_background():
    plain = Heatmap(skeleton=PAIR, sigma=1.5, blur_kernel=1)
    points = np.array([[20.3, 30.6], [40.2, 11.1]], np.float32)
    targets = replace(plain, background=True).encode(points, np.full(2, 2, np.uint8), (64, 64))
    maps = {"heatmap": targets["heatmap"].value[None]}

    decoded = replace(plain, background=True).decode(maps, (64, 64))

    assert decoded.xy[0] == pytest.approx(points, abs=0.01)


def test_the_background_is_no_keypoint_and_has_no_other_side():
    codec = Heatmap(skeleton=PAIR, background=True, stride=1, decoding="argmax")
    maps = np.zeros((1, 3, 1, 4), np.float32)
    maps[0, 0, 0, 0], maps[0, 1, 0, 1], maps[0, 2, 0, 3] = 0.5, 0.6, 0.9

    assert codec.decode({"heatmap": maps}, (1, 4)).xy[0, :, 0].tolist() == [0, 1]
    flipped = codec.flip({"heatmap": maps})["heatmap"][0, :, 0]
    assert flipped.argmax(axis=1).tolist() == [2, 3, 0]


@pytest.mark.parametrize("xy, weight", [([-20.0, 30], 1), ([-40.0, 30], 0), ([30, 95.0], 0)])
def test_a_keypoint_counts_while_its_gaussian_reaches_the_map(xy, weight):
    target = encode(Heatmap(skeleton=ONE), [xy], (64, 64))

    assert target.weight.item() == weight
    assert target.value.any() == weight


def test_a_quarter_cell_towards_the_higher_neighbours():
    map_ = np.zeros((8, 8))
    map_[3, 4], map_[3, 3], map_[4, 4] = 1, 0.5, 0.3

    decoded = decode(Heatmap(skeleton=ONE, decoding="quarter", stride=1), map_, (8, 8))

    assert decoded.xy[0, 0].tolist() == [3.75, 3.25]
    assert decoded.scores[0, 0] == 1


@pytest.mark.parametrize("decoding", ["argmax", "quarter", "dark", "udp"])
def test_a_map_without_a_positive_cell_is_nobody(decoding):
    maps = np.stack([np.zeros((16, 16)), np.full((16, 16), -1.0)]).astype(np.float32)[None]

    decoded = Heatmap(skeleton=PAIR, decoding=decoding).decode({"heatmap": maps}, (64, 64))

    assert np.isnan(decoded.xy).all()
    assert decoded.scores.tolist() == [[0, 0]]
    assert decoded.score.tolist() == [0]


@pytest.mark.parametrize("decoding", ["quarter", "dark", "udp"])
def test_noise_never_throws_a_keypoint_more_than_two_cells(decoding):
    maps = np.random.default_rng(0).uniform(0, 0.1, (500, 1, 24, 18)).astype(np.float32)

    highest = Heatmap(skeleton=ONE, decoding="argmax").decode({"heatmap": maps}, (96, 72))
    decoded = Heatmap(skeleton=ONE, decoding=decoding).decode({"heatmap": maps}, (96, 72))

    assert np.abs(decoded.xy - highest.xy).max() <= 8 + 1e-4


def test_a_grid_may_be_finer_than_the_stride():
    fine = encode(Heatmap(skeleton=ONE, stride=2, sigma=4.0), [[20.3, 30.6]], (64, 64))

    decoded = Heatmap(skeleton=ONE, stride=4).decode({"heatmap": fine.value[None]}, (64, 64))

    assert decoded.xy[0, 0] == pytest.approx([20.3, 30.6], abs=0.01)


def test_flip_swaps_sides_and_mirrors_columns():
    maps = np.arange(8, dtype=np.float32).reshape(1, 2, 1, 4)

    flipped = Heatmap(skeleton=PAIR).flip({"heatmap": maps})["heatmap"]

    assert flipped[0, :, 0].tolist() == [[7, 6, 5, 4], [3, 2, 1, 0]]


def test_shifted_flip_repeats_the_first_column():
    maps = np.arange(8, dtype=np.float32).reshape(1, 2, 1, 4)

    flipped = Heatmap(skeleton=PAIR).flip({"heatmap": maps}, shift=True)["heatmap"]

    assert flipped[0, :, 0].tolist() == [[7, 7, 6, 5], [3, 3, 2, 1]]


@pytest.mark.parametrize(
    "settings", [{"stride": 0}, {"sigma": 0.0}, {"cutoff": 0.0}, {"blur_kernel": 4}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError, match="give a stride"):
        Heatmap(skeleton=ONE, **settings)


def test_a_second_target_can_show_the_person_in_the_middle():
    many = Skeleton(name="many", keypoints=tuple(map(str, range(17))))
    codec = Heatmap(skeleton=many, centred=1.3, align="legacy")
    xy = np.random.default_rng(0).uniform([10, 20], [70, 140], (17, 2)).astype(np.float32)
    visible = np.full(17, 2, np.uint8)
    visible[4], xy[4] = 0, np.nan
    before = xy.copy()

    targets = codec.encode(xy, visible, (256, 192))

    np.testing.assert_array_equal(xy, before)
    assert list(targets) == ["heatmap", "centred"]
    cell = np.argwhere(targets["centred"].value.max(axis=0) > 0.8)[:, ::-1]
    middle = (cell.min(axis=0) + cell.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [24, 32], atol=1.5)
    assert np.ptp(cell[:, 1]) * 4 == pytest.approx(256 / 1.3, abs=16)
    assert targets["centred"].weight[4] == 0
    nobody = codec.encode(np.full_like(xy, np.nan), visible * 0, (256, 192))
    assert not nobody["centred"].value.any()


def test_without_a_blur_the_highest_cell_is_read():
    maps = np.zeros((1, 1, 64, 64), np.float32)
    maps[:, :, 20, 30] = 0.9
    maps[:, :, 40:44, 10:14] = 0.5
    codec = Heatmap(skeleton=ONE, stride=1, decoding="argmax")

    assert codec.decode({"heatmap": maps}, (64, 64)).xy[0, 0].tolist() == [30, 20]


def test_a_blur_prefers_the_wider_peak_and_scores_what_is_there():
    maps = np.zeros((1, 1, 64, 64), np.float32)
    maps[:, :, 20, 30] = 0.9
    maps[:, :, 40:43, 10:13] = 0.5
    codec = Heatmap(skeleton=ONE, stride=1, decoding="argmax", smooth=1.0)

    decoded = codec.decode({"heatmap": maps}, (64, 64))

    assert decoded.xy[0, 0].tolist() == [11, 41]
    assert decoded.scores[0, 0] == pytest.approx(0.5)
