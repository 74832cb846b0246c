"""A folder to work in, with painted pictures and models, and a way to run the command line."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from tests.painted import detector_model, paint, pose_model, refiner_model
from vitruvian.cli.main import main

BOX = (20.0, 60.0, 120.0, 260.0)
OTHER = (180.0, 50.0, 280.0, 250.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("vitruvian: error: ")]


@pytest.fixture(scope="session")
def _models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "pose.onnx").write_bytes(pose_model())
    (folder / "detector.onnx").write_bytes(detector_model())
    (folder / "refiner.onnx").write_bytes(refiner_model())
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch, _models) -> Path:
    """The current folder: ``two.png`` has two people, ``none.png`` nobody; models beside them."""
    monkeypatch.chdir(tmp_path)
    for model in _models.iterdir():
        (tmp_path / model.name).symlink_to(model)
    cv2.imwrite("two.png", paint((320, 320), BOX, OTHER)[..., ::-1])
    cv2.imwrite("none.png", paint((200, 300)))
    return tmp_path


MODELS = ("--model", "pose.onnx", "--detector", "detector.onnx", "--threads", "1")


@pytest.fixture
def predict(work, capsys):
    """Run ``vitruvian predict`` with the painted models."""

    def run(*words: str) -> Done:
        code = main(["predict", *words, *(MODELS if "--model" not in words else ())])
        caught = capsys.readouterr()
        return Done(code=code, out=caught.out, err=caught.err)

    return run


@pytest.fixture
def vitruvian(capsys):
    """Run any verb."""

    def run(*words: str) -> Done:
        code = main(words)
        caught = capsys.readouterr()
        return Done(code=code, out=caught.out, err=caught.err)

    return run


@pytest.fixture
def python(work):
    """Run a program in a process of its own, in the working folder."""

    def run(program: str, *words: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-B", "-c", program, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    return run
