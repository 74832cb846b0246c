"""Fixtures nobody has made yet: the network follows from the meta alone, and has the known size."""

import pytest
import torch

from tests.parity.runner import family
from vitruvian.nets.count import parameters


def _hrnet(width: int) -> dict:
    widths = [width * 2**i for i in range(4)]
    stages = {
        f"STAGE{number}": {
            "NUM_MODULES": modules,
            "NUM_BRANCHES": number,
            "NUM_BLOCKS": [4] * number,
            "NUM_CHANNELS": widths[:number],
        }
        for number, modules in ((2, 1), (3, 4), (4, 3))
    }
    return {"NUM_JOINTS": 16, "EXTRA": {"FINAL_CONV_KERNEL": 1, **stages}}


def _baseline(depth: int, channels: int = 17) -> dict:
    head = {"NUM_DECONV_FILTERS": [256] * 3, "NUM_DECONV_KERNELS": [4] * 3}
    head |= {"DECONV_WITH_BIAS": False, "FINAL_CONV_KERNEL": 1, "NUM_LAYERS": depth}
    return {"NUM_JOINTS": channels, "EXTRA": head}


def _mspn(stages: int, channels: int = 17, layers: tuple[int, ...] = ()) -> dict:
    return {
        "MODEL": {"STAGE_NUM": stages, "UPSAMPLE_CHANNEL_NUM": 256},
        "DATASET": {"KEYPOINT": {"NUM": channels}},
        "LOSS": {"COARSE_TO_FINE": True},
    } | ({"layers": list(layers)} if layers else {})


def _vit(width: int, depth: int, heads: int, *, simple: bool) -> dict:
    trunk = {"img_size": [256, 192], "embed_dim": width, "depth": depth, "num_heads": heads}
    return {
        "backbone": trunk,
        "head": {"num_deconv_layers": 0 if simple else 2, "out_channels": 17},
    }


def _princeton(stacks: int) -> dict:
    return {"nstack": stacks, "inp_dim": 256, "oup_dim": 16, "increase": 0}


@pytest.mark.parametrize(
    "name, config, expected",
    [
        ("hrnet-w32-mpii", _hrnet(32), 28_536_080),
        ("hrnet-w48-mpii", _hrnet(48), 63_595_696),
        ("simplebaseline-res34", _baseline(34), 25_484_881),
        ("simplebaseline-res50-mpii", _baseline(50, 16), 33_999_440),
        ("simplebaseline-res101", _baseline(101), 52_991_825),
        ("mspn-1stg-mpii", _mspn(1, 16), 25_132_480),
        ("mspn-3stg", _mspn(3), 88_592_356),
        ("mspn-4stg", _mspn(4), 120_317_680),
        ("mspn-1stg-4-8-16-3", _mspn(1, layers=(4, 8, 16, 3)), 37_523_020),
        ("mspn-1stg-res101", _mspn(1, layers=(3, 4, 23, 3)), 44_159_948),
        ("mspn-1stg-res152", _mspn(1, layers=(3, 8, 36, 3)), 59_826_636),
        ("cpn-res101-384", {"num_class": 17}, 46_398_954),
        ("alphapose-fastpose-res101", {"NUM_LAYERS": 101, "NUM_JOINTS": 17}, 59_569_873),
        ("alphapose-fastpose-res152", {"NUM_LAYERS": 152, "NUM_JOINTS": 17}, 75_213_521),
        ("hourglass-princeton-1hg", _princeton(1), 4_364_048),
        ("hourglass-princeton-4hg", _princeton(4), 16_559_168),
        (
            "hourglass-bearpaw-s2b4",
            {"num_stacks": 2, "num_blocks": 4, "num_classes": 16},
            24_751_264,
        ),
        ("cpm-flic-4stage", {"prototxt": "FLIC/deploy", "input_channels": 4}, 21_323_816),
        ("vitpose-l-classic", _vit(1024, 24, 16, simple=False), 308_544_785),
        ("vitpose-h-simple", _vit(1280, 32, 16, simple=True), 631_107_857),
    ],
)
def test_a_variant_without_a_fixture_is_built_from_its_meta(name, config, expected):
    found = family(name)
    with torch.device("meta"):
        net = found.build({"fixture": name, "notes": "", **config})
    assert parameters(net) == expected
