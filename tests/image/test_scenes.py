import numpy as np
import pytest

from vitruvian.core.skeleton import skeleton
from vitruvian.image.mannequin import KEYPOINTS, person, random_build, random_wardrobe
from vitruvian.image.postures import (
    BASES,
    LIMITS,
    NAMES,
    mirrored,
    random_angles,
    turns,
)
from vitruvian.image.render import Camera, Solids, depth_inside, join, lowest, trace
from vitruvian.image.scenes import LEAST, SAMPLES, SEEN, _label, scene

FORWARD = Camera(
    position=np.zeros(3), turn=np.diag([1.0, -1.0, 1.0]), focal=50.0, centre=(24.5, 24.5)
)


def solids(origin, axes=None, stretch=(1.0, 1.0, 1.0), radii=(0.5, 0.5), length=0.0):
    return Solids(
        origin=np.array([origin], float),
        axes=np.array([np.eye(3) if axes is None else axes]),
        stretch=np.array([stretch]),
        radii=np.array([radii]),
        length=np.array([length]),
        owner=np.zeros(1, np.int64),
        colours=np.ones((1, 3, 3)),
        cut=np.ones(1),
        pattern=np.zeros(1, np.int64),
        period=np.ones(1),
    )


def test_a_ball_is_a_disc_whose_middle_is_a_radius_nearer():
    depth, index = trace(solids((0, 0, 4)), FORWARD, (50, 50), 2)
    assert depth.min() == pytest.approx(3.5, abs=1e-3)
    # The tangent cone of a ball of 0.5 m at 4 m: f r / sqrt(z² - r²) pixels.
    radius = 50 * 0.5 / np.sqrt(16 - 0.25)
    assert (index == 0).sum() / 4 == pytest.approx(np.pi * radius**2, rel=0.02)


def test_the_surface_of_a_cone_is_where_its_depth_inside_is_nought():
    tilted = np.linalg.qr(np.array([[1, 0.4, 0.2], [-0.3, 1, 0.5], [0.1, -0.6, 1]]))[0]
    cone = solids((-0.4, -0.3, 4), tilted, (1.3, 0.8, 0.7), (0.45, 0.2), 1.1)
    depth, index = trace(cone, FORWARD, (50, 50))
    rows, columns = np.nonzero(index == 0)
    across, down = FORWARD.rays((50, 50))
    t = depth[rows, columns].astype(float)
    points = np.stack([across[columns] * t, -down[rows] * t, t], 1)
    assert len(points) > 50
    assert np.abs(depth_inside(cone, points)).max() < 1e-3


def test_the_nearer_of_two_solids_is_seen_and_order_does_not_matter():
    near, far = solids((0, 0, 3)), solids((0, 0, 6), radii=(3.0, 3.0))
    for group, front in ((join([near, far]), 0), (join([far, near]), 1)):
        assert trace(group, FORWARD, (50, 50))[1][25, 25] == front


def test_what_is_behind_the_camera_is_not_seen():
    assert (trace(solids((0, 0, -4)), FORWARD, (50, 50))[1] == -1).all()


def test_the_keypoints_are_those_of_coco():
    assert skeleton("coco17").keypoints == KEYPOINTS


@pytest.mark.parametrize("pose", BASES)
def test_whoever_takes_a_pose_touches_the_ground_and_keeps_the_lengths_of_the_bones(pose):
    rng = np.random.default_rng(3)
    build, wardrobe = random_build(rng), random_wardrobe(rng)
    angles = {name: BASES[pose][2].get(name, 0.0) for name in NAMES}
    one = person(build, turns(angles, 30.0), wardrobe, at=(1.0, 5.0))
    assert lowest(one.solids).min() == pytest.approx(0, abs=1e-9)
    at = dict(zip(KEYPOINTS, one.keypoints, strict=True))
    for side in ("left", "right"):
        thigh = np.linalg.norm(at[f"{side}_hip"] - at[f"{side}_knee"])
        assert thigh == pytest.approx(0.235 * build.height * build.legs)


