"""MATLAB files as arrays; SciPy is asked for only when such a file is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.datasets.table import require


def load_mat(path: Path, *, variable: str, squeeze: bool = False) -> Any:
    """One variable of a ``.mat`` file (up to v7).

    Args:
        path: The file.
        variable: Name in the file.
        squeeze: Drop axes of length one and give structs as objects with attributes.

    Raises:
        MissingExtra: SciPy is not installed.
        InputError: The file is missing, truncated, no ``.mat`` or lacks the variable.
    """
    content = load_mat_all(path, squeeze=squeeze)
    if variable not in content:
        raise InputError(f"{path}: no variable {variable!r}; the file holds {sorted(content)}")
    return content[variable]


def load_mat_all(path: Path, *, squeeze: bool = False) -> dict[str, Any]:
    """Every variable of a ``.mat`` file (up to v7); see :func:`load_mat`."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtra("scipy", "mat", "reading .mat labels") from error
    try:
        content = loadmat(
            require(path, ".mat file"), squeeze_me=squeeze, struct_as_record=not squeeze
        )
    except InputError:
        raise
    except Exception as error:  # SciPy's reader raises a dozen kinds for damaged files
        raise InputError(f"{path}: not readable as a .mat file ({error})") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def structs(value: object) -> list[Any]:
    """The structs of a squeezed struct array: none, the one, or each of them."""
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    return [value]


@contextmanager
def layout(path: Path, record: str) -> Iterator[None]:
    """Names file and record where the content is not of the published layout."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {record} is not of the published layout ({error})") from error


def has(struct: object, *path: str) -> bool:
    """Whether a squeezed struct has the field and the field is not empty, level by level."""
    for name in path:
        struct = getattr(struct, name, None)
        if struct is None or (isinstance(struct, np.ndarray) and struct.size == 0):
            return False
    return True
