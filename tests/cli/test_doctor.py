import hashlib
import json

import pytest

from vitruvian.cli import doctor
from vitruvian.runtime import weights


@pytest.fixture
def shipped(work, monkeypatch):
    """An installation with the painted models."""
    index = {}
    for name in ("pose", "detector"):
        data = (work / f"{name}.onnx").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        index[name] = {"file": f"{name}.onnx", "sha256": digest, "bytes": len(data)}
    (work / "models.json").write_text(json.dumps(index))

    monkeypatch.setattr(weights, "FOLDER", work)
    return work


def test_a_healthy_installation(vitruvian, shipped):
    done = vitruvian("doctor")
    assert done.code == 0
    assert "BROKEN" not in done.out
    for line in ("numpy ", "openvino ", "OpenVINO cpu", "bundled model pose", "prediction works"):
        assert line in done.out


def test_a_tampered_model_is_found(vitruvian, shipped):
    path = shipped / "models.json"
    path.write_text(path.read_text().replace('"bytes": ', '"bytes": 1'))
    done = vitruvian("doctor")
    assert done.code == 1
    assert "BROKEN models" in done.out
    assert "numpy " in done.out


def test_a_missing_package_is_named(vitruvian, monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", {"no-such-package": ""})
    done = vitruvian("doctor")
    assert done.code == 1
    assert "BROKEN versions: no-such-package is not installed" in done.out
