import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.codecs import codec_from_json, codec_to_json
from vitruvian.codecs.offsets import Offsets
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton, skeleton

FIVE = Skeleton(
    name="five",
    keypoints=("top", "a", "b", "c", "d"),
    swaps=(("a", "b"), ("c", "d")),
    parents=(("a", "top"), ("b", "top"), ("c", "a"), ("d", "b")),
)
SIZE = (161, 305)
BODY = np.array([[0, 0], [-20, 30], [20, 30], [-25, 70], [25, 70]], np.float32)
CODEC = Offsets(skeleton=FIVE, stride=8)
EXACT = Offsets(skeleton=FIVE, stride=8, step=1, floor=-1.0)


def scene(*places):
    """People N 5 2 at these places."""
    return np.stack([BODY + np.array(at, np.float32) for at in places])


def encode(xy, visible=None, codec=CODEC, size=SIZE, trust=None):
    visible = np.full(xy.shape[:2], 2, np.uint8) if visible is None else visible
    trust = np.ones(size, np.float32) if trust is None else trust
    return codec.encode(xy, visible, size, boxes=np.zeros((len(xy), 4), np.float32), trust=trust)


def outputs(targets):
    """What a perfect network answers, a batch of one."""
    maps = {name: target.value[None].copy() for name, target in targets.items()}
    return maps | {"heatmap": (maps["heatmap"] - 0.5) * 20}


def plain_votes(chance, short, stride):
    """K H W: every pixel's vote, one at a time; fields interpolated between the cells."""
    h, w = ((side - 1) * stride + 1 for side in chance.shape[1:])

    def at(maps, x, y):
        i, j = min(int(y / stride), maps.shape[0] - 2), min(int(x / stride), maps.shape[1] - 2)
        fy, fx = y / stride - i, x / stride - j
        above = maps[i, j] * (1 - fx) + maps[i, j + 1] * fx
        return above * (1 - fy) + (maps[i + 1, j] * (1 - fx) + maps[i + 1, j + 1] * fx) * fy

    votes = np.zeros((len(chance), h + 1, w + 1))
    for k, y, x in np.ndindex(len(chance), h, w):
        to_x, to_y = x + at(short[2 * k], x, y), y + at(short[2 * k + 1], x, y)
        if 0 <= to_x <= w - 1 and 0 <= to_y <= h - 1:
            col, row = int(to_x), int(to_y)
            fx, fy = to_x - col, to_y - row
            share = np.array([[1 - fy], [fy]]) * [1 - fx, fx]
            votes[k, row : row + 2, col : col + 2] += at(chance[k], x, y) * share
    return votes[:, :-1, :-1] / (np.pi * 32**2)


@pytest.mark.parametrize("codec", [CODEC, EXACT], ids=["fast", "exact"])
def test_people_come_back_from_their_targets(codec):
    xy = scene((60, 30), (150, 60), (240, 40))

    (found,) = codec.decode(outputs(encode(xy)), SIZE)

    order = found.xy[:, 0, 0].argsort()
    assert found.xy[order] == pytest.approx(xy, abs=1.01)
    assert (np.diff(found.score) <= 1e-6).all()
    assert found.xy.dtype == found.scores.dtype == found.score.dtype == np.float32


@settings(max_examples=15)
@given(st.lists(st.sampled_from([(60, 30), (150, 60), (240, 40)]), unique=True))
def test_as_many_people_as_there_are(places):
    xy = scene(*places) if places else np.zeros((0, 5, 2), np.float32)

    (found,) = CODEC.decode(outputs(encode(xy)), SIZE)

    assert found.xy.shape == (len(places), 5, 2)


def test_votes_are_those_of_every_pixel():
    rng = np.random.default_rng(0)
    chance = rng.uniform(0, 1, (2, 5, 6)).astype(np.float32)
    short = rng.normal(0, 6, (4, 5, 6)).astype(np.float32)
    votes = plain_votes(chance, short, 8)
    two = Skeleton(name="two", keypoints=("a", "b"))
    codec = Offsets(skeleton=two, stride=8, step=1, floor=-1.0, blur=0.0, peak=1e-4)

    owner, xy, height = codec.peaks(chance, short)

    assert len(owner) > 10
    x, y = xy.astype(int).T
    inside = (x > 0) & (y > 0) & (x < 40) & (y < 32)  # a vote beyond the border leaves a share
    assert height[inside] == pytest.approx(votes[owner, y, x][inside], rel=1e-4)
    highest = votes[:, 1:-1, 1:-1].reshape(2, -1).max(axis=1)
    assert [height[(owner == k) & inside].max() for k in (0, 1)] == pytest.approx(highest, rel=1e-4)


def test_a_disk_that_agrees_has_height_1_before_the_blur():
    xy = np.full((1, 5, 2), np.nan, np.float32)
    xy[0, 0] = [104, 80]
    codec = Offsets(skeleton=FIVE, stride=1, step=1, blur=0.0)

    _, place, height = codec.peaks(
        *(encode(xy, codec=codec)[n].value for n in ("heatmap", "short"))
    )

    assert place.tolist() == [[104, 80]]
    assert height == pytest.approx(1, abs=0.01)


