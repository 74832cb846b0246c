import logging

import numpy as np
import pytest

from tests.plain_limbs import crowd, people
from vitruvian.codecs.limbs import Limbs
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton
from vitruvian.systems.simplepose import simplepose_4_512x512

FOUR = Skeleton(
    name="four",
    keypoints=("head", "neck", "left", "right"),
    swaps=(("left", "right"),),
    limbs=(
        ("head", "neck"),
        ("neck", "left"),
        ("neck", "right"),
        ("head", "left"),
        ("head", "right"),
        ("left", "right"),
    ),
    parents=(("neck", "head"), ("left", "neck"), ("right", "neck")),
)
SIZE = (192, 256)
CODEC = Limbs(skeleton=FOUR)
SHAPE = np.array([[0, -30], [0, 0], [-20, 25], [22, 28]], np.float32)


def body(x, y):
    """Someone whose neck is there."""
    return np.array([x, y], np.float32) + SHAPE


def encode(xy, visible=None, trust=None, codec=CODEC):
    xy = np.asarray(xy, np.float32)
    return codec.encode(
        xy,
        np.full(xy.shape[:2], 2, np.uint8) if visible is None else visible,
        SIZE,
        boxes=np.zeros((len(xy), 4), np.float32),
        trust=np.ones(SIZE, np.float32) if trust is None else trust,
    )


def decode(targets, codec=CODEC):
    (found,) = codec.decode({name: t.value[None] for name, t in targets.items()}, SIZE)
    return found


def matched(found, xy):
    """Distance of every true keypoint from its own in the person nearest to it."""
    gaps = np.linalg.norm(found.xy[:, None] - xy[None], axis=-1)
    return gaps[gaps.mean(axis=2).argmin(axis=0), np.arange(len(xy))]


@pytest.mark.parametrize("seed", range(4))
def test_decode_gives_back_what_encode_was_given(seed):
    rng = np.random.default_rng(seed)
    middles = np.array([[60, 80], [185, 90]]) + rng.uniform(-3, 3, (2, 2))
    xy = (middles[:, None] + rng.uniform(1, 1.4) * SHAPE).astype(np.float32)

    found = decode(encode(xy))

    assert len(found.score) == 2
    assert matched(found, xy).max() < 1.5  # cubic convolution draws a peak towards a cell's centre
    assert (found.scores > 0.9).all()
    assert found.score[0] >= found.score[1]


def test_people_who_are_close_are_told_apart_by_their_parts():
    xy = np.stack([body(100, 80), body(130, 80)]).astype(np.float32)
    found = decode(encode(xy))
    assert len(found.score) == 2
    assert matched(found, xy).max() < 1


@pytest.mark.parametrize("seed, count", [(0, 3), (1, 6)])
def test_people_are_those_of_whole_maps_and_every_pair(seed, count):
    codec = simplepose_4_512x512().codec
    fields = crowd(codec, count, 384, seed, noise=0.001)

    (found,) = codec.decode(fields, (384, 384))

    peaks, plain = people(codec, fields)
    plain = [p for p in plain if p.count >= 2 and p.total >= 0.45 * p.count]
    plain.sort(key=lambda p: -p.total)
    rows = np.array([p.peaks for p in plain])
    xy = np.where((rows >= 0)[..., None], peaks[rows, :2], np.nan)
    assert len(plain) >= count
    assert found.xy == pytest.approx(xy, abs=1e-3, nan_ok=True)
    assert found.score == pytest.approx([1 - 1 / p.total for p in plain], abs=1e-5)


def test_keypoints_that_are_not_labelled_are_not_found():
    xy = np.stack([body(60, 80)]).astype(np.float32)
    visible = np.array([[2, 1, 0, 2]], np.uint8)
    xy[0, 2] = np.nan
    found = decode(encode(xy, visible))
    assert np.isnan(found.xy[0, :, 0]).tolist() == [False, False, True, False]
    assert found.scores[0, 2] == 0


def test_a_tree_of_limbs_loses_who_misses_a_joint_and_redundant_ones_do_not():
    targets = encode([body(60, 80)])
    targets["limb"].value[1] = 0  # neck to left
    assert np.isfinite(decode(targets).xy).all()
    tree = decode(targets, Limbs(skeleton=FOUR, tree=True))
    assert np.isnan(tree.xy[0, :, 0]).tolist() == [False, False, True, False]


def test_the_authors_steps_are_swapped():
    targets = encode([body(60.0, 81.4)])
    (ours, theirs) = (decode(targets, Limbs(skeleton=FOUR, faithful=f)) for f in (False, True))
    nearest = np.rint((ours.xy + theirs.xy) / 2)
    assert ours.xy - nearest == pytest.approx((theirs.xy - nearest)[..., ::-1], abs=1e-4)


def test_gaussians_end_at_the_window_and_parts_at_their_box():
    targets = encode([body(60, 80)])
    heat, limb = targets["heatmap"].value, targets["limb"].value
    y, x = np.nonzero(heat[1])
    assert (x.min(), x.max(), y.min(), y.max()) == (8, 22, 13, 27)  # 7 cells around (15, 20)
    y, x = np.nonzero(limb[0])  # from (60, 50) to (60, 80)
    assert (x.min(), x.max(), y.min(), y.max()) == (14, 16, 12, 21)
    assert np.unique(limb[limb > 0]).min() == np.float32(0.01)
    assert np.array_equal(targets["foreground"].value[0], heat.max(axis=0))


