import json
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codecs import plain_composite as plain
from vitruvian.codecs import codec_from_json, codec_to_json
from vitruvian.codecs.composite import Composite
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton, skeleton

FIVE = Skeleton(
    name="five",
    keypoints=("top", "a", "b", "c", "d"),
    swaps=(("a", "b"), ("c", "d")),
    limbs=(("top", "a"), ("top", "b"), ("a", "c"), ("b", "d"), ("a", "b")),
    sigmas=(0.1, 0.1, 0.1, 0.1, 0.1),
)
COCO = skeleton("coco17")
SIZE = (161, 241)
BODY = np.array([[0, 0], [-20, 30], [20, 30], [-25, 70], [25, 70]], np.float32)
CODEC = Composite(skeleton=FIVE, stride=8)


def scene(*places, scale=1.0):
    """People N 5 2 at these places."""
    return np.stack([BODY * scale + np.array(at, np.float32) for at in places])


def encode(xy, visible=None, codec=CODEC, size=SIZE, trust=None):
    visible = np.full(xy.shape[:2], 2, np.uint8) if visible is None else visible
    trust = np.ones(size, np.float32) if trust is None else trust
    return codec.encode(xy, visible, size, boxes=np.zeros((len(xy), 4), np.float32), trust=trust)


def outputs(targets, codec=CODEC):
    """What a perfect network answers, a batch of one."""
    made = {}
    for (name, target), (channels, scales) in zip(targets.items(), ((5, 4), (8, 6)), strict=True):
        maps = target.value.reshape(-1, channels, *target.value.shape[1:]).copy()
        maps[:, 1] = (maps[:, 1] - 0.5) * 20
        maps[:, scales:] = np.log(np.expm1(np.maximum(maps[:, scales:], 1e-3)))
        made[name] = maps.reshape(1, *target.value.shape)
    return made


def activated(rng, people, size=(15, 21), keypoints=17, limbs=19):
    """Noisy fields as the authors' network gives them, K 5 h w and E 8 h w."""
    xy = rng.uniform(20, 100, (people, 17, 2)).astype(np.float32)
    codec = Composite(skeleton=COCO, stride=8)
    view = tuple((side - 1) * 8 + 1 for side in size)
    targets = encode(xy, codec=codec, size=view)
    made = []
    for target, channels, scales in zip(targets.values(), (5, 8), (4, 6), strict=True):
        maps = target.value.reshape(-1, channels, *size).copy()
        maps[:, 1] = np.clip(maps[:, 1] * 0.9 + rng.uniform(0, 0.1, maps[:, 1].shape), 0, 1)
        maps[:, 2:] += rng.normal(0, 0.1, maps[:, 2:].shape)
        maps[:, 2:scales:2] += np.arange(size[1])
        maps[:, 3:scales:2] += np.arange(size[0])[:, None]
        maps[:, scales:] = np.maximum(maps[:, scales:], 0.05) + 0.3
        made.append(maps.astype(np.float32))
    return made


def test_people_come_back_from_their_targets():
    xy = scene((60, 30), (120, 60), (180, 40))

    (found,) = CODEC.decode(outputs(encode(xy)), SIZE)

    order = found.xy[:, 0, 0].argsort()
    assert found.xy[order] == pytest.approx(xy, abs=0.01)
    assert found.scores.min() > 0.5
    assert (np.diff(found.score) <= 1e-6).all()


@settings(max_examples=15)
@given(st.lists(st.sampled_from([(40, 30), (95, 45), (150, 60), (205, 35)]), unique=True))
def test_as_many_people_as_there_are(places):
    xy = scene(*places) if places else np.zeros((0, 5, 2), np.float32)

    (found,) = CODEC.decode(outputs(encode(xy)), SIZE)

    assert len(found.xy) == len(places)
    assert found.xy.shape[1:] == (5, 2)
    assert found.xy.dtype == found.scores.dtype == found.score.dtype == np.float32


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("people", [1, 3])
def test_decoder_equals_the_plain_one(people, force):
    cif, caf = activated(np.random.default_rng(people), people)
    codec = Composite(skeleton=COCO, stride=8, activated=True, force_complete=force)

    (found,) = codec.decode(
        {"cif": cif.reshape(1, -1, 15, 21), "caf": caf.reshape(1, -1, 15, 21)}, (113, 161)
    )

    wanted = plain.decode(cif, caf, COCO.limb_index, 8, force=force)
    assert len(found.xy) == len(wanted) > 0
    present = wanted[:, :, 0] > 0
    assert np.array_equal(np.isfinite(found.xy[:, :, 0]), present)
    assert found.xy[present] == pytest.approx(wanted[present][:, 1:3], abs=0.01)
    assert found.scores == pytest.approx(wanted[:, :, 0], abs=1e-4)


