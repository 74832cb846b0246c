import hashlib
import json
import shutil
from dataclasses import replace

import pytest

from tests.painted import pose_model
from vitruvian.core.errors import ConfigError, UnknownName, WeightsError
from vitruvian.runtime import weights
from vitruvian.runtime.load import load
from vitruvian.runtime.weights import FOLDER, bundled, bundled_model


@pytest.fixture
def shipped(models, tmp_path):
    """A folder of bundled models."""
    index = {}
    for name in ("pose", "detector"):
        shutil.copy(models / f"{name}.onnx", tmp_path)
        data = (tmp_path / f"{name}.onnx").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        index[name] = {"file": f"{name}.onnx", "sha256": digest, "bytes": len(data)}
    (tmp_path / "models.json").write_text(json.dumps(index))
    return tmp_path


def test_bundled_models_are_listed_and_checked(shipped):
    assert sorted(bundled(shipped)) == ["detector", "pose"]
    assert bundled_model("pose", shipped) == (shipped / "pose.onnx").read_bytes()


def test_a_changed_byte_is_found(shipped):
    data = bytearray((shipped / "pose.onnx").read_bytes())
    data[500] ^= 1
    (shipped / "pose.onnx").write_bytes(data)
    with pytest.raises(WeightsError, match=r"has sha256 .* were shipped; install"):
        bundled_model("pose", shipped)


def test_a_truncated_file_is_found(shipped):
    (shipped / "pose.onnx").write_bytes((shipped / "pose.onnx").read_bytes()[:-1])
    with pytest.raises(WeightsError, match="were shipped"):
        bundled_model("pose", shipped)


def test_a_missing_file_is_found(shipped):
    (shipped / "pose.onnx").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        bundled_model("pose", shipped)


@pytest.mark.parametrize("text", ["{", "[]", '{"pose": 3}', '{"pose": {"file": "x"}}'])
def test_a_corrupt_list_is_found(tmp_path, text):
    (tmp_path / "models.json").write_text(text)
    with pytest.raises(WeightsError, match="is corrupt"):
        bundled(tmp_path)


def test_an_installation_without_models_says_what_to_do(tmp_path):
    assert bundled(tmp_path) == {}
    with pytest.raises(WeightsError, match=r"no bundled models .* --model model\.onnx"):
        bundled_model("pose", tmp_path)


def test_a_bundled_name_that_does_not_exist_suggests_one(shipped):
    with pytest.raises(UnknownName, match="did you mean 'pose'"):
        bundled_model("poze", shipped)