def test_parts_that_overlap_are_averaged():
    one, other = body(60, 80), body(66, 80)
    maps = [encode(people)["limb"].value for people in ([one], [other], [one, other])]
    both = (maps[0] > 0) & (maps[1] > 0)
    assert maps[2][both] == pytest.approx(((maps[0] + maps[1]) / 2)[both], abs=1e-6)
    assert np.array_equal(maps[2][~both], (maps[0] + maps[1])[~both])


def test_what_is_not_to_be_trusted_and_outlines_have_no_weight():
    trust = np.ones(SIZE, np.float32)
    trust[:, :128] = 0
    targets = encode([body(60, 80)], trust=trust)
    for name in ("limb", "heatmap", "foreground"):
        assert targets[name].weight.shape == (1, 48, 64)
        assert not targets[name].weight[..., :32].any()
        assert targets[name].weight[..., 32:].all()
    assert not targets["person"].weight.any()


def test_nobody_is_encoded_and_decoded():
    targets = encode(np.zeros((0, 4, 2)))
    assert not any(target.value.any() for target in targets.values())
    found = decode(targets)
    assert found.xy.shape == (0, 4, 2)
    assert found.score.shape == (0,)


def test_flip_is_its_own_inverse_and_mirrors_targets():
    xy = np.stack([body(60, 80)]).astype(np.float32)
    mirrored = (xy * [-1, 1] + [255, 0]).astype(np.float32)[:, FOUR.flip_index]
    maps = {name: target.value[None] for name, target in encode(xy).items()}
    flipped = CODEC.flip({n: t.value[None] for n, t in encode(mirrored).items()})
    assert [*flipped] == [field.name for field in CODEC.fields]
    for name, value in maps.items():
        assert np.array_equal(CODEC.flip(CODEC.flip(maps))[name], value)
    # Windows and boxes begin at cells that are rounded, which is not symmetric.
    assert flipped["heatmap"] == pytest.approx(maps["heatmap"], abs=0.016)
    assert np.abs(flipped["limb"] - maps["limb"]).mean(axis=(0, 2, 3)) == pytest.approx(0, abs=0.02)
    wrong = flipped["limb"][:, ::-1]
    assert np.abs(wrong - maps["limb"]).mean() > 3 * np.abs(flipped["limb"] - maps["limb"]).mean()


def test_every_part_of_the_page_has_a_mirror_image():
    codec = simplepose_4_512x512().codec
    maps = {f.name: np.zeros((1, f.channels, 2, 2), np.float32) for f in codec.fields}
    maps["limb"] += np.arange(30, dtype=np.float32)[:, None, None]
    order = codec.flip(maps)["limb"][0, :, 0, 0].astype(int).tolist()
    assert order == [
        *(0, 2, 1, 4, 3, 6, 5, 8, 7, 12, 13, 14, 9, 10, 11, 18, 19, 20, 15, 16, 17),
        *(22, 21, 25, 26, 23, 24, 28, 27, 29),
    ]


def test_views_of_a_batch_do_not_touch_each_other():
    single = [encode([body(60 + 20 * n, 80)]) for n in range(3)]
    together = CODEC.decode(
        {f.name: np.stack([s[f.name].value for s in single]) for f in CODEC.fields}, SIZE
    )
    for found, alone in zip(together, single, strict=True):
        assert np.array_equal(found.xy, decode(alone).xy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cells_that_are_no_numbers_count_as_empty(value, caplog):
    targets = encode([body(60, 80)])
    expected = decode(targets).xy
    targets["heatmap"].value[:, 40:, 50:] = value
    targets["limb"].value[:, 40:, 50:] = value
    with caplog.at_level(logging.WARNING):
        assert decode(targets).xy == pytest.approx(expected)
    assert "not finite" in caplog.text


def test_thousands_of_peaks_are_cut_and_logged(caplog):
    rng = np.random.default_rng(0)
    maps = {f.name: rng.random((1, f.channels, 48, 64), np.float32) for f in CODEC.fields}
    codec = Limbs(skeleton=FOUR, most=20)
    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(maps, SIZE)
    assert "the best 20 of each keypoint count" in caplog.text
    assert len(found.score) <= 80


def test_a_field_of_another_number_of_channels_is_refused():
    maps = {name: target.value[None] for name, target in encode([body(60, 80)]).items()}
    with pytest.raises(InputError, match="needs B 6 h w"):
        CODEC.decode(maps | {"limb": maps["limb"][:, :5]}, SIZE)


def test_maps_of_one_pixel_and_flat_maps_are_no_trouble():
    for cells in (1, 3):
        maps = {f.name: np.ones((1, f.channels, cells, cells), np.float32) for f in CODEC.fields}
        (found,) = CODEC.decode(maps, (4 * cells, 4 * cells))
        assert found.xy.shape[1:] == (4, 2)


def test_parts_that_the_skeleton_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="limbs name \\['tail'\\]"):
        Limbs(skeleton=FOUR, limbs=(("head", "tail"),))
