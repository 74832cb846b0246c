"""README and its companions: commands and code run, links lead somewhere, versions are pinned."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import cv2
import pytest

import vitruvian

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("docs/**/*.md")])
MODELS = ROOT / "src" / "vitruvian" / "runtime" / "models"

needs_models = pytest.mark.skipif(
    not (MODELS / "pose.onnx").exists(), reason="the bundled models are not trained yet"
)


def _blocks(info: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{info}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def _packages(requirements: list[str]) -> set[str]:
    names = (re.split(r"[\[<>=~ ;]", line)[0] for line in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names if name}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the examples, for commands that write beside them."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_models
def test_the_first_command_writes_a_drawn_picture_and_json(clone):
    (command,) = _blocks("bash predict")
    _, _, call = command.rpartition("&&")
    program, *arguments = shlex.split(call)
    assert program == ".venv/bin/vitruvian"
    code = "import sys; from vitruvian.cli.main import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    before, after = cv2.imread("examples/astronaut.jpg"), cv2.imread("poses.jpg")
    assert after.shape == before.shape
    assert (cv2.absdiff(before, after) > 64).any(2).mean() > 0.001
    people = json.loads(Path("poses.json").read_text(encoding="utf-8"))
    assert len(people[0]["keypoints"]) == 51


@needs_models
def test_the_python_code_runs_and_finds_the_astronaut(clone):
    names: dict[str, object] = {}
    for block in _blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    people, picture = names["people"], names["picture"]
    nose = people.xy[0, people.skeleton.index("nose")]
    assert abs(nose - [227, 127]).max() < 30
    assert picture.shape == (*people.size, 3)


def test_ci_runs_the_second_command_of_the_readme(clone):
    (command,) = _blocks("bash tests")
    (reader,) = re.findall(r"\$\((awk .*)\)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    shutil.copy(ROOT / "README.md", clone)
    read = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, check=True)
    assert read.stdout == command
    assert command.endswith("&& .venv/bin/pytest -n auto\n")
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
    broken = [k for k in links if "://" not in k and not (document.parent / k).exists()]
    assert broken == []


def test_every_dependency_is_pinned_and_torch_to_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert _packages(wanted) - _packages(pins) == {"vitruvian"}
    assert "torch==2.13.0" in pins


def test_the_changelog_speaks_of_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{vitruvian.__version__}]" in changelog
