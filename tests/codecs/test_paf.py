from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.plain_paf import people, plain
from vitruvian.codecs.paf import Paf
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton, skeleton

BODY = skeleton("body18")
SIZE = (160, 240)
CODEC = Paf(skeleton=BODY)
LIGHT = Paf(
    skeleton=BODY,
    enlarge=4,
    to_view=False,
    blur=0.0,
    apart=6.0,
    passing_only=True,
    length_prior=0.0,
    min_keypoints=3,
    min_score=0.2,
)
COUNTS = {"heatmap": 19, "paf": 38}
PAIR = Skeleton(name="pair", keypoints=("a", "b"), limbs=(("a", "b"),), parents=(("b", "a"),))
FIGURE = np.array(
    [
        *([0, -40], [0, -22], [-14, -22], [-22, -4], [-24, 12], [14, -22], [22, -4], [24, 12]),
        *([-8, 14], [-9, 34], [-10, 52], [8, 14], [9, 34], [10, 52]),
        *([-4, -44], [4, -44], [-9, -42], [9, -42]),
    ],
    np.float32,
)
"""A standing person of ``body18`` around (0, 0), about 100 pixels tall."""


def encoded(xy, codec=CODEC, size=SIZE, trust=None):
    xy = np.asarray(xy, np.float32)
    trust = np.ones(size, np.float32) if trust is None else trust
    seen = np.isfinite(xy).all(axis=2).astype(np.uint8)
    boxes = np.zeros((len(xy), 4), np.float32)
    return codec.encode(xy, seen, size, boxes=boxes, trust=trust)


def fields_of(xy, codec=CODEC, size=SIZE):
    return {name: t.value[None] for name, t in encoded(xy, codec, size).items()}


def decoded(xy, codec=CODEC, size=SIZE):
    (found,) = codec.decode(fields_of(xy, codec, size), size)
    return found


def row(count, size=SIZE):
    """People side by side."""
    x = (np.arange(count) + 0.5) / count * size[1]
    return FIGURE + np.stack([x, np.full(count, size[0] / 2)], axis=1)[:, None].astype(np.float32)


def test_a_keypoint_is_a_gaussian_and_the_background_the_rest():
    xy = np.full((1, 2, 2), np.nan, np.float32)
    xy[0, 0] = 19.5, 11.5  # cell (2, 1)
    heat = encoded(xy, Paf(skeleton=PAIR))["heatmap"].value

    assert heat[0, 1, 2] == 1
    assert heat[0, 1, 3] == pytest.approx(np.exp(-0.5 * (8 / 7) ** 2))
    assert heat[0].max() == 1
    assert (heat[1] == 0).all()
    assert heat[2] == pytest.approx(1 - heat[0])


def test_a_limb_is_a_band_of_unit_vectors():
    xy = [[[11.5, 43.5], [51.5, 43.5]]]  # cells (1, 5) to (6, 5)
    paf = encoded(xy, Paf(skeleton=PAIR))["paf"].value

    band = np.zeros((20, 30))
    band[4:7, 0:8] = 1  # one cell beyond its ends
    assert paf[0].tolist() == band.tolist()
    assert (paf[1] == 0).all()


def test_where_limbs_of_two_people_meet_the_field_is_their_mean():
    xy = [[[11.5, 43.5], [91.5, 43.5]], [[51.5, 83.5], [51.5, 3.5]]]
    x, y = encoded(xy, Paf(skeleton=PAIR))["paf"].value[:, 5, 6]

    assert (x, y) == (0.5, -0.5)


def test_several_people_are_the_highest_gaussian_or_their_sum_where_faithful():
    xy = [[[99.5, 43.5], [11.5, 83.5]], [[107.5, 43.5], [11.5, 83.5]]]  # cells 12 and 13
    far = np.exp(-0.5 * (8 / 7) ** 2)

    highest = encoded(xy, Paf(skeleton=PAIR))["heatmap"].value[0, 5, 11:13]
    added = encoded(xy, Paf(skeleton=PAIR, faithful=True))["heatmap"].value[0, 5, 11:13]

    assert highest == pytest.approx([far, 1])
    assert added == pytest.approx([far + np.exp(-0.5 * (16 / 7) ** 2), 1])


