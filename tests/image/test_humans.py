import shutil

import numpy as np
import pytest

from tests.image.fake_makehuman import write_fake
from vitruvian.core.errors import InputError
from vitruvian.image.anatomy import Figure, shaped, targets
from vitruvian.image.garments import Look, Part, bound_weights, clipped, pieces, without
from vitruvian.image.humans import Character
from vitruvian.image.makehuman import Assets, open_assets, read_mhclo, read_obj, read_target
from vitruvian.image.mannequin import KEYPOINTS
from vitruvian.image.postures import turn, turns
from vitruvian.image.rigging import about, align, part_way, stance
from vitruvian.image.scenes import Sources, check_sources, scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_fake(tmp_path_factory.mktemp("makehuman"))


@pytest.fixture(scope="module")
def assets(folder):
    return open_assets(str(folder))


PLAIN = {
    "sex": 1.0,
    "age": 0.5,
    "muscle": 0.5,
    "weight": 0.5,
    "height": 0.5,
    "proportions": 0.5,
    "origins": (0.0, 0.0, 1.0),
}


def test_a_plain_figure_is_one_target_of_each_kind():
    assert targets(Figure(**PLAIN)) == {
        "caucasian-male-young": 1.0,
        "universal-male-young-averagemuscle-averageweight": 1.0,
    }


def test_targets_between_the_marks_share_as_the_figure_is_between_them():
    found = targets(Figure(**{**PLAIN, "weight": 0.75, "height": 0.25}))
    base = "male-young-averagemuscle"
    assert found[f"universal-{base}-maxweight"] == pytest.approx(0.5)
    assert found[f"universal-{base}-averageweight"] == pytest.approx(0.5)
    assert found[f"height/{base}-maxweight-minheight"] == pytest.approx(0.25)


def test_a_shaped_body_moves_by_the_shares_of_its_targets(assets):
    moved = shaped(assets, Figure(**{**PLAIN, "origins": (0.5, 0.0, 0.5)})) - assets.base.points
    np.testing.assert_allclose(moved[19157], [0.05, 0, 0], atol=1e-4)
    assert np.abs(moved[:19157]).max() == 0


def test_the_rig_is_read_parents_first_and_its_joints_are_in_metres(assets):
    rig = assets.rig
    for row, parent in enumerate(rig.parents):
        assert parent < row
    np.testing.assert_allclose(rig.weights.sum(1), 1, rtol=1e-6)
    joints = dict(zip(rig.names, rig.joints(assets.base.points), strict=True))
    np.testing.assert_allclose(joints["upperarm_l"], [0.17, 0.52, 0.02], atol=1e-5)
    np.testing.assert_allclose(joints["calf_r"], [-0.15, -0.37, 0.02], atol=1e-5)


def test_in_the_zero_pose_arms_and_legs_hang_and_bones_keep_their_lengths(assets):
    rig = assets.rig
    heads = rig.joints(assets.base.points).astype(float)
    posed = stance(rig, heads, turns({}))
    rest = dict(zip(rig.names, heads, strict=True))
    for end in "lr":
        for first, last in (("upperarm", "lowerarm"), ("lowerarm", "hand"), ("thigh", "calf")):
            bone = posed.joints[f"{last}_{end}"] - posed.joints[f"{first}_{end}"]
            length = np.linalg.norm(rest[f"{last}_{end}"] - rest[f"{first}_{end}"])
            np.testing.assert_allclose(bone, [0, -length, 0], atol=1e-6)


def test_skin_follows_the_whole_body_rigidly(assets):
    rig = assets.rig
    heads = rig.joints(assets.base.points).astype(float)
    first, second = (stance(rig, heads, turns({"left_knee": 50.0}, yaw)) for yaw in (0.0, 70.0))
    body = assets.base.points[:2000], rig.weights[:2000]
    turned = first.skin(*body) @ turn(y=70.0).T.astype(np.float32)
    np.testing.assert_allclose(second.skin(*body), turned, atol=1e-5)


def test_rotations_align_go_part_way_and_turn_about():
    a, b = np.array([1.0, 2, 3]), np.array([-2.0, 0.5, 1])
    found = align(a, b) @ a
    np.testing.assert_allclose(found / np.linalg.norm(found), b / np.linalg.norm(b))
    np.testing.assert_allclose(align(a, -a) @ a, -a, atol=1e-9)
    axis = np.array([1.0, 1, 0])
    half = part_way(about(axis, 10.0), about(axis, 50.0), 0.5)
    np.testing.assert_allclose(half, about(axis, 30.0), atol=1e-9)


def test_clothes_hang_on_their_corners_at_the_bodys_scale(assets):
    hat = assets.wear("clothes/fedora01/fedora")
    points = assets.base.points.copy()
    found = hat.fit(points)
    np.testing.assert_allclose(found[0], points[700], atol=1e-6)
    mean = 0.5 * points[700] + 0.25 * points[701] + 0.25 * points[702]
    # Vertices 0 and 4 of the first cube are 0.1 dm apart in x, as x_scale says: offsets are whole.
    np.testing.assert_allclose(found[2], mean + np.array([0.01, 0, 0]), atol=1e-6)
    assert hat.hides.tolist() == [704, 705, 706, 710]
    np.testing.assert_allclose(bound_weights(hat, assets.rig).sum(1), 1, rtol=1e-6)


