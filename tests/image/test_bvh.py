import numpy as np
import pytest

from tests.image.fake_makehuman import SKELETON, bvh
from vitruvian.core.errors import InputError
from vitruvian.image.bvh import clips, random_pose, read_bvh, retarget
from vitruvian.image.postures import PARTS, mirrored_turns, turn, turns

DOWN = np.array([0.0, -1.0, 0.0])


def clip(tmp_path, frames, skeleton=None):
    file = tmp_path / "clip.bvh"
    file.write_text(bvh(frames, skeleton))
    return retarget(read_bvh(file), str(file))


def test_the_rest_pose_turns_the_limbs_from_hanging_to_where_the_offsets_point(tmp_path):
    pose = clip(tmp_path, [("Zrotation", {})]).pose(0.0)
    assert set(pose) == set(PARTS)
    np.testing.assert_allclose(pose["left_upper_arm"] @ DOWN, [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(pose["right_forearm"] @ DOWN, [-1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(pose["left_shin"] @ DOWN, DOWN, atol=1e-9)
    np.testing.assert_allclose(pose["head"], np.eye(3), atol=1e-9)


def test_a_turn_of_a_joint_turns_what_hangs_on_it(tmp_path):
    pose = clip(tmp_path, [("Zrotation", {"upperarm01.L": 90.0})]).pose(0.0)
    for part in ("left_upper_arm", "left_forearm"):
        np.testing.assert_allclose(pose[part] @ DOWN, [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(pose["right_upper_arm"] @ DOWN, [-1, 0, 0], atol=1e-9)


def test_a_file_with_another_axis_up_gives_the_same_pose(tmp_path):
    lying = {name: (parent, (x, -z, y)) for name, (parent, (x, y, z)) in SKELETON.items()}
    upright = clip(tmp_path, [("Zrotation", {"lowerarm01.R": -30.0})]).pose(0.0)
    found = clip(tmp_path, [("Yrotation", {"lowerarm01.R": 30.0})], lying).pose(0.0)
    for part in PARTS:
        np.testing.assert_allclose(found[part] @ DOWN, upright[part] @ DOWN, atol=1e-9)


def test_clips_face_the_front_wherever_they_were_taken(tmp_path):
    pose = clip(tmp_path, [("Yrotation", {"root": 130.0})]).pose(0.0)
    np.testing.assert_allclose(pose["pelvis"], np.eye(3), atol=1e-9)


def test_between_two_frames_is_the_pose_between(tmp_path):
    made = clip(tmp_path, [("Zrotation", {}), ("Zrotation", {"upperarm01.L": 40.0})])
    half = made.pose(0.5)["left_upper_arm"] @ DOWN
    np.testing.assert_allclose(half, [np.cos(np.radians(20)), np.sin(np.radians(20)), 0], atol=1e-9)


def test_a_missing_joint_is_named_with_what_is_there_and_what_would_do(tmp_path):
    renamed = {
        name.replace("foot.L", "hoof"): (parent, offset)
        for name, (parent, offset) in SKELETON.items()
    }
    with pytest.raises(InputError, match=r"no joint for left_foot among .*hoof.*foot\.L or"):
        clip(tmp_path, [("Zrotation", {})], renamed)


@pytest.mark.parametrize("text", ["", "HIERARCHY\n", "MOTION\nFrames: 1\nFrame Time: 1\n0"])
def test_what_is_no_bvh_file_is_said_to_be_none(tmp_path, text):
    file = tmp_path / "bad.bvh"
    file.write_text(text)
    with pytest.raises(InputError, match=r"bad\.bvh: not a BVH file"):
        read_bvh(file)


def test_a_folder_without_clips_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no \.bvh file"):
        clips(str(tmp_path))


def test_mirroring_turns_is_mirroring_angles():
    angles = {"left_shoulder_out": 30.0, "right_knee": 40.0, "twist": 20.0, "roll": 10.0}
    other = {"right_shoulder_out": 30.0, "left_knee": 40.0, "twist": -20.0, "roll": -10.0}
    found, wanted = mirrored_turns(turns(angles)), turns(other)
    for part in PARTS:
        np.testing.assert_allclose(found[part], wanted[part], atol=1e-12)


def test_random_poses_are_rotations_and_the_same_for_the_same_seed(tmp_path):
    made = clip(tmp_path, [("Zrotation", {}), ("Xrotation", {"upperleg01.L": -70.0})])
    for seed in range(8):
        name, parts = random_pose([made], np.random.default_rng(seed))
        again = random_pose([made], np.random.default_rng(seed))
        assert name == again[0]
        for part in PARTS:
            np.testing.assert_array_equal(parts[part], again[1][part])
            np.testing.assert_allclose(parts[part] @ parts[part].T, np.eye(3), atol=1e-9)


def test_a_turn_about_two_axes_is_one_after_the_other():
    np.testing.assert_allclose(turn(20.0, 30.0), turn(y=30.0) @ turn(x=20.0), atol=1e-12)
