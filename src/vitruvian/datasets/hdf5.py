"""HDF5 files as arrays; h5py is asked for only when such a file is opened."""

from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.datasets.table import require


def load_h5(path: Path, keys: tuple[str, ...]) -> list[np.ndarray]:
    """The named data sets of a file, whole; texts are bytes.

    Raises:
        MissingExtra: h5py is not installed.
        InputError: The file is missing, no HDF5 or lacks a data set.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "mat", "reading .h5 labels") from error
    try:
        with h5py.File(require(path, ".h5 file")) as file:
            return [np.asarray(file[key][()]) for key in keys]
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: not an .h5 file with {', '.join(keys)} ({error})") from error


def texts(column: np.ndarray) -> list[str]:
    """Text of a column of padded bytes."""
    return [bytes(value).rstrip(b"\0").decode() for value in column]