def square(**extra):
    corners = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], np.float32)
    return Part(
        points=corners,
        weights=np.ones((4, 1), np.float32),
        faces=np.array([(0, 1, 2), (0, 2, 3)], np.int32),
        cloth=corners[:, :2],
        look=Look(colour=(1.0, 1.0, 1.0)),
        **extra,
    )


def area(part):
    a, b, c = (part.points[part.faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)[:, 2].sum() / 2


@pytest.mark.parametrize("at", [0.1, 0.5, 0.77])
def test_cloth_ends_where_its_cover_does(at):
    part = square()
    cut = clipped(part, (at - part.points[:, 0]).astype(np.float32))
    assert area(cut) == pytest.approx(at, abs=1e-5)
    assert cut.points[:, 0].max() == pytest.approx(at, abs=1e-5)
    np.testing.assert_allclose(cut.cloth, cut.points[:, :2], atol=1e-6)


def test_what_is_hidden_everywhere_goes_and_its_points_with_it():
    left = without(square(), np.array([True, True, True, False]))
    assert len(left.faces) == 1
    assert len(left.points) == 3


def test_connected_pieces_have_one_number_each():
    faces = np.array([(0, 1, 2), (2, 1, 3), (4, 5, 6)], np.int32)
    assert pieces(faces, 8).tolist() == [0, 0, 0, 0, 4, 4, 4, 7]


def test_a_character_stands_on_the_ground_with_the_left_on_the_left(assets):
    who = Character(assets, np.random.default_rng(0))
    one = who.finish(who.stand(turns({}), 3, (1.0, 5.0), 0.0), 0.0)
    (mesh,) = one.meshes
    assert mesh.owner == 3
    assert mesh.points[:, 1].min() == pytest.approx(0, abs=1e-5)
    at = dict(zip(KEYPOINTS, one.keypoints - [1, 0, 5], strict=True))
    for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert at[f"left_{part}"][0] > 0 > at[f"right_{part}"][0], part
    assert at["nose"][1] > at["left_shoulder"][1] > at["left_hip"][1] > at["left_ankle"][1]
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)


def test_scenes_of_these_people_are_the_same_on_every_call_and_their_labels_agree(folder):
    sources = Sources(assets=str(folder))
    people = 0
    for index in range(4):
        one, again = (scene(1, index, 96, sources) for _ in range(2))
        np.testing.assert_array_equal(one.image, again.image)
        np.testing.assert_array_equal(one.xy, again.xy)
        assert one.about["bodies"] == "makehuman"
        for xy, flags, mask in zip(one.xy, one.visible, one.masks, strict=True):
            column, row = np.floor(xy[flags == 2] + 0.5).astype(int).T
            assert mask[row, column].all()
            people += 1
    assert people >= 4


def test_missing_and_wrong_files_are_named_with_how_to_get_them(tmp_path, folder):
    with pytest.raises(InputError, match=r"nowhere: no such folder; .*--get-assets"):
        Assets(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"base\.obj: no such file; .*--get-assets"):
        _ = Assets(tmp_path).base
    (tmp_path / "mpfb/data/3dobjs").mkdir(parents=True)
    file = tmp_path / "mpfb/data/3dobjs/base.obj"
    file.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="3 vertices, the base mesh hm08 has 19158"):
        _ = Assets(tmp_path).base
    for text in ("v 0 0\n", "hello", "v 0 0 0\nf 1 2 3\n"):
        file.write_text(text)
        with pytest.raises(InputError, match=r"base\.obj"):
            read_obj(file)
    lost = "mpfb/data/targets/macrodetails/asian-female-old.target"
    copy = shutil.copytree(folder, tmp_path / "copy")
    check_sources(Sources(assets=str(copy)))
    (copy / lost).unlink()
    with pytest.raises(InputError, match=r"asian-female-old\.target: no such file; .*--get-assets"):
        check_sources(Sources(assets=str(copy)))
    bad = tmp_path / "bad.target"
    bad.write_text("1 2 3\n")
    with pytest.raises(InputError, match=r"bad\.target: not a MakeHuman \.target"):
        read_target(bad)
    bad = tmp_path / "bad.mhclo"
    bad.write_text("name x\nverts 0\n1\n")
    with pytest.raises(InputError, match=r"bad\.mhclo: not a MakeHuman \.mhclo"):
        read_mhclo(bad)


def test_no_clothes_hide_a_face(assets):
    for seed in range(8):
        who = Character(assets, np.random.default_rng(seed))
        one = who.finish(who.stand(turns({}), 0, (0.0, 5.0), 0.0), 0.0)
        (mesh,) = one.meshes
        skin = mesh.points[mesh.faces[mesh.pattern[mesh.style] < 0]].reshape(-1, 3)
        for name in ("nose", "left_ear", "right_ear"):
            point = one.keypoints[KEYPOINTS.index(name)]
            assert np.linalg.norm(skin - point, axis=1).min() < 0.01, (seed, name)