def test_raw_and_activated_fields_are_the_same_people():
    xy = scene((60, 30), (150, 60))
    raw = outputs(encode(xy))
    read = {}
    for (name, maps), (channels, scales) in zip(raw.items(), ((5, 4), (8, 6)), strict=True):
        maps = maps.reshape(-1, channels, *maps.shape[2:]).astype(np.float64)
        h, w = maps.shape[2:]
        maps[:, 1] = 1 / (1 + np.exp(-maps[:, 1]))
        maps[:, 2:scales:2] += np.arange(w)
        maps[:, 3:scales:2] += np.arange(h)[:, None]
        maps[:, scales:] = np.log1p(np.exp(maps[:, scales:]))
        read[name] = maps.reshape(raw[name].shape).astype(np.float32)

    (ours,) = CODEC.decode(raw, SIZE)
    (theirs,) = Composite(skeleton=FIVE, stride=8, activated=True).decode(read, SIZE)

    assert ours.xy == pytest.approx(theirs.xy, abs=1e-3)
    assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)


def test_views_of_a_batch_do_not_touch_each_other():
    single = [outputs(encode(scene(at))) for at in ((60, 30), (150, 60))]

    together = CODEC.decode({k: np.concatenate([s[k] for s in single]) for k in single[0]}, SIZE)

    for alone, found in zip(single, together, strict=True):
        assert np.array_equal(CODEC.decode(alone, SIZE)[0].xy, found.xy)


def test_a_keypoint_that_is_not_labelled_is_not_taught_and_not_found():
    xy, visible = scene((100, 50)), np.full((1, 5), 2, np.uint8)
    visible[0, 3], xy[0, 4] = 0, np.nan
    given = xy.copy()

    targets = encode(xy, visible)
    (found,) = CODEC.decode(outputs(targets), SIZE)

    vectors = targets["cif"].weight.reshape(5, 5, 21, 31)[:, 2]
    assert (vectors.sum(axis=(1, 2)) > 0).tolist() == [True, True, True, False, False]
    assert np.isnan(found.xy[0, 3:]).all()
    assert (found.scores[0, 3:] == 0).all()
    assert np.array_equal(xy, given, equal_nan=True)


def test_sixteen_cells_point_at_a_keypoint_and_the_nearer_one_wins():
    xy = np.full((2, 5, 2), np.nan, np.float32)
    xy[:, 0] = [[80, 80], [96, 80]]

    value = encode(xy)["cif"].value.reshape(5, 5, 21, 31)[0]

    assert value[1].sum() == 24  # two 4 x 4 stamps, 2 cells apart, share 4 x 2
    assert np.argwhere(value[1]).min(axis=0).tolist() == [8, 8]
    assert value[2, 10, 10] == 0
    assert value[2, 10, 12] == 0
    assert value[2, 10, 11] == pytest.approx(-1)  # as near to both: the first one's


def test_where_labels_may_be_missing_nothing_is_taught_but_what_is_labelled():
    trust = np.ones(SIZE, np.float32)
    trust[60:100, 100:140] = 0

    weight = encode(scene((60, 30)), trust=trust)["cif"].weight.reshape(5, 5, 21, 31)[0, 1]

    assert weight[10, 15] == 0
    assert weight[8:13, 11:19].sum() == 0
    assert weight[:5].min() == 1


def test_a_hidden_keypoint_behind_someone_is_left_out():
    xy, visible = scene((100, 50), (110, 60)), np.full((2, 5), 2, np.uint8)
    visible[1] = 1

    hidden = encode(xy, visible)["cif"].weight

    alone = encode(xy[:1])["cif"].weight
    assert np.array_equal(hidden, alone)


def test_size_of_a_half_seen_person_is_guessed_from_a_whole_one():
    rng = np.random.default_rng(0)
    body = np.array(
        [(0, 9.3), (-0.35, 9.7), (0.35, 9.7), (-0.7, 9.5), (0.7, 9.5), (-1.4, 8), (1.4, 8)]
    )
    xy = np.full((1, 17, 2), np.nan, np.float32)
    xy[0, :7] = body * [10, -10] + [80, 130] + rng.uniform(0, 1e-6)
    codec = Composite(skeleton=COCO, stride=8)

    targets = encode(xy, codec=codec)

    scale = targets["cif"].value.reshape(17, 5, 21, 31)[0, 4].max()
    seen = np.sqrt(28 * 17) / 8
    assert seen * 2 < scale / 0.026 < seen * 5.001


def test_two_known_keypoints_are_too_few_for_a_size():
    xy = np.full((1, 5, 2), np.nan, np.float32)
    xy[0, :2] = [[80, 80], [100, 90]]

    weight = encode(xy)["cif"].weight.reshape(5, 5, 21, 31)

    assert weight[:2, 2].sum() == 32
    assert weight[:, 4].sum() == 0


