import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.families.tags import AUTHORS, scenes
from vitruvian.codecs.tags import Tags
from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton

BONES = Skeleton(name="three", keypoints=("top", "left", "right"), swaps=(("left", "right"),))
PLAIN = Tags(skeleton=BONES, stride=4, search=4, radius=1)
FINE = Tags(skeleton=BONES, stride=4, fine_stride=2)
SIZE = (96, 128)
both = pytest.mark.parametrize("codec", [PLAIN, FINE], ids=["plain", "fine"])


def encoded(codec, xy, visible=None, size=SIZE, trust=None, boxes=None):
    xy = np.array(xy, np.float32).reshape(-1, 3, 2)
    visible = np.full(xy.shape[:2], 2, np.uint8) if visible is None else visible
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (len(xy), 1)) if boxes is None else boxes
    trust = np.ones(size, np.float32) if trust is None else trust
    return codec.encode(xy, visible, size, boxes=boxes, trust=trust)


def outputs(targets, apart=10.0):
    """What a perfect network answers: heatmaps as asked, tags around the people's numbers."""
    value = {name: target.value[None].copy() for name, target in targets.items()}
    owners = value["tag"][0]
    for k, rows in enumerate(owners):
        at = np.argwhere(rows)
        if len(at):
            gap = ((np.indices(rows.shape)[:, None] - at.T[:, :, None, None]) ** 2).sum(0)
            owners[k] = rows[tuple(at.T)][gap.argmin(0)] * apart
    return value


def scattered(rng, count):
    """People far enough apart to be told apart by a map of cells."""
    corner = np.stack(np.meshgrid(np.arange(4) * 30, np.arange(3) * 30), -1).reshape(-1, 1, 2)
    spread = rng.uniform(4, 24, (12, 3, 2))
    return (corner + spread)[rng.permutation(12)[:count]].astype(np.float32)


@both
@given(seed=st.integers(0, 10**6), count=st.integers(0, 12))
@settings(max_examples=20, deadline=None)
def test_decode_finds_the_encoded_people(codec, seed, count):
    xy = scattered(np.random.default_rng(seed), count)
    (found,) = codec.decode(outputs(encoded(codec, xy)), SIZE)
    assert len(found.xy) == count
    gap = np.abs(found.xy[:, None] - xy[None]).max((2, 3))
    nearest = {int(row.argmin()): float(row.min()) for row in gap}
    assert sorted(nearest) == list(range(count))
    assert max(nearest.values(), default=0) <= 3.01
    assert (found.scores <= 1).all()
    assert (np.diff(found.score) <= 0).all()


@both
def test_targets_are_bumps_and_the_numbers_of_the_people(codec):
    xy = np.array([[[17, 33], [41, 33], [np.nan, np.nan]], [[81, 33], [300, 33], [61, 33]]])
    visible = np.array([[2, 1, 0], [2, 2, 2]], np.uint8)
    targets = encoded(codec, xy, visible)
    assert list(targets) == [field.name for field in codec.fields]
    for field in codec.fields:
        target = targets[field.name]
        assert target.value.shape == (3, *field.cells(SIZE))
        assert target.value.dtype == target.weight.dtype == np.float32
    heat, owner = targets["heatmap"].value, targets["tag"].value
    assert heat[0, 8, 4] == heat[0, 8, 20] == 1
    assert heat[0, 8, 6] == pytest.approx(np.exp(-0.5))
    assert heat[0, 8, 12] == 0  # seven cells from one, eight from the other
    assert owner[0, 8, 4] == 1
    assert owner[0, 8, 20] == 2
    assert owner[2, 8, 15] == 2
    assert np.count_nonzero(owner) == 4  # one is not labelled, one lies outside


def test_people_who_share_a_cell_share_its_number():
    owner = encoded(PLAIN, [[[8, 8], [40, 8], [60, 8]], [[9, 9], [80, 8], [99, 8]]])["tag"].value
    assert owner[0, 2, 2] == 1 * 128 + 2


def test_heatmaps_have_no_weight_where_labels_are_not_complete():
    trust = np.ones(SIZE, np.float32)
    trust[:, 64:] = 0
    targets = encoded(FINE, np.zeros((0, 3, 2)), trust=trust)
    for name, half in (("heatmap", 16), ("heatmap_fine", 32)):
        assert targets[name].weight[:, :, :half].min() == 1
        assert targets[name].weight[:, :, half:].max() == 0
        assert targets[name].value.max() == 0


def test_larger_people_have_wider_bumps_where_asked():
    codec = replace(PLAIN, reference=50.0)
    xy = [[[16, 48], [16, 48], [16, 48]], [[96, 48], [96, 48], [96, 48]]]
    boxes = np.array([[0, 0, 25, 10], [0, 0, 30, 75]], np.float32)
    heat = encoded(codec, xy, boxes=boxes)["heatmap"].value
    assert heat[0, 12, 5] == pytest.approx(np.exp(-0.5 / 1**2))
    assert heat[0, 12, 25] == pytest.approx(np.exp(-0.5 / 3**2))


