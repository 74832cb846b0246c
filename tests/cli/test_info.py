import hashlib

import pytest

from tests.painted import pose_model


def test_a_system_states_its_paper_and_its_outputs(vitruvian):
    pytest.importorskip("torch")
    out = vitruvian("info", "hrnet_w32_256x192").out
    assert "https://arxiv.org/abs/1902.09212" in out
    assert "28,536,113" in out
    assert "heatmap [17, 64, 48], stride 4" in out
    assert "7.65 G for one view, each counted once" in out
    assert "114 MB of float32 weights, 57 MB exported" in out


def test_a_model_file_states_what_it_holds(vitruvian, work):
    out = vitruvian("info", "pose.onnx").out
    assert "painted" in out
    assert "CC0-1.0" in out
    assert hashlib.sha256(pose_model()).hexdigest() in out


def test_a_skeleton_names_its_keypoints(vitruvian):
    rows = vitruvian("info", "coco17").out.splitlines()
    assert any("left_wrist" in row and "mirrors right_wrist" in row for row in rows)
    assert any("nose, sigma 0.026" in row for row in rows)


def test_an_unknown_name_suggests_one(vitruvian):
    done = vitruvian("info", "coco71")
    assert done.code == 2
    assert "did you mean 'coco17'?" in done.errors[0]


def test_a_missing_model_file_is_named(vitruvian, work):
    done = vitruvian("info", "missing.onnx")
    assert done.code == 1
    assert "cannot read model missing.onnx" in done.errors[0]
