"""One painted model for all tests of the runtime."""

import pytest

from tests.painted import detector_model, pose_model
from vitruvian.runtime.load import load
from vitruvian.runtime.predictor import Predictor


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with ``pose.onnx`` and ``detector.onnx``."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "pose.onnx").write_bytes(pose_model())
    (folder / "detector.onnx").write_bytes(detector_model())
    return folder


@pytest.fixture(scope="session")
def pose(models) -> Predictor:
    """Detector and pose network."""
    return load(models / "pose.onnx", detector=models / "detector.onnx", threads=1)