@both
def test_flipping_twice_changes_nothing_and_tags_come_back_apart(codec):
    rng = np.random.default_rng(0)
    maps = {
        f.name: rng.normal(size=(2, 3, *f.cells(SIZE))).astype(np.float32) for f in codec.fields
    }
    once = codec.flip(maps)
    assert set(once) == {*maps, "tag_flip"} - {"tag"}
    np.testing.assert_array_equal(once["heatmap"][:, 1], maps["heatmap"][:, 2, :, ::-1])
    for name, value in codec.flip(once).items():
        np.testing.assert_array_equal(value, maps[name])


@both
def test_views_of_a_batch_do_not_touch_each_other_and_two_tags_work_like_one(codec):
    rng = np.random.default_rng(1)
    alone = [outputs(encoded(codec, scattered(rng, n))) for n in (3, 0, 5)]
    for view in alone:
        view["tag_flip"] = -view["tag"]
    together = codec.decode({k: np.concatenate([v[k] for v in alone]) for k in alone[0]}, SIZE)
    assert [len(found.xy) for found in together] == [3, 0, 5]
    for found, view in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found.xy, codec.decode(view, SIZE)[0].xy)


def test_a_lacking_keypoint_is_looked_for_where_the_tags_are_the_persons():
    xy = scattered(np.random.default_rng(2), 2)
    weak = outputs(encoded(FINE, xy))
    one, other = (encoded(FINE, person) for person in xy)
    for name in ("heatmap", "heatmap_fine"):
        weak[name][0, 1] = np.maximum(0.05 * one[name].value[1], other[name].value[1])
    (without,) = replace(FINE, refine=False).decode(weak, SIZE)
    (found,) = FINE.decode(weak, SIZE)
    assert np.isnan(without.xy).all(-1).sum() == 1
    assert np.isfinite(found.xy).all()
    row = np.abs(found.xy[:, 0] - xy[0, 0]).max(1).argmin()
    assert np.abs(found.xy[row, 1] - xy[0, 1]).max() < 3
    assert 0 < found.scores[row, 1] < 0.1
    np.testing.assert_array_equal(found.score, without.score)
    (sure,) = replace(FINE, refined_score="one").decode(weak, SIZE)
    assert sure.scores[row, 1] == 1


def test_scales_are_averaged_on_the_grid_of_peaks():
    xy = scattered(np.random.default_rng(3), 4)
    scales = {}
    for scale in (1, 2):
        size = (SIZE[0] * scale, SIZE[1] * scale)
        scales[float(scale)] = outputs(encoded(FINE, (xy + 0.5) * scale - 0.5, size=size))
    merged = FINE.merge(scales)
    assert merged["heatmap_merged"].shape == (1, 3, *SIZE)
    (found,) = FINE.decode(merged, SIZE)
    assert len(found.xy) == 4
    assert np.abs(found.xy[:, None] - xy).max((2, 3)).min(1).max() < 2.5


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_cells_that_are_no_numbers_are_empty(codec, bad, caplog):
    xy = scattered(np.random.default_rng(4), 3)
    fields = outputs(encoded(codec, xy))
    for value in fields.values():
        value[0, 0, :2, :2] = bad
    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(fields, SIZE)
    assert "not finite" in caplog.text
    assert np.isfinite(found.xy[: len(xy)]).all()
    everything = {name: np.full_like(value, bad) for name, value in fields.items()}
    assert len(codec.decode(everything, SIZE)[0].xy) == 0


def test_thousands_of_peaks_are_bounded_and_told(caplog):
    rng = np.random.default_rng(5)
    fields = {
        f.name: rng.random((1, 3, *f.cells((256, 256)))).astype(np.float32) for f in PLAIN.fields
    }
    with caplog.at_level(logging.INFO):
        (found,) = PLAIN.decode(fields, (256, 256))
    assert "the best 30 of each map count" in caplog.text
    assert 30 <= len(found.xy) <= 90


@both
def test_the_smallest_maps_and_constant_ones_are_no_trouble(codec):
    for size in ((4, 4), (4, 64)):
        for level in (0.0, 1.0, -3.0):
            fields = {
                f.name: np.full((1, 3, *f.cells(size)), level, np.float32) for f in codec.fields
            }
            (found,) = codec.decode(fields, size)
            assert len(found.xy) == (level > 0)


def test_wrong_channels_are_refused():
    fields = {f.name: np.zeros((1, 4, *f.cells(SIZE)), np.float32) for f in PLAIN.fields}
    with pytest.raises(InputError, match="3 keypoints of 'three' need B 3 h w"):
        PLAIN.decode(fields, SIZE)


def test_huge_tags_do_not_overflow():
    fields = outputs(encoded(PLAIN, scattered(np.random.default_rng(6), 3)), apart=1e30)
    assert len(PLAIN.decode(fields, SIZE)[0].xy) >= 1


@pytest.mark.parametrize(
    "bad",
    [{"fine_stride": 3}, {"search": 3}, {"align": "udp"}, {"sigma": 0.0}, {"order": ("top",)}],
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ConfigError):
        replace(PLAIN, **bad)


@pytest.mark.shared
def test_by_default_a_scene_of_thirty_keeps_about_thirty_people(shared):
    found = scenes(shared / "parity" / "decode-higherhrnet-ae.npz")
    given_, wanted = found["0"]
    (ours,) = replace(AUTHORS, faithful=False).decode(given_, (512, 512))
    assert len(wanted["scores"]) == 100
    assert 28 <= len(ours.xy) <= 33
