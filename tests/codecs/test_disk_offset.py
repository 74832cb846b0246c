"""DiskOffset: discs, votes and decodes whose answer is known by hand."""

import numpy as np
import pytest

from vitruvian.codecs.disk_offset import DiskOffset
from vitruvian.core.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))
ONE = Skeleton(name="one", keypoints=("only",))
PAPER = (353, 257)


def encode(codec, xy, size):
    return codec.encode(np.array(xy, np.float32), np.full(len(xy), 2, np.uint8), size)


def perfect(codec, xy, size):
    targets = encode(codec, xy, size)
    logits = np.where(targets["heatmap"].value > 0, 20, -20).astype(np.float32)
    return {"heatmap": logits[None], "offset": targets["offset"].value[None]}


def test_ones_inside_the_disc_and_offsets_to_the_keypoint_in_radii():
    codec = DiskOffset(skeleton=ONE, stride=1, radius=2.0)

    targets = encode(codec, [[4, 3]], (8, 9))

    disc = targets["heatmap"].value[0]
    assert disc.sum() == 13
    assert disc[3].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert targets["offset"].value[0, 3].tolist() == [0, 0, 1, 0.5, 0, -0.5, -1, 0, 0]
    assert targets["offset"].value[1, :, 4].tolist() == [0, 1, 0.5, 0, -0.5, -1, 0, 0]


def test_offsets_count_only_inside_the_disc_and_heat_everywhere():
    codec = DiskOffset(skeleton=PAIR, stride=8)

    targets = encode(codec, [[40, 40], [500, 500]], (128, 96))

    discs = np.repeat(targets["heatmap"].value, 2, axis=0)
    assert np.array_equal(targets["offset"].weight, discs)
    assert targets["heatmap"].weight.tolist() == [[[1]], [[1]]]
    assert not targets["heatmap"].value[1].any()


def test_the_papers_grid_has_45_by_33_cells_eight_pixels_apart():
    codec = DiskOffset(skeleton=ONE, align="udp", radius=8.0)

    targets = encode(codec, [[8 * 12, 8 * 20]], PAPER)

    disc = targets["heatmap"].value[0]
    assert disc.shape == (45, 33)
    assert np.argwhere(disc).tolist() == [[19, 12], [20, 11], [20, 12], [20, 13], [21, 12]]


@pytest.mark.parametrize("stride, kernel", [(8, 1.0), (8, 4.0), (4, 4.0), (1, 1.0)])
def test_perfect_maps_decode_far_below_half_a_pixel(stride, kernel):
    codec = DiskOffset(skeleton=PAIR, stride=stride, kernel=kernel, align="udp")
    xy = [[100.3, 200.8], [0.0, 352.0]]

    decoded = codec.decode(perfect(codec, xy, PAPER), PAPER)

    assert decoded.xy[0] == pytest.approx(np.array(xy), abs=0.01)


def test_the_score_of_a_whole_disc_is_one_and_of_half_a_disc_half():
    codec = DiskOffset(skeleton=PAIR, stride=1, kernel=1.0)

    decoded = codec.decode(perfect(codec, [[100.4, 120.7], [100.4, -0.5]], (256, 192)), (256, 192))

    assert decoded.scores[0] == pytest.approx([1, 0.5], abs=0.01)
    assert decoded.score[0] == pytest.approx(decoded.scores[0].mean())


def test_a_finer_grid_than_the_stride_is_decoded_too():
    coarse = DiskOffset(skeleton=ONE, stride=8)
    fine = DiskOffset(skeleton=ONE, stride=2)

    decoded = coarse.decode(perfect(fine, [[77.7, 33.3]], (256, 192)), (256, 192))

    assert decoded.xy[0, 0] == pytest.approx([77.7, 33.3], abs=0.01)
    assert decoded.scores[0, 0] == pytest.approx(1, abs=0.02)


def test_voting_averages_the_noise_that_one_offset_keeps():
    rng = np.random.default_rng(0)
    many = Skeleton(name="many", keypoints=tuple(f"k{i}" for i in range(50)))
    xy = rng.uniform(30, [162, 226], (50, 2))
    error = {}
    fields = perfect(DiskOffset(skeleton=many), xy, (256, 192))
    fields["offset"] = fields["offset"] + rng.normal(0, 0.2, fields["offset"].shape)
    fields["heatmap"] = fields["heatmap"] + rng.normal(0, 1, fields["heatmap"].shape)

    for decoding in ("heatmap", "offset", "hough"):
        decoded = DiskOffset(skeleton=many, decoding=decoding).decode(fields, (256, 192))
        error[decoding] = np.linalg.norm(decoded.xy[0] - xy, axis=1).mean()

    assert error["hough"] < 0.5 * error["offset"] < 0.5 * error["heatmap"]


@pytest.mark.parametrize("decoding", ["heatmap", "offset", "hough"])
def test_a_map_that_is_cold_everywhere_is_nobody(decoding):
    codec = DiskOffset(skeleton=ONE, decoding=decoding)
    fields = {
        "heatmap": np.full((2, 1, 8, 6), -20, np.float32),
        "offset": np.zeros((2, 2, 8, 6), np.float32),
    }

    decoded = codec.decode(fields, (64, 48))

    assert np.isnan(decoded.xy).all()
    assert decoded.scores.tolist() == [[0], [0]]


def test_flip_swaps_sides_mirrors_columns_and_negates_x():
    codec = DiskOffset(skeleton=PAIR)
    offset = np.arange(8, dtype=np.float32).reshape(1, 4, 1, 2)
    heatmap = np.arange(4, dtype=np.float32).reshape(1, 2, 1, 2)

    flipped = codec.flip({"heatmap": heatmap, "offset": offset})

    assert flipped["heatmap"][0, :, 0].tolist() == [[3, 2], [1, 0]]
    assert flipped["offset"][0, :, 0].tolist() == [[-5, -4], [7, 6], [-1, 0], [3, 2]]