def test_a_keypoint_that_is_not_labelled_is_not_taught_and_not_found():
    xy, visible = scene((100, 50)), np.full((1, 5), 2, np.uint8)
    visible[0, 3], xy[0, 4] = 0, np.nan
    given = xy.copy()

    targets = encode(xy, visible)
    (found,) = CODEC.decode(outputs(targets), SIZE)

    assert (targets["short"].weight.reshape(10, -1).max(axis=1)[:6] == 1).all()
    assert (targets["short"].weight.reshape(10, -1).max(axis=1)[6:] == 0).all()
    assert (targets["mid"].weight.reshape(8, 2, -1).max(axis=(1, 2)) == [1, 1, 0, 0] * 2).all()
    assert np.isnan(found.xy[0, 3:]).all()
    assert np.array_equal(xy, given, equal_nan=True)


def test_the_nearer_of_two_keypoints_has_the_cell():
    xy = np.full((2, 5, 2), np.nan, np.float32)
    xy[:, 0] = [[80, 80], [112, 80]]

    short = encode(xy)["short"].value

    assert short[:2, 10, 9].tolist() == [8, 0]
    assert short[:2, 10, 13].tolist() == [8, 0]
    assert short[:2, 10, 11].tolist() == [-8, 0]


def test_where_labels_may_be_missing_nothing_is_taught():
    trust = np.ones(SIZE, np.float32)
    trust[:, 100:] = 0

    targets = encode(scene((100, 50)), trust=trust)

    for target in targets.values():
        weight = np.broadcast_to(target.weight, target.value.shape)
        assert (weight[:, :, 13:] == 0).all()
        assert weight[:, :, :13].max() == 1


def test_mid_offsets_are_moved_by_the_short_offset_at_their_end():
    fields = outputs(encode(scene((100, 50))))
    fields["mid"] += 6

    (found,) = CODEC.decode(fields, SIZE)

    assert found.xy[0] == pytest.approx(scene((100, 50))[0], abs=1.01)


def test_flipping_twice_changes_nothing():
    rng = np.random.default_rng(3)
    maps = {f.name: rng.normal(size=(2, f.channels, 5, 7)).astype(np.float32) for f in CODEC.fields}
    before = {name: value.copy() for name, value in maps.items()}

    twice = CODEC.flip(CODEC.flip(maps))

    for name, value in before.items():
        assert np.array_equal(twice[name], value)
        assert np.array_equal(maps[name], value)


@pytest.mark.parametrize("bones", [FIVE, skeleton("coco17")], ids=lambda bones: bones.name)
def test_flipped_targets_of_a_mirrored_scene_are_those_of_the_scene(bones):
    codec = Offsets(skeleton=bones, stride=8)
    xy = np.random.default_rng(5).uniform(10, 150, (2, len(bones), 2)).astype(np.float32)
    mirrored = (xy * [-1, 1] + [SIZE[1] - 1, 0]).astype(np.float32)[:, bones.flip_index]

    flipped = codec.flip(outputs(encode(mirrored, codec=codec)))

    for name, value in outputs(encode(xy, codec=codec)).items():
        assert flipped[name] == pytest.approx(value, abs=1e-3)


def test_a_body_that_is_another_in_the_mirror_cannot_be_flipped():
    bones = Skeleton(
        name="odd", keypoints=("a", "b", "c"), swaps=(("a", "b"),), parents=(("a", "c"), ("b", "a"))
    )
    codec = Offsets(skeleton=bones)
    maps = {f.name: np.zeros((1, f.channels, 2, 2), np.float32) for f in codec.fields}

    with pytest.raises(ConfigError, match="another body"):
        codec.flip(maps)


def test_settings_survive_json():
    codec = Offsets(skeleton=FIVE, stride=8, step=1)

    assert codec_from_json(json.loads(json.dumps(codec_to_json(codec))), FIVE) == codec


def test_a_step_of_0_is_refused():
    with pytest.raises(ConfigError, match="step 0"):
        Offsets(skeleton=FIVE, step=0)


def test_fields_of_another_skeleton_are_refused():
    fields = outputs(encode(scene((60, 30))))

    with pytest.raises(InputError, match=r"short .* needs \(B, 10, h, w\)"):
        CODEC.decode(fields | {"short": fields["short"][:, :8]}, SIZE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_nobody(bad):
    fields = {n: np.full_like(maps, bad) for n, maps in outputs(encode(scene((60, 30)))).items()}

    (found,) = CODEC.decode(fields, SIZE)

    assert len(found.xy) == 0


def test_an_offset_out_of_this_world_does_not_harm_the_others():
    fields = outputs(encode(scene((60, 30))))
    fields["short"][0, :, 9, 9], fields["heatmap"][0, :, 9, 9] = 1e30, 10

    (found,) = CODEC.decode(fields, SIZE)

    assert found.xy[0, 0] == pytest.approx(scene((60, 30))[0, 0], abs=2)


def test_no_peak_is_nobody():
    fields = {f.name: np.full((1, f.channels, 5, 7), -20, np.float32) for f in CODEC.fields}

    assert CODEC.decode(fields, SIZE)[0].xy.shape == (0, 5, 2)


def test_one_pixel_maps_are_read():
    fields = {f.name: np.full((1, f.channels, 1, 1), 9, np.float32) for f in CODEC.fields}

    assert np.isfinite(CODEC.decode(fields, (1, 1))[0].score).all()


def test_more_peaks_than_can_be_grouped_are_bounded_and_logged(caplog):
    codec = Offsets(skeleton=FIVE, stride=8, most=20, peak=1e-5)
    rng = np.random.default_rng(1)
    fields = {
        f.name: rng.normal(3, 9, (1, f.channels, 9, 9)).astype(np.float32) for f in CODEC.fields
    }

    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(fields, (65, 65))

    assert "the 20 highest are grouped" in caplog.text
    assert len(found.xy) <= 20
