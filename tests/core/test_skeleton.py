"""Shipped skeletons against the published joint orders, and what a bad skeleton file says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.errors import ConfigError, InputError, UnknownName
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names

ALL = skeleton_names()


def _positions(bones: Skeleton, *names: str) -> list[int]:
    return [bones.index(n) for n in names]


@pytest.mark.parametrize("name", ALL)
def test_a_skeleton_survives_saving_and_loading(name, tmp_path):
    bones = skeleton(name)
    bones.save(tmp_path / "copy.json")
    assert bones.name == name
    assert skeleton(str(tmp_path / "copy.json")) == bones
    assert Skeleton.from_json(json.loads(json.dumps(bones.to_json()))) == bones


@pytest.mark.parametrize("name", ALL)
def test_flipping_twice_is_identity_and_swaps_every_left_with_its_right(name):
    bones = skeleton(name)
    flip = bones.flip_index
    assert (flip[flip] == np.arange(len(bones))).all()
    sides = {"left": "right", "right": "left"}
    for joint, mirrored in zip(bones.keypoints, np.array(bones.keypoints)[flip], strict=True):
        side, _, rest = joint.partition("_")
        if side in sides:
            assert mirrored == f"{sides[side]}_{rest}"


@pytest.mark.parametrize("name", ALL)
def test_limbs_parents_and_derived_joints_are_mirror_symmetric(name):
    bones = skeleton(name)
    other = dict(zip(bones.keypoints, np.array(bones.keypoints)[bones.flip_index], strict=True))
    for pairs in (bones.limbs, bones.parents):
        edges = {frozenset(pair) for pair in pairs}
        assert edges == {frozenset(other[n] for n in pair) for pair in pairs}
    for joint, inputs in bones.derived:
        assert {other[n] for n in inputs} == set(inputs)
        assert other[joint] == joint


@pytest.mark.parametrize("name", ALL)
def test_limbs_connect_the_whole_body_and_parents_form_one_tree(name):
    bones = skeleton(name)
    assert len(bones.parents) == len(bones) - 1
    reached, edges = {bones.keypoints[0]}, [set(pair) for pair in bones.limbs]
    while grown := {n for e in edges if e & reached for n in e} - reached:
        reached |= grown
    assert {n for n in bones.keypoints if not n.startswith("face_")} <= reached


@pytest.mark.parametrize("name", ALL)
def test_sigmas_are_one_per_keypoint_and_alike_on_both_sides_of_the_body(name):
    bones = skeleton(name)
    if not bones.sigmas:
        with pytest.raises(InputError, match="no OKS sigmas"):
            _ = bones.oks_sigmas
        return
    sigmas = bones.oks_sigmas
    assert sigmas.shape == (len(bones),)
    assert ((sigmas > 0) & (sigmas < 0.2)).all()
    if name in {"coco17", "crowdpose14", "posetrack15", "halpe26"}:
        assert (sigmas == sigmas[bones.flip_index]).all()


@pytest.mark.parametrize(
    ("name", "joints"),
    [
        # joint ids as the data sets and toolkits document them
        ("coco17", {"nose": 0, "left_eye": 1, "left_shoulder": 5, "right_ankle": 16}),
        ("mpii16", {"right_ankle": 0, "pelvis": 6, "thorax": 7, "neck": 8, "head_top": 9,
                    "right_wrist": 10, "left_shoulder": 13, "left_wrist": 15}),
        ("lsp14", {"right_ankle": 0, "left_hip": 3, "right_wrist": 6, "left_shoulder": 9,
                   "neck": 12, "head_top": 13}),
        ("aic14", {"right_shoulder": 0, "left_shoulder": 3, "right_hip": 6, "left_ankle": 11,
                   "head_top": 12, "neck": 13}),
        ("flic11", {"left_shoulder": 0, "right_shoulder": 3, "left_hip": 6, "right_hip": 7,
                    "left_eye": 8, "nose": 10}),
        ("body18", {"nose": 0, "neck": 1, "right_shoulder": 2, "left_shoulder": 5, "right_hip": 8,
                    "left_hip": 11, "right_eye": 14, "left_ear": 17}),
        ("body25", {"neck": 1, "pelvis": 8, "right_hip": 9, "left_hip": 12, "right_eye": 15,
                    "left_big_toe": 19, "left_heel": 21, "right_heel": 24}),
        ("jhmdb15", {"neck": 0, "belly": 1, "face": 2, "right_shoulder": 3, "left_hip": 6,
                     "right_wrist": 11, "left_ankle": 14}),
        ("penn13", {"head": 0, "left_shoulder": 1, "right_wrist": 6, "left_hip": 7,
                    "right_ankle": 12}),
        ("posetrack15", {"right_ankle": 0, "right_wrist": 6, "left_shoulder": 9, "neck": 12,
                         "nose": 13, "head_top": 14}),
        ("crowdpose14", {"left_shoulder": 0, "right_wrist": 5, "left_hip": 6, "head_top": 12,
                         "neck": 13}),
        ("halpe26", {"head_top": 17, "neck": 18, "pelvis": 19, "left_big_toe": 20,
                     "right_big_toe": 21, "right_heel": 25}),
        ("coco_wholebody133", {"left_big_toe": 17, "right_heel": 22, "face_00": 23, "face_67": 90,
                               "left_palm": 91, "left_pinky_4": 111, "right_palm": 112,
                               "right_pinky_4": 132}),
    ],
)  # fmt: skip
def test_joints_stand_where_the_data_set_documents_them(name, joints):
    bones = skeleton(name)
    assert _positions(bones, *joints) == list(joints.values())
    count = int("".join(c for c in name if c.isdigit()))
    assert len(bones) == count


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("mpii16", [(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)]),
        ("lsp14", [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9)]),
        ("coco17", [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]),
    ],
)
def test_flip_pairs_are_the_published_ones(name, pairs):
    flip = skeleton(name).flip_index
    assert {(k, int(f)) for k, f in enumerate(flip) if k < f} == set(pairs)


def test_openpose_limbs_stand_in_the_order_of_the_field_channels():
    body18 = """1-8 8-9 9-10 1-11 11-12 12-13 1-2 2-3 3-4 2-16 1-5 5-6 6-7 5-17 1-0
                0-14 0-15 14-16 15-17"""
    body25 = """1-8 9-10 10-11 8-9 8-12 12-13 13-14 1-2 2-3 3-4 2-17 1-5 5-6 6-7 5-18 1-0
                0-15 0-16 15-17 16-18 14-19 19-20 14-21 11-22 22-23 11-24"""
    for name, limbs in (("body18", body18), ("body25", body25)):
        assert [f"{a}-{b}" for a, b in skeleton(name).limb_index] == limbs.split()


def test_wholebody_sigmas_belong_to_their_parts():
    bones = skeleton("coco_wholebody133")
    sigma = dict(zip(bones.keypoints, bones.sigmas, strict=True))
    assert sigma["nose"] == 0.026
    assert sigma["left_big_toe"] == 0.068
    assert sigma["right_heel"] == 0.094
    assert (sigma["face_00"], sigma["face_67"]) == (0.042, 0.008)
    assert (sigma["left_palm"], sigma["right_pinky_4"]) == (0.029, 0.031)


def test_an_unknown_skeleton_is_met_with_a_suggestion():
    with pytest.raises(UnknownName, match="did you mean 'coco17'"):
        skeleton("coco71")
    with pytest.raises(UnknownName, match="did you mean 'left_knee'"):
        skeleton("coco17").index("left_kne")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": []}, "at least one"),
        ({"keypoints": ["a", "a"]}, "unique"),
        ({"swaps": [["a", "z"]]}, r"\['z'\] are used in swaps"),
        ({"swaps": [["a", "b"], ["b", "c"]]}, "more than one swap pair"),
        ({"limbs": [["a", "b", "c"]]}, "skeleton JSON 'three'"),
        ({"parents": [["a", "b"], ["b", "c"], ["c", "a"]]}, "no rings"),
        ({"parents": [["a", "b"], ["a", "c"]]}, "one parent at most"),
        ({"derived": {"a": ["z"]}}, r"\['z'\] are used"),
        ({"derived": ["a"]}, "skeleton JSON 'three'"),
        ({"sigmas": [0.1]}, "1 sigmas for 3 keypoints"),
        ({"sigmas": ["wide"] * 3}, "skeleton JSON 'three'"),
        ({"sigma": [0.1] * 3}, r"unknown keys \['sigma'\]"),
        ({"keypoints": None}, "skeleton JSON 'three'"),
    ],
)
def test_a_bad_skeleton_says_what_is_wrong(change, message):
    with pytest.raises(InputError, match=message):
        Skeleton.from_json({"name": "three", "keypoints": ["a", "b", "c"]} | change)


def test_a_missing_or_broken_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot read skeleton"):
        skeleton(str(tmp_path / "none.json"))
    (tmp_path / "cut.json").write_text('{"name": "x", ')
    with pytest.raises(InputError, match="cannot read skeleton"):
        skeleton(str(tmp_path / "cut.json"))


def test_mirrored_limbs_name_the_other_side_and_which_of_them_run_the_other_way():
    bones = Skeleton(
        name="three",
        keypoints=("l", "m", "r"),
        swaps=(("l", "r"),),
        limbs=(("m", "l"), ("l", "r"), ("m", "r")),
    )

    limb, turned = bones.mirrored_limbs

    assert limb.tolist() == [2, 1, 0]
    assert turned.tolist() == [False, True, False]
    with pytest.raises(ConfigError, match="no limb between 'm' and 'r', the mirror image"):
        _ = replace(bones, limbs=(("m", "l"),)).mirrored_limbs