def test_flipping_twice_changes_nothing():
    rng = np.random.default_rng(3)
    maps = {
        f.name: rng.normal(size=(2, f.channels, 21, 31)).astype(np.float32) for f in CODEC.fields
    }
    before = {name: value.copy() for name, value in maps.items()}

    twice = CODEC.flip(CODEC.flip(maps))

    for name, value in before.items():
        assert np.array_equal(twice[name], value)
        assert np.array_equal(maps[name], value)


@pytest.mark.parametrize("codec", [CODEC, Composite(skeleton=COCO, stride=8)])
def test_flipped_targets_of_a_mirrored_scene_are_those_of_the_scene(codec):
    bones = codec.skeleton
    rng = np.random.default_rng(5)
    xy = rng.uniform([5, 5], [230, 150], (2, len(bones), 2)).astype(np.float32)
    mirrored = (xy * [-1, 1] + [SIZE[1] - 1, 0]).astype(np.float32)[:, bones.flip_index]

    flipped = codec.flip(outputs(encode(mirrored, codec=codec), codec))

    for name, value in outputs(encode(xy, codec=codec), codec).items():
        assert (np.abs(flipped[name] - value) > 1e-3).mean() < 2e-3  # cells as near to two stamps


def test_a_limb_without_mirror_image_cannot_be_flipped():
    bones = Skeleton(name="odd", keypoints=("a", "b"), swaps=(), limbs=(("a", "b"),))
    one = Skeleton(name="odd", keypoints=("a", "b", "c"), swaps=(("a", "b"),), limbs=(("a", "c"),))
    fields = {"cif": np.zeros((1, 15, 2, 2), np.float32), "caf": np.zeros((1, 8, 2, 2), np.float32)}

    assert Composite(skeleton=bones).flip(fields | {"cif": np.zeros((1, 10, 2, 2), np.float32)})
    with pytest.raises(ConfigError, match="no limb between 'b' and 'c'"):
        Composite(skeleton=one).flip(fields)


def test_settings_survive_json():
    codec = Composite(skeleton=FIVE, stride=16, force_complete=True)

    assert codec_from_json(json.loads(json.dumps(codec_to_json(codec))), FIVE) == codec


def test_confidences_outside_of_0_to_1_are_refused():
    with pytest.raises(ConfigError, match="confidences in"):
        Composite(skeleton=FIVE, seed=1.0)


def test_fields_of_another_skeleton_are_refused():
    fields = outputs(encode(scene((60, 30))))

    with pytest.raises(InputError, match=r"needs \(B, 25, h, w\): 5 channels per keypoint"):
        CODEC.decode(fields | {"cif": fields["cif"][:, :20]}, SIZE)
    with pytest.raises(InputError, match="8 channels per limb"):
        CODEC.flip(fields | {"caf": fields["caf"][:, :39]})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_nobody(bad):
    fields = {
        name: np.full_like(maps, bad) for name, maps in outputs(encode(scene((60, 30)))).items()
    }

    (found,) = CODEC.decode(fields, SIZE)

    assert len(found.xy) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_cell_that_is_no_number_does_not_harm_the_others(bad):
    xy = scene((60, 30), (150, 60))
    fields = outputs(encode(xy))
    for maps in fields.values():
        maps[:, 2:5, 2, 2] = bad
        maps[:, 1, 2, 2] = 20

    (found,) = CODEC.decode(fields, SIZE)

    assert found.xy[found.xy[:, 0, 0].argsort()] == pytest.approx(xy, abs=0.01)


def test_no_peak_is_nobody():
    fields = {f.name: np.full((1, f.channels, 21, 31), -20, np.float32) for f in CODEC.fields}

    assert len(CODEC.decode(fields, SIZE)[0].xy) == 0


def test_one_pixel_maps_are_read():
    fields = {f.name: np.full((1, f.channels, 1, 1), 3, np.float32) for f in CODEC.fields}

    for found in CODEC.decode(fields, (1, 1)):
        assert np.isfinite(found.score).all()


def test_cells_all_sure_of_themselves_are_bounded_and_logged(caplog):
    codec = Composite(skeleton=FIVE, stride=8, most=500)
    rng = np.random.default_rng(1)
    fields = {
        f.name: rng.normal(3, 1, (1, f.channels, 21, 31)).astype(np.float32) for f in codec.fields
    }

    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(fields, SIZE)

    assert "the 500 surest are heard" in caplog.text
    assert np.isfinite(found.score).all()


def test_people_on_the_same_spot_are_one():
    (found,) = CODEC.decode(outputs(encode(scene((60, 30), (60, 30)))), SIZE)

    assert len(found.xy) == 1
