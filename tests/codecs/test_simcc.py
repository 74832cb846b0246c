"""Simcc: against MMPose's and the authors' programs, and answers known by hand."""

from functools import cache

import numpy as np
import pytest

from vitruvian.codecs.simcc import Simcc
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton, skeleton

SIZE = (256, 192)
COCO = skeleton("coco17")
PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))


@pytest.fixture(scope="session")
def data(parity_data):
    return cache(lambda: dict(np.load(parity_data / "fn-simcc.npz")))()


def rows(targets, attribute="value"):
    return [getattr(target, attribute).reshape(17, -1) for target in targets.values()]


def outputs(data, name="pred"):
    return {"simcc_x": data[f"{name}_x"][:, :, None], "simcc_y": data[f"{name}_y"][..., None]}


@pytest.mark.parametrize(
    "case, settings, size",
    [
        ("rtm", {"sigma": (4.9, 5.66), "density": False}, SIZE),
        ("g6", {}, SIZE),
        ("g4_15", {"sigma": (4.0, 4.0), "split": 1.5}, (384, 288)),
        ("std", {"target": "smooth"}, SIZE),
        ("onehot", {"target": "smooth", "epsilon": 0.0, "split": 3.0}, (64, 64)),
    ],
)
def test_targets_equal_mmpose(data, case, settings, size):
    codec = Simcc(skeleton=COCO, **settings)

    for person, (xy, visible) in enumerate(zip(data["kp"], data["vis"], strict=True)):
        targets = codec.encode(xy.astype(np.float32), visible.astype(np.uint8), size)

        across, down = rows(targets)
        assert np.abs(across - data[f"enc_{case}_x"][person]).max() <= 1e-6
        assert np.abs(down - data[f"enc_{case}_y"][person]).max() <= 1e-6
        for weight in rows(targets, "weight"):
            assert np.array_equal(weight[:, 0], data[f"enc_{case}_w"][person])


def test_exact_targets_equal_the_authors(data):
    codec = Simcc(skeleton=COCO, sigma=(4.0, 4.0), exact=True)

    targets = codec.encode(data["kp"][0].astype(np.float32), data["vis"][0].astype(np.uint8), SIZE)

    across, down = rows(targets)
    assert np.abs(across - data["sa_x"]).max() <= 1e-6
    assert np.abs(down - data["sa_y"]).max() <= 1e-6
    assert np.array_equal(targets["simcc_x"].weight[:, 0], data["sa_w"])


@pytest.mark.parametrize(
    "settings, key", [({}, "max"), ({"softmax": True}, "maxsm"), ({"score": "mean"}, "rtmlib")]
)
def test_decodes_equal_mmpose_and_rtmlib(data, settings, key):
    decoded = Simcc(skeleton=COCO, **settings).decode(outputs(data), SIZE)

    lost = data[f"{key}_vals"] <= 0
    assert np.isnan(decoded.xy).all(axis=2).tolist() == lost.tolist()
    assert np.abs(decoded.xy * 2 - data[f"{key}_locs"])[~lost].max() == 0
    assert np.array_equal(decoded.scores, data[f"{key}_vals"].clip(0, 1))


def test_flips_equal_mmpose(data):
    flipped = Simcc(skeleton=COCO).flip(outputs(data))

    for axis in "xy":
        ours = flipped[f"simcc_{axis}"].reshape(3, 17, -1)
        assert np.array_equal(ours[:, :3], data[f"flip_{axis}"])


def test_a_flip_that_shifts_goes_one_bin_left():
    row = np.arange(12, dtype=np.float32).reshape(1, 2, 1, 6)
    given = {"simcc_x": row, "simcc_y": np.zeros((1, 2, 6, 1), np.float32)}

    flipped = Simcc(skeleton=PAIR).flip(given, shift=True)

    assert flipped["simcc_x"][0, :, 0].tolist() == [[10, 9, 8, 7, 6, 6], [4, 3, 2, 1, 0, 0]]


def test_half_a_pixel_is_one_bin():
    codec = Simcc(skeleton=PAIR)

    targets = codec.encode(
        np.array([[3.5, 8], [2, 2.2]], np.float32), np.full(2, 2, np.uint8), SIZE
    )

    assert targets["simcc_x"].value.argmax(axis=2).ravel().tolist() == [7, 4]
    assert targets["simcc_y"].value.argmax(axis=1).ravel().tolist() == [16, 4]


@pytest.mark.parametrize("settings", [{"split": 0.0}, {"sigma": (0.0, 1.0)}, {"epsilon": 1.0}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match="above 0"):
        Simcc(skeleton=PAIR, **settings)