def test_a_standing_person_is_as_tall_as_said_and_has_the_left_on_the_left():
    rng = np.random.default_rng(0)
    build, wardrobe = random_build(rng), random_wardrobe(rng)
    one = person(build, turns({}), wardrobe)
    at = dict(zip(KEYPOINTS, one.keypoints, strict=True))
    tall = build.height
    assert 0.85 * tall < at["nose"][1] < tall
    for part in ("eye", "ear", "shoulder", "hip", "ankle"):
        assert at[f"left_{part}"][0] > 0 > at[f"right_{part}"][0]
    assert at["nose"][2] > at["left_ear"][2]


def test_angles_stay_within_the_limits_and_mirroring_twice_changes_nothing():
    rng = np.random.default_rng(1)
    for _ in range(50):
        _, angles = random_angles(rng)
        for name, angle in angles.items():
            low, high = LIMITS[name.removeprefix("left_").removeprefix("right_")]
            assert low <= angle <= high
        assert mirrored(mirrored(angles)) == angles


def test_a_scene_is_the_same_on_every_call_and_another_for_every_number_and_seed():
    one, again = scene(5, 2, 96), scene(5, 2, 96)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.xy, again.xy)
    assert one.about == again.about
    for other in (scene(5, 3, 96), scene(6, 2, 96)):
        assert (one.image != other.image).mean() > 0.5


def test_labels_agree_with_the_pixels():
    people = 0
    for index in range(12):
        made = scene(1, index, 128)
        assert (made.masks.sum(0) <= 1).all()
        for xy, flags, mask in zip(made.xy, made.visible, made.masks, strict=True):
            assert mask.any()
            np.testing.assert_array_equal(np.isnan(xy).any(1), flags == 0)
            if mask.sum() < LEAST:
                assert not flags.any()
            if (flags == 2).sum() < SEEN:
                assert (flags != 1).all()
            column, row = np.floor(xy[flags == 2] + 0.5).astype(int).T
            assert mask[row, column].all()
            inside = xy[flags > 0]
            assert ((inside >= -0.5) & (inside < 127.5)).all()
            people += 1
    assert people > 12


def test_a_ball_before_a_person_hides_the_keypoints_behind_it_and_no_others():
    rng = np.random.default_rng(2)
    one = person(random_build(rng), turns({}, 180.0), random_wardrobe(rng), at=(0.0, 4.0))
    ball = solids(one.keypoints[0] * (1, 1, 0) + (0, 0, 2), radii=(0.15, 0.15))
    ball.owner[:] = -1
    camera = Camera(
        position=np.array([0.0, one.keypoints[0, 1], 0.0]),
        turn=np.diag([-1.0, -1.0, 1.0]),
        focal=150.0,
        centre=(63.5, 63.5),
    )

    def flags(group):
        depth, index = trace(group, camera, (128, 128), SAMPLES)
        owner = np.append(group.owner, -1).astype(np.int8)[index]
        mask = (owner == 0)[::SAMPLES, ::SAMPLES] & (owner == 0)[1::SAMPLES, 1::SAMPLES]
        return _label(one, 0, camera, depth, owner, mask)[1]

    free, covered = flags(one.solids), flags(join([one.solids, ball]))
    face = np.array([name in ("nose", "left_eye", "right_eye") for name in KEYPOINTS])
    limbs = np.array([name.split("_")[-1] in ("elbow", "knee", "wrist") for name in KEYPOINTS])
    assert (free[face] == 2).all()
    assert (covered[face] < 2).all()
    np.testing.assert_array_equal(free[limbs], covered[limbs])
    assert (free[limbs] == 2).any()


def test_no_scene_is_there_twice_and_those_before_it_change_nothing():
    pictures = [scene(3, index, 64).image.tobytes() for index in range(20)]
    assert len(set(pictures)) == len(pictures)
    assert scene(3, 0, 64).image.tobytes() == pictures[0]
