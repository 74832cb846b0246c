"""The file name is the registry: nothing is imported until it is asked for.

A codec or metric has the name of its file: ``disk_offset`` is the class ``DiskOffset`` of
``codecs/disk_offset.py``, ``pck`` the function of ``metrics/pck.py``. Elsewhere a function's name
begins with that of its file, the longest file name first: ``hrnet_w32_256x192`` is that function of
``systems/hrnet.py``. ``file:name`` is any name of a file, ``their_pkg.module:name`` anything of
somebody else's package.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vitruvian.core.errors import MissingExtra, UnknownName

_ONE_PER_FILE = ("vitruvian.codecs", "vitruvian.metrics")


def find(package: str, name: str) -> Callable[..., Any]:
    """The function or class that ``name`` stands for in ``package`` (``"vitruvian.systems"``).

    Raises:
        UnknownName: Nothing answers to the name; says what comes closest.
        MissingExtra: It needs torch, which is not installed.
    """
    kind = package.rpartition(".")[2].removesuffix("s")
    module, attributes = _place(package, name)
    try:
        loaded = import_module(module) if attributes else None
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise MissingExtra("torch", "train", f"{kind} {name!r}") from error
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        loaded = None
    found = filter(callable, (getattr(loaded, attribute, None) for attribute in attributes))
    for made in found:
        return made
    raise UnknownName(kind, name, names(package))


def names(package: str) -> list[str]:
    """Plain names that :func:`find` knows in ``package``; reads its files and imports none."""
    return sorted(name for file in _files(package).values() for name in _names(package, file))


def _place(package: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Module, and the attributes that may be meant; none if there is no such file."""
    file, colon, attribute = name.rpartition(":")
    if colon and "." in file:
        return file, (attribute,)
    files = _files(package)
    attributes: tuple[str, ...] = (attribute,)
    if not colon and package in _ONE_PER_FILE:
        file, attributes = name, _namesakes(name)
    elif not colon:
        file = max((stem for stem in files if name.startswith(stem)), key=len, default="")
    return f"{package}.{file}", attributes if file in files else ()


def _files(package: str) -> dict[str, Path]:
    spec = find_spec(package)
    folders = (spec and spec.submodule_search_locations) or ()
    return {file.stem: file for folder in folders for file in Path(folder).glob("[!_]*.py")}


def _names(package: str, file: Path) -> list[str]:
    body = ast.parse(file.read_bytes()).body
    made = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if package in _ONE_PER_FILE:
        return [file.stem] if set(made).intersection(_namesakes(file.stem)) else []
    return [name for name in made if name.startswith(file.stem)]


def _namesakes(stem: str) -> tuple[str, str]:
    """The class and the function that a file may be named after."""
    return "".join(part.capitalize() for part in stem.split("_")), stem