def test_cells_weigh_what_is_trusted_of_them_and_nothing_outside_the_view():
    trust = np.ones((157, 238), np.float32)
    trust[:8, :4] = 0
    weight = encoded(row(1), size=trust.shape, trust=trust)["paf"].weight

    assert weight.shape == (1, 20, 30)
    assert weight[0, 0, 0] == 0.5
    assert weight[0, 19, 0] == 5 / 8
    assert weight[0, 1:19, :29].min() == 1


def test_nobody_is_empty_fields_and_back():
    targets = encoded(np.zeros((0, 18, 2)))

    assert targets["heatmap"].value[:-1].max() == 0
    assert targets["paf"].value.any() == np.False_
    assert decoded(np.zeros((0, 18, 2))).xy.shape == (0, 18, 2)


@pytest.mark.parametrize("codec", [CODEC, LIGHT], ids=["openpose", "lightweight"])
@settings(max_examples=15)
@given(
    places=st.lists(st.tuples(st.floats(42, 358), st.floats(66, 172)), max_size=5),
    seed=st.integers(0, 1000),
)
def test_decode_gives_back_people_who_do_not_overlap(codec, places, seed):
    centres = np.array(places, np.float32).reshape(-1, 2)
    gaps = np.abs(centres[:, None] - centres).max(axis=2) + 1e3 * np.eye(len(centres))
    assume(len(centres) < 2 or (gaps.min() > 115))
    xy = FIGURE + centres[:, None]
    xy += np.random.default_rng(seed).uniform(-2, 2, xy.shape).astype(np.float32)

    found = decoded(xy, codec, (240, 400)).xy

    assert len(found) == len(xy)
    for person in xy:
        assert np.abs(found - person).max(axis=(1, 2)).min(initial=9) < 3.0


def test_people_come_best_first_with_scores_in_range():
    xy = row(2)
    xy[0, 8:14] = np.nan  # no legs

    found = decoded(xy)

    assert found.score[0] > found.score[1] > 0
    assert np.isnan(found.xy[1, 8:14]).all()
    assert (found.scores[1, 8:14] == 0).all()
    assert found.scores.max() <= 1


def test_a_mirrored_scene_is_flipped_back():
    xy = row(2) + np.random.default_rng(1).normal(size=(2, 18, 2)).astype(np.float32)
    mirrored = (xy * [-1, 1] + [SIZE[1] - 1, 0]).astype(np.float32)[:, BODY.flip_index]

    back = CODEC.flip(fields_of(mirrored))

    for name, value in fields_of(xy).items():
        assert back[name] == pytest.approx(value, abs=1e-5)


def test_flip_turns_a_limb_whose_mirror_image_runs_the_other_way():
    bones = Skeleton(
        name="hips",
        keypoints=("left", "right"),
        swaps=(("left", "right"),),
        limbs=(("left", "right"),),
    )
    xy = [[[40.0, 80.0], [100.0, 60.0]]]
    mirrored = (np.array(xy) * [-1, 1] + [SIZE[1] - 1, 0])[:, ::-1]
    codec = Paf(skeleton=bones)

    back = codec.flip(fields_of(mirrored, codec))

    assert back["paf"] == pytest.approx(fields_of(xy, codec)["paf"], abs=1e-5)


