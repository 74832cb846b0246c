"""The file name is the registry: nothing is imported until it is asked for.

A codec, data set or metric has the name of its file: ``disk_offset`` is the class ``DiskOffset``
of ``codecs/disk_offset.py``, ``pck`` the function of ``metrics/pck.py``. Elsewhere a function's
name begins with that of its file, the longest file name first: ``hrnet_w32_256x192`` is that
function of ``systems/hrnet.py``. ``file:name`` is any name of a file, ``their_pkg.module:name``
anything of somebody else's package.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vitruvian.core.errors import MissingExtra, UnknownName

_ONE_PER_FILE = ("vitruvian.codecs", "vitruvian.datasets", "vitruvian.metrics")


def find(package: str, name: str) -> Callable[..., Any]:
    """The function or class that ``name`` stands for in ``package`` (``"vitruvian.systems"``).

    Raises:
        UnknownName: Nothing answers to the name; says what comes closest.
        MissingExtra: It needs torch, which is not installed.
    """
    kind = package.rpartition(".")[2].removesuffix("s")
    module, attribute = _place(package, name)
    found = None
    try:
        found = getattr(import_module(module), attribute, None) if module else None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "torch":
            raise MissingExtra("torch", "train", f"{kind} {name!r}") from error
        if not f"{module}.".startswith(f"{error.name}."):
            raise
    if not callable(found):
        raise UnknownName(kind, name, names(package))
    return found  # type: ignore[no-any-return]


def names(package: str) -> list[str]:
    """Plain names that :func:`find` knows in ``package``; reads its files and imports none."""
    return sorted(name for file in _files(package).values() for name in _names(package, file))


def _place(package: str, name: str) -> tuple[str, str]:
    """Module ("" if there is none) and attribute."""
    file, colon, attribute = name.rpartition(":")
    if colon and "." in file:
        return file, attribute
    files = _files(package)
    if not colon and package in _ONE_PER_FILE:
        file, attribute = name, _namesake(package, name)
    elif not colon:
        file = max((stem for stem in files if name.startswith(stem)), key=len, default="")
    return (f"{package}.{file}", attribute) if file in files else ("", "")


def _files(package: str) -> dict[str, Path]:
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    return {file.stem: file for folder in folders for file in Path(folder).glob("[!_]*.py")}


def _names(package: str, file: Path) -> list[str]:
    body = ast.parse(file.read_bytes()).body
    made = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if package in _ONE_PER_FILE:
        return [file.stem] if _namesake(package, file.stem) in made else []
    return [name for name in made if name.startswith(file.stem)]


def _namesake(package: str, stem: str) -> str:
    """The class (codecs) or function that a file is named after."""
    camel = "".join(part.capitalize() for part in stem.split("_"))
    return camel if package == "vitruvian.codecs" else stem
