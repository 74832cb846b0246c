"""LSP and LSPET on small files of the published layout, and on the real labels."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.datasets import open_dataset


@pytest.fixture
def lsp(tmp_path):
    joints = np.zeros((3, 14, 2))
    joints[0] = np.arange(1, 15)[:, None]
    joints[1] = [[11, 21]] * 14
    joints[2, 3, 0] = 1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    (tmp_path / "images").mkdir()
    for name in ("im0001.jpg", "im0002.jpg"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((30, 40, 3), np.uint8))
    return tmp_path


def test_lsp_is_zero_based_and_its_third_row_says_hidden(lsp):
    sample = open_dataset(f"lsp:{lsp}")[0]
    assert (sample.size, sample.skeleton.name, sample.source) == ((30, 40), "lsp14", "lsp")
    assert sample.path == str(lsp / "images" / "im0001.jpg")
    np.testing.assert_array_equal(sample.xy[0, :, 0], np.arange(14))
    np.testing.assert_array_equal(sample.xy[0, :, 1], np.full(14, 10))
    hidden = sample.skeleton.index("left_hip")
    assert sample.visible[0].tolist() == [1 if k == hidden else 2 for k in range(14)]


def test_an_lsp_box_is_that_of_the_joints_and_a_tenth(lsp):
    sample = open_dataset(f"lsp:{lsp}")[0]
    np.testing.assert_allclose(sample.boxes, [[-1.3, 8.7, 14.3, 11.3]], rtol=1e-6)
    np.testing.assert_allclose(sample.area, 0.53 * 15.6 * 2.6, rtol=1e-6)


def test_a_joint_of_lspet_whose_flag_is_zero_has_no_location(tmp_path):
    joints = np.zeros((14, 3, 1))
    joints[:, 0, 0], joints[:, 1, 0], joints[:, 2, 0] = np.arange(1, 15), 5, 1
    joints[0, :, 0] = [-30, 0, 0]
    joints[1, :, 0] = [-3, 5, 1]
    savemat(tmp_path / "joints.mat", {"joints": joints})
    table = open_dataset(f"lspet:{tmp_path}@{tmp_path}")
    assert np.isnan(table.xy[0, 0]).all()
    assert table.visible[0].tolist() == [0] + [2] * 13
    np.testing.assert_array_equal(table.xy[0, 1], [-4, 4])
    with pytest.raises(InputError, match=r"no picture at .*im00001\.jpg"):
        table[0]


def test_a_file_of_the_other_set_is_refused(lsp):
    with pytest.raises(InputError, match="joints is 3 x 14 x 2, not 14 x 3 x N"):
        open_dataset(f"lspet:{lsp}")


def test_damaged_and_missing_files_are_named(tmp_path, lsp):
    with pytest.raises(InputError, match=r"no \.mat file at"):
        open_dataset(f"lsp:{tmp_path / 'nowhere'}")
    whole = (lsp / "joints.mat").read_bytes()
    (lsp / "joints.mat").write_bytes(whole[:200])
    with pytest.raises(InputError, match=r"joints\.mat: not readable as a \.mat file"):
        open_dataset(f"lsp:{lsp}")
    savemat(lsp / "joints.mat", {"points": np.zeros(3)})
    with pytest.raises(InputError, match=r"no variable 'joints'; the file holds \['points'\]"):
        open_dataset(f"lsp:{lsp}")


def test_an_unknown_split_is_refused(lsp):
    assert len(open_dataset(f"lsp:{lsp}#train")) == 2
    with pytest.raises(ConfigError, match=r"split 'val'.*train, test"):
        open_dataset(f"lsp:{lsp}#val")
    with pytest.raises(ConfigError, match="no splits"):
        open_dataset(f"lspet:{lsp}#train")


@pytest.mark.shared
def test_the_real_labels_have_the_published_counts(shared):
    lsp = open_dataset(f"lsp:{shared}/samples/lsp@{shared}/people/images/lsp")
    assert (len(lsp), int((lsp.visible == 1).sum())) == (2000, 2044)
    assert not np.isnan(lsp.xy).any()
    assert len(open_dataset(f"lsp:{shared}/samples/lsp#test")) == 1000
    lspet = open_dataset(f"lspet:{shared}/samples/lspet")
    assert (len(lspet), int((lspet.visible == 2).sum())) == (10_000, 123_213)
    assert int(np.isnan(lspet.xy[:, :, 0]).sum()) == 16_787


@pytest.mark.shared
def test_lsp_agrees_with_the_shared_people_made_from_it_but_for_their_one_based_pixels(shared):
    lsp = open_dataset(f"lsp:{shared}/samples/lsp@{shared}/people/images/lsp")
    people = open_dataset(f"coco:{shared}/people/annotations/val.json")
    at = next(i for i, source in enumerate(people.sources) if source == "lsp")
    ours = lsp[lsp.names.index(people.names[at].removeprefix("lsp/"))]
    assert ours.size == people[at].size
    for name in ("left_wrist", "right_ankle", "left_hip"):
        a = ours.xy[0, ours.skeleton.index(name)]
        b = people[at].xy[0, people.skeleton.index(name)]
        np.testing.assert_allclose(a + 1, b, atol=0.01)