def test_the_default_is_the_bundled_pair(shipped, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", shipped)
    pose = load(threads=1)
    assert pose.pose.model.metadata.name == "painted"
    assert pose.detector.model.metadata.name == "painted_people"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no bundled models in this checkout")
def test_the_shipped_models_have_their_hashes():
    for name in bundled():
        assert len(bundled_model(name)) > 1000


def test_weights_must_be_those_of_the_named_model(models):
    file = models / "pose.onnx"
    assert load("painted", weights=file, detector=None).pose.model.metadata.name == "painted"
    with pytest.raises(WeightsError, match="holds 'painted', not 'hrnet_w32_256x192'"):
        load("hrnet_w32_256x192", weights=file, detector=None)


def test_a_known_system_without_weights_says_how_to_get_them():
    with pytest.raises(WeightsError, match="no weights of 'vitruvian_pose_s' ship"):
        load("vitruvian_pose_s", detector=None)


def test_an_unknown_system_suggests_a_known_one():
    with pytest.raises(UnknownName, match="did you mean 'vitruvian_pose_s'"):
        load("vitruvian_pose_z", detector=None)


def test_a_model_of_the_wrong_task_is_refused(models):
    with pytest.raises(WeightsError, match=r"is a detector .* topdown or bottomup model is needed"):
        load(models / "detector.onnx", detector=None)
    with pytest.raises(WeightsError, match=r"is a topdown model .* detector model is needed"):
        load(models / "pose.onnx", detector=models / "pose.onnx")


def test_missing_foreign_and_corrupt_files_are_told_apart(tmp_path):
    (tmp_path / "foreign.onnx").write_bytes(pose_model().replace(b"vitruvian", b"somebody_"))
    (tmp_path / "corrupt.onnx").write_bytes(pose_model()[:-400])
    for name, message in {
        "missing": "cannot read model .*No such file",
        "foreign": "was not exported by this package",
        "corrupt": "not an ONNX file, or a corrupt one",
    }.items():
        with pytest.raises(WeightsError, match=message):
            load(tmp_path / f"{name}.onnx", detector=None)


@pytest.mark.parametrize(
    "bad", [{"conf": 1.5}, {"kpt_thr": -0.1}, {"batch": -1}, {"max_people": -1}]
)
def test_settings_outside_their_range_are_refused(models, bad):
    with pytest.raises(ConfigError, match="thresholds lie in"):
        load(models / "pose.onnx", detector=None, **bad)


@pytest.fixture
def stood_in(shipped, monkeypatch):
    """Bundled models among which the small network of a pipeline is."""
    rows = json.loads((shipped / "models.json").read_text())
    (shipped / "models.json").write_text(json.dumps(rows | {"g_rmi_s": rows["pose"]}))
    monkeypatch.setattr(weights, "FOLDER", shipped)
    return shipped


def test_a_pipeline_brings_its_procedure_and_says_what_stands_in(stood_in, caplog):
    pose = load(system="grmi", threads=1)
    assert (pose.detector.rule.nms, pose.pose.model.metadata.test.oks_nms) == (0.6, 0.5)
    assert pose.provenance["system"] == "grmi"
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "grmi: 'g_rmi_s' stands in for 'g_rmi_res101_353x257', whose weights do not ship; give "
        "them with --model FILE",
        "grmi: 'detector' stands in for 'faster_rcnn_g_rmi_800x1200', whose weights do not ship; "
        "give them with --detector FILE",
    ]


def test_every_part_of_a_pipeline_can_be_exchanged(stood_in, models, caplog):
    pose = load(
        models / "pose.onnx",
        system="grmi",
        detector=models / "detector.onnx",
        changes=["test.oks_nms=0.7", "boxes.nms=0.4", "test.rescoring=product"],
        conf=0.25,
        max_people=3,
        threads=1,
    )
    assert not caplog.records
    assert (pose.detector.rule.nms, pose.detector.rule.threshold) == (0.4, 0.25)
    assert pose.detector.rule.most == 3
    test = pose.pose.model.metadata.test
    assert (test.oks_nms, test.rescoring, test.keypoint_floor) == (0.7, "product", -1.0)


def test_a_confidence_asked_for_alone_decides_who_is_somebody(shipped, monkeypatch):
    def least(pose):
        return pose.pose.model.metadata.test.min_score

    monkeypatch.setattr(weights, "FOLDER", shipped)
    file = load(threads=1).pose.model.metadata
    plain = replace(file, test=replace(file.test, min_score=0.2))
    monkeypatch.setattr("vitruvian.runtime.load.read_metadata", lambda *_: plain)
    assert least(load(detector=None, threads=1)) == 0.2
    assert least(load(detector=None, conf=0.1, threads=1)) == 0
    assert least(load(detector=None, conf=0.1, changes=["test.min_score=0.3"], threads=1)) == 0.3


def test_settings_change_the_default_too(shipped, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", shipped)
    pose = load(changes=["test.flip=true"], threads=1)
    assert pose.pose.model.metadata.test.flip
    assert "system" not in pose.provenance
    with pytest.raises(ConfigError, match=r"did you mean 'test\.oks_nms'"):
        load(changes=["test.oks_mns=0.7"])


def test_a_pipeline_without_weights_says_how_to_get_them(shipped, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", shipped)
    with pytest.raises(WeightsError, match=r"vitruvian train mask_rcnn_s .* --model mask_rcnn"):
        load(system="mask_rcnn")
    with pytest.raises(UnknownName, match="did you mean 'grmi'"):
        load(system="grmy")
