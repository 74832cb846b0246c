"""The order of the rooms, and torch only where it belongs."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ORDER = [
    {"core"},
    {"kernels"},
    {"image"},
    {"codecs", "datasets", "metrics", "nets"},
    {"systems"},
    {"runtime", "outputs"},
    {"evaluate"},
    {"train"},
    {"serve", "batch"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
TORCH_ROOMS = {"nets", "train"}
HEAVY = ("torch", "numba", "cv2", "openvino", "onnxruntime", "av", "PIL", "rich", "scipy", "numpy")

MODULE_OF = {"opencv-python-headless": "cv2", "pillow": "PIL"}

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "vitruvian"
FILES = sorted(f.relative_to(SOURCE) for f in SOURCE.rglob("*.py") if f.name != "__main__.py")
IN_ROOMS = [f for f in FILES if f != Path("__init__.py")]


def _room(file: Path) -> str:
    return file.parts[0].removesuffix(".py")


def _tree(file: Path) -> ast.Module:
    return ast.parse((SOURCE / file).read_text(encoding="utf-8"))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every dotted name imported, at any depth; ``from a import b`` is ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full: from vitruvian.room.file import name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own(tree: ast.AST) -> Iterator[str]:
    """The imported names of this package, without its own name."""
    return (n.removeprefix("vitruvian.") for n in _imports(tree) if n.startswith("vitruvian."))


def _needs_torch(tree: ast.AST) -> bool:
    return any(name.partition(".")[0] == "torch" for name in _imports(tree))


@pytest.mark.parametrize("file", IN_ROOMS, ids=str)
def test_a_file_imports_only_from_lower_rooms_and_its_own(file):
    room = _room(file)
    assert room in LEVEL, f"{room} has no place in the order of the rooms"
    for name in _own(_tree(file)):
        other = name.partition(".")[0]
        if room == "cli" and other not in LEVEL:
            continue  # the public face, vitruvian/__init__.py
        assert other in LEVEL, f"{file} imports the public face or an unknown room: {name}"
        assert other == room or LEVEL[other] < LEVEL[room], f"{file} may not import {name}"


def test_no_two_files_import_each_other():
    modules = {".".join(f.with_suffix("").parts).removesuffix(".__init__"): f for f in IN_ROOMS}
    graph = {
        module: {other for name in _own(_tree(file)) if (other := _module_of(name, modules))}
        for module, file in modules.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def _module_of(name: str, modules: dict[str, Path]) -> str:
    return next((m for m in (name, name.rpartition(".")[0]) if m in modules), "")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_torch_stays_in_its_rooms_and_in_one_function_of_the_backends(file):
    tree = _tree(file)
    if _room(file) in TORCH_ROOMS:
        return
    if file != Path("runtime/backends.py"):
        assert not _needs_torch(tree), f"{file} may not import torch"
        return
    inside = [n for n in tree.body if isinstance(n, ast.FunctionDef) and _needs_torch(n)]
    assert len(inside) <= 1
    outside = ast.Module([n for n in tree.body if n not in inside], [])
    assert not _needs_torch(outside)


def _modules(requirements: list[str]) -> set[str]:
    """Module names of requirements such as ``pillow>=11``."""
    projects = {re.split(r"[\[<>= ]", line)[0] for line in requirements}
    return {MODULE_OF.get(project, project) for project in projects}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_what_a_file_imports_at_its_top_is_a_dependency(file):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = _modules(project["dependencies"]) | sys.stdlib_module_names | {"vitruvian"}
    if _room(file) in TORCH_ROOMS:
        allowed |= _modules(project["optional-dependencies"]["train"])
    top = [n for n in _tree(file).body if isinstance(n, ast.Import | ast.ImportFrom)]
    roots = {name.partition(".")[0] for name in _imports(ast.Module(top, []))}
    assert roots <= allowed, f"{file} needs {sorted(roots - allowed)}: import it where it is used"


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, vitruvian; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
