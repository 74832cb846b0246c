"""MPII from a small file of the official layout and from the derived files."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets import open_dataset

EMPTY = np.zeros((0, 0))


def _struct(**fields):
    made = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        made[name][0, 0] = value
    return made


def _row(items, shape=None):
    """Structs of equal fields side by side, as MATLAB keeps a struct array."""
    return np.concatenate(items, 1) if items else EMPTY


def _point(joint, x, y, **visible):
    return _struct(x=float(x), y=float(y), id=joint, **visible)


def _rect(points, scale=2.0, objpos=(50.0, 60.0)):
    position = EMPTY if objpos is None else _struct(x=objpos[0], y=objpos[1])
    return _struct(
        x1=11.0, y1=21.0, x2=41.0, y2=61.0,
        annopoints=EMPTY if points is None else _struct(point=points),
        scale=EMPTY if scale is None else scale, objpos=position,
    )  # fmt: skip


@pytest.fixture
def release(tmp_path):
    """Three pictures: a test one; four people of whom one has no scale, one no points; nobody."""
    seen = [
        _point(9, 10.5, 20.25, is_visible=EMPTY),
        _point(0, 31, 41, is_visible="0"),
        _point(6, 51, 61, is_visible=1),
    ]
    unseen = [_point(1, 5, 6), _point(2, 7, 8)]
    people = [_rect(_row(seen)), _rect(None), _rect(_row(seen), scale=None), _rect(_row(unseen))]
    pictures = [
        _struct(image=_struct(name="t.jpg"), annorect=EMPTY),
        _struct(image=_struct(name="a.jpg"), annorect=_row(people)),
        _struct(image=_struct(name="b.jpg"), annorect=_row([_rect(_row(seen))])),
    ]
    file = tmp_path / "mpii.mat"
    train = np.array([[0, 1, 1]], np.uint8)
    savemat(file, {"RELEASE": _struct(annolist=_row(pictures), img_train=train)})
    return file


def test_the_official_file_is_read_with_all_its_oddities(release):
    table = open_dataset(f"mpii:{release}@pictures")
    assert table.names == ["t.jpg", "a.jpg", "b.jpg"]
    assert table.first.tolist() == [0, 0, 3, 4]
    bones = skeleton("mpii16")
    first = dict(zip(bones.keypoints, table.xy[0].tolist(), strict=True))
    assert first["head_top"] == [9.5, 19.25]
    assert first["right_ankle"] == [30, 40]
    flags = dict(zip(bones.keypoints, table.visible[0].tolist(), strict=True))
    assert {name: v for name, v in flags.items() if v} == {
        "head_top": 2, "right_ankle": 1, "pelvis": 2,
    }  # fmt: skip
    assert not table.visible[1].any()
    assert table.visible[2].sum() == 4
    assert np.isnan(table.xy[1]).all()


def test_the_box_is_hrnets_crop_and_the_head_stays_with_its_person(release):
    table = open_dataset(f"mpii:{release}@pictures#train")
    np.testing.assert_allclose(table.boxes[0], [49 - 200, 89 - 200, 49 + 200, 89 + 200])
    np.testing.assert_allclose(table.person_fields["head"][0], [10, 20, 40, 60])
    assert table.names == ["a.jpg", "b.jpg"]
    assert table.select([1]).person_fields["head"].shape == (1, 4)
    assert len(open_dataset(f"mpii:{release}@pictures#test").xy) == 0


def test_a_broken_record_is_named(tmp_path):
    people = [_rect(_row([_point(16, 1, 1)]))]
    picture = _struct(image=_struct(name="a.jpg"), annorect=_row(people))
    file = tmp_path / "mpii.mat"
    savemat(file, {"RELEASE": _struct(annolist=picture, img_train=1)})
    with pytest.raises(InputError, match=r"mpii\.mat: annolist\(1\) is not of the published"):
        open_dataset(f"mpii:{file}")
    savemat(file, {"RELEASE": _struct(img_train=1)})
    with pytest.raises(InputError, match="RELEASE is not of the published layout"):
        open_dataset(f"mpii:{file}")


def test_people_of_a_json_are_gathered_by_picture(tmp_path):
    file = tmp_path / "valid.json"
    joints = [[float(k), 10.0] for k in range(16)]
    person = {"joints": joints, "joints_vis": [0] + [1] * 15, "center": [9, 9], "scale": 1.0}
    rows = [person | {"image": name} for name in ("b.jpg", "a.jpg", "b.jpg")]
    rows[2] = {k: v for k, v in rows[2].items() if not k.startswith("joints")}
    file.write_text(json.dumps(rows))
    table = open_dataset(f"mpii:{file}")
    assert (table.names, table.first.tolist()) == (["b.jpg", "a.jpg"], [0, 2, 3])
    assert np.isnan(table.xy[0, 0]).all()
    np.testing.assert_array_equal(table.xy[0, 5], [4, 9])
    assert not table.visible[1].any()
    file.write_text(json.dumps([{"image": "a.jpg", "center": [1, 2], "scale": 1, "joints": [1]}]))
    with pytest.raises(InputError, match=r"people\[0\].* joints is .*expected 32 numbers"):
        open_dataset(f"mpii:{file}")


def test_the_json_of_cpm_tells_hidden_joints_and_its_split(tmp_path):
    joints = [[float(k + 1), 10.0, k % 2] for k in range(16)]
    joints[3] = [0, 0, 0]
    person = {"joint_self": joints, "objpos": [9, 9], "scale_provided": 1.5, "dataset": "MPI"}
    rows = [person | {"img_paths": f"{i}.jpg", "isValidation": float(i == 2)} for i in range(3)]
    file = tmp_path / "mpii_annotations.json"
    for content in (rows, {"root": rows}):
        file.write_text(json.dumps(content))
        table = open_dataset(f"mpii:{file}")
        assert table.names == ["0.jpg", "1.jpg", "2.jpg"]
        assert table.visible[0, :5].tolist() == [1, 2, 1, 0, 1]
        np.testing.assert_array_equal(table.xy[0, 5], [5, 9])
        assert table.person_fields["scale"].tolist() == [1.5] * 3
        assert open_dataset(f"mpii:{file}#val").names == ["2.jpg"]
        assert open_dataset(f"mpii:{file}#train").names == ["0.jpg", "1.jpg"]
    file.write_text(json.dumps([rows[0] | {"joint_self": [[1, 2]] * 16}]))
    with pytest.raises(InputError, match=r"people\[0\].* joints is .*expected 32 numbers"):
        open_dataset(f"mpii:{file}")
    del rows[1]["objpos"]
    file.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"people\[1\].* has no 'center'"):
        open_dataset(f"mpii:{file}")


def test_other_files_are_refused(tmp_path):
    for name, message in [("a.txt", ".mat, .json or .h5"), ("a.h5", "no .h5 file")]:
        with pytest.raises(InputError, match=message):
            open_dataset(f"mpii:{tmp_path / name}")
    (tmp_path / "bad.h5").write_bytes(b"not hdf5")
    with pytest.raises(InputError, match=r"not an \.h5 file with imgname"):
        open_dataset(f"mpii:{tmp_path / 'bad.h5'}")


@pytest.mark.shared
def test_the_two_derived_files_agree_and_have_the_published_counts(shared):
    hourglass = open_dataset(
        f"mpii:{shared}/annotations/mpii/mpii_annot_valid.h5@{shared}/samples/mpii"
    )
    assert (len(hourglass), len(hourglass.xy)) == (2729, 2958)
    counts = dict(zip(hourglass.skeleton.keypoints, (hourglass.visible > 0).sum(0), strict=True))
    assert (counts["right_ankle"], counts["head_top"], counts["left_wrist"]) == (2115, 2932, 2909)
    assert int((hourglass.visible > 0).sum()) == 44_240
    assert int((hourglass.visible == 1).sum()) == 10_243
    hrnet = open_dataset(f"mpii:{shared}/samples/mpii/test_mpii.json@{shared}/samples/mpii")
    for sample in hrnet:
        other = hourglass[hourglass.names.index(sample.path.rpartition("/")[2])]
        np.testing.assert_allclose(sample.xy[0], other.xy[0], atol=1)
        np.testing.assert_allclose(sample.boxes[0], other.boxes[0], atol=0.01)
