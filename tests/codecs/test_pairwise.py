import logging

import numpy as np
import pytest

from vitruvian.codecs.pairwise import Pairwise
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton

FOUR = Skeleton(
    name="four", keypoints=("head", "neck", "left", "right"), swaps=(("left", "right"),)
)
SIZE = (160, 256)
CODEC = Pairwise(skeleton=FOUR)
SHAPE = np.array([[0, -50], [0, 0], [-40, 25], [42, 28]], np.float32)


def body(x, y):
    """Someone whose neck is there."""
    return np.array([x, y], np.float32) + SHAPE


def encode(people, visible=None, codec=CODEC):
    xy = np.array(people, np.float32).reshape(-1, 4, 2)
    return codec.encode(
        xy,
        np.full(xy.shape[:2], 2, np.uint8) if visible is None else visible,
        SIZE,
        boxes=np.zeros((len(xy), 4), np.float32),
        trust=np.ones(SIZE, np.float32),
    )


def outputs(targets):
    """What a network that learnt the targets answers: a peak in the middle of each disc."""
    maps = {name: target.value[None] for name, target in targets.items()}
    far = np.hypot(*np.split(maps["locref"].reshape(4, 2, *maps["locref"].shape[2:]), 2, axis=1))
    maps["heatmap"] = np.where(maps["heatmap"] > 0, 4 - far[None, :, 0], -4).astype(np.float32)
    return maps


def decode(people, codec=CODEC, **settings):
    (found,) = codec.decode(outputs(encode(people, codec=codec, **settings)), SIZE)
    return found


def test_decode_gives_back_what_encode_was_given():
    people = [body(60, 70), body(180.6, 75.3)]
    found = decode(people)
    order = np.argsort(found.xy[:, 1, 0])
    assert found.xy[order] == pytest.approx(np.array(people), abs=1e-3)
    assert (found.scores > 0.9).all()
    assert found.score == pytest.approx(found.scores.mean(axis=1))


def test_people_whose_arms_cross_are_told_apart_by_their_steps():
    people = [body(100, 70), body(150, 74)]
    found = decode(people)
    order = np.argsort(found.xy[:, 1, 0])
    assert found.xy[order] == pytest.approx(np.array(people), abs=1e-3)


def test_without_statistics_steps_are_in_units_of_the_spread():
    targets = encode([body(60, 76)])
    cell = (7, 9)  # (60, 76): the neck is in the middle of this cell
    assert targets["locref"].value[2:4, cell[1], cell[0]] == pytest.approx(0)
    neck_to_head = 3 * 1 + 0
    assert targets["pairwise"].value[2 * neck_to_head : 2 * neck_to_head + 2, 9, 7] == (
        pytest.approx([0, -50 / 32])
    )


def test_a_disc_is_of_17_pixels_and_where_two_meet_the_nearer_keypoint_is_meant():
    targets = encode([body(60, 76), body(84, 76)])
    value, weight = targets["locref"].value[2], targets["locref"].weight[2]
    assert np.flatnonzero(targets["heatmap"].value[1, 9]).tolist() == [5, 6, 7, 8, 9, 10, 11, 12]
    assert value[9, 6:12] * 7.2801 == pytest.approx([8, 0, -8, 8, 0, -8])
    assert np.array_equal(weight, targets["heatmap"].value[1])


def test_what_is_not_labelled_is_no_target_and_no_step_leads_there():
    visible = np.array([[2, 1, 0, 2]], np.uint8)
    person = body(60, 76)
    person[2] = np.nan
    targets = encode([person], visible)
    assert not targets["heatmap"].value[2].any()
    to_left = [2 * (3 * k + 2 - (k < 2)) for k in (0, 1, 3)]
    assert not targets["pairwise"].weight[to_left].any()
    assert all(np.isfinite(target.value).all() for target in targets.values())
    (found,) = CODEC.decode(outputs(targets), SIZE)
    assert np.isnan(found.xy[0, :, 0]).tolist() == [False, False, True, False]