@pytest.mark.parametrize("assembly", ["merge", "extend"])
@pytest.mark.parametrize("codec", [CODEC, LIGHT], ids=["openpose", "lightweight"])
@pytest.mark.parametrize("size", [SIZE, (200, 300)], ids=str)
def test_the_plain_programme_finds_the_same_people_in_noisy_crowds(codec, size, assembly):
    codec = replace(codec, faithful=True, assembly=assembly, apart=0.0 if codec.blur else 6.0)
    rng = np.random.default_rng(7)
    xy = row(5) + rng.normal(0, 4, (5, 18, 2)).astype(np.float32)
    fields = {
        name: (value + rng.normal(0, 0.02, value.shape)).astype(np.float32)
        for name, value in fields_of(xy).items()
    }
    peaks, table = people(fields["heatmap"][0], fields["paf"][0], size, plain(codec))

    (found,) = codec.decode(fields, size)

    grid = size if codec.to_view else (SIZE[0] // 2, SIZE[1] // 2)
    places = np.append(peaks[:, :2], [[np.nan] * 2], axis=0)[table[:, :-2].astype(int)]
    places = (places + 0.5) * [size[1] / grid[1], size[0] / grid[0]] - 0.5
    assert len(found.xy) == len(places) > 2
    for person, total in zip(places, table[:, -2], strict=True):
        same = np.isclose(found.xy, person, atol=1e-3, equal_nan=True).all(axis=(1, 2))
        assert same.sum() == 1
        assert found.score[same] == pytest.approx(min(total / 35, 1), abs=1e-5)


def test_views_of_a_batch_do_not_mix():
    one, two = fields_of(row(1)), fields_of(row(2))
    both = {name: np.concatenate([one[name], two[name]]) for name in one}

    found = CODEC.decode(both, SIZE)

    assert [len(view.xy) for view in found] == [1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_count_as_zero_and_are_logged(bad, caplog):
    fields = fields_of(row(2))
    fields["heatmap"][0, :, :3, :3] = bad
    fields["paf"][0, :, :3, :3] = bad
    before = {name: value.copy() for name, value in fields.items()}

    (found,) = CODEC.decode(fields, SIZE)

    assert found.xy == pytest.approx(decoded(row(2)).xy, nan_ok=True)
    assert "not finite" in caplog.text
    assert all(np.array_equal(before[n], fields[n], equal_nan=True) for n in fields)


def test_fields_without_any_number_hold_nobody():
    fields = {name: np.full_like(value, np.nan) for name, value in fields_of(row(1)).items()}

    assert len(CODEC.decode(fields, SIZE)[0].xy) == 0


@pytest.mark.parametrize("name", ["heatmap", "paf"])
def test_fields_with_other_channels_are_refused(name):
    fields = fields_of(row(1))
    fields[name] = fields[name][:, 1:]

    with pytest.raises(InputError, match="'body18' needs B 19 h w and B 38 h w"):
        CODEC.decode(fields, SIZE)


def test_fields_of_different_grids_are_refused():
    fields = fields_of(row(1))
    fields["paf"] = fields["paf"][:, :, 1:]

    with pytest.raises(InputError, match="needs B 19 h w"):
        CODEC.decode(fields, SIZE)


def test_thousands_of_peaks_are_cut_to_the_best_and_logged(caplog):
    rng = np.random.default_rng(0)
    fields = {
        "heatmap": rng.uniform(0, 1, (1, 19, 40, 40)).astype(np.float32),
        "paf": rng.uniform(-1, 1, (1, 38, 40, 40)).astype(np.float32),
    }

    (found,) = replace(LIGHT, most=20).decode(fields, (320, 320))

    assert len(found.xy) <= 18 * 20
    assert "of which 360 are looked at" in caplog.text


def test_a_limb_without_length_is_no_limb():
    xy = row(1)
    xy[0, 3] = xy[0, 2]
    limb = CODEC.skeleton.limbs.index(("right_shoulder", "right_elbow"))

    assert (encoded(xy)["paf"].value[2 * limb : 2 * limb + 2] == 0).all()
    assert np.isnan(decoded(xy).xy[0, 3]).all()


def test_equal_peaks_are_one_person_each():
    fields = fields_of(row(2))
    fields["heatmap"] = (fields["heatmap"] > 0.6).astype(np.float32)

    (found,) = CODEC.decode(fields, SIZE)

    assert len(found.xy) == 2


@pytest.mark.parametrize("codec", [CODEC, LIGHT], ids=["openpose", "lightweight"])
def test_a_map_of_one_cell_is_read_like_any_other(codec):
    fields = {name: np.ones((1, count, 1, 1), np.float32) for name, count in COUNTS.items()}

    (found,) = codec.decode(fields, (8, 8))
    (empty,) = codec.decode({name: 0 * value for name, value in fields.items()}, (8, 8))

    assert len(empty.xy) == 0
    assert len(found.xy) < 10
    assert ((found.xy > -0.5) & (found.xy < 7.5) | np.isnan(found.xy)).all()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"samples": 1}, "two samples at least"),
        ({"sigma": 0.0}, "sigma 0.0"),
        ({"blur": -1.0}, "blur -1.0"),
        ({"order": (0, 1)}, "name each of the 19 limbs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Paf(skeleton=BODY, **wrong)
