"""MATLAB files as arrays; SciPy is asked for only when such a file is opened."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.datasets.table import require


def load_mat(path: Path, *, variable: str, squeeze: bool = False) -> np.ndarray:
    """One variable of a ``.mat`` file (up to v7).

    Args:
        path: The file.
        variable: Name in the file.
        squeeze: Drop axes of length one and read structs as records of plain values.

    Raises:
        MissingExtra: SciPy is not installed.
        InputError: The file is missing, truncated, no ``.mat`` or lacks the variable.
    """
    content = load_mat_all(path, squeeze=squeeze)
    if variable not in content:
        raise InputError(f"{path}: no variable {variable!r}; the file holds {sorted(content)}")
    return content[variable]


def load_mat_all(path: Path, *, squeeze: bool = False) -> Mapping[str, np.ndarray]:
    """Every variable of a ``.mat`` file (up to v7); see :func:`load_mat`."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtra("scipy", "mat", "reading .mat labels") from error
    try:
        content = loadmat(require(path, ".mat file"), squeeze_me=squeeze, struct_as_record=True)
    except InputError:
        raise
    except Exception as error:  # SciPy's reader raises a dozen kinds for damaged files
        raise InputError(f"{path}: not readable as a .mat file ({error})") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}