def test_flip_of_a_mirrored_view_is_the_view():
    rng = np.random.default_rng(0)
    offsets = tuple(map(tuple, rng.uniform(1, 9, (12, 4)).tolist()))
    codec = Pairwise(skeleton=FOUR, offsets=offsets, centre=3.5)
    person = body(61.5, 75.5)
    mirrored = (person * [-1, 1] + [255, 0])[FOUR.flip_index]
    plain, flipped = (
        outputs(encode([person], codec=codec)),
        outputs(encode([mirrored], codec=codec)),
    )
    known = {
        name: target.weight[None] > 0 for name, target in encode([person], codec=codec).items()
    }
    back = codec.flip(flipped)
    for name in plain:
        where = np.broadcast_to(known[name], plain[name].shape)
        assert back[name][where] == pytest.approx(plain[name][where], abs=1e-4)


def test_flipping_twice_changes_nothing():
    rng = np.random.default_rng(1)
    maps = {
        f.name: rng.normal(size=(2, f.channels, *f.cells(SIZE))).astype(np.float32)
        for f in CODEC.fields
    }
    twice = CODEC.flip(CODEC.flip(maps))
    for name, value in maps.items():
        assert twice[name].dtype == np.float32
        assert twice[name] == pytest.approx(value, abs=1e-5)


def test_stages_find_the_same_people_when_they_are_clear():
    people = [body(60, 70), body(180, 75)]
    stages = (("head", "neck"), ("left", "right"))
    assert decode(people, Pairwise(skeleton=FOUR, stages=stages)).xy == pytest.approx(
        decode(people).xy
    )


def test_pairs_outside_the_graph_do_not_count():
    graph = (("head", "neck"), ("neck", "left"))
    found = decode([body(60, 70)], Pairwise(skeleton=FOUR, graph=graph))
    alone = np.isfinite(found.xy[..., 0]).tolist()
    assert alone == [[True, True, True, False], [False, False, False, True]]


def test_nobody_is_decoded():
    found = decode([])
    assert found.xy.shape == (0, 4, 2)
    assert found.score.shape == (0,)


def test_maps_of_one_cell_and_equal_cells_are_no_trouble():
    for cells in (1, 4):
        maps = {f.name: np.zeros((1, f.channels, cells, cells), np.float32) for f in CODEC.fields}
        (found,) = CODEC.decode(maps, (8 * cells, 8 * cells))
        assert found.xy.shape[1:] == (4, 2)
        assert np.isfinite(found.score).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_cells_that_are_no_numbers_count_as_empty(value, caplog):
    maps = outputs(encode([body(60, 70)]))
    (expected,) = CODEC.decode(maps, SIZE)
    for array in maps.values():
        array[..., 15:, 25:] = value
    with caplog.at_level(logging.WARNING):
        (found,) = CODEC.decode(maps, SIZE)
    assert np.array_equal(found.xy, expected.xy)
    assert "not finite" in caplog.text


def test_thousands_of_candidates_are_cut_and_logged(caplog):
    rng = np.random.default_rng(0)
    maps = {
        f.name: rng.normal(size=(1, f.channels, 40, 40)).astype(np.float32) for f in CODEC.fields
    }
    codec = Pairwise(skeleton=FOUR, most=30, apart=0)
    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(maps, (320, 320))
    assert "the 30 most probable count" in caplog.text
    assert np.isfinite(found.xy[..., 0]).sum() <= 30


def test_a_field_of_another_number_of_channels_is_refused():
    maps = outputs(encode([body(60, 70)]))
    with pytest.raises(InputError, match="needs B 8 h w"):
        CODEC.decode(maps | {"locref": maps["locref"][:, :6]}, SIZE)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"graph": (("head", "tail"),)}, "tail"),
        ({"stages": (("head", "neck"),)}, "each of them once"),
        ({"offsets": ((0.0, 0.0, 1.0, 1.0),)}, "give 12"),
        ({"graph": (("head", "neck"),), "weights": ((1.0,) * 9,)}, "one entry for each pair"),
        ({"radius": 0.0}, "above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Pairwise(skeleton=FOUR, **settings)
