"""Tables that pandas wrote into HDF5, read without it: its layouts ``fixed`` and ``table``."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.datasets.table import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Numbers with names for rows and columns.

    Attributes:
        rows: n names, one or several words each.
        columns: c names likewise.
        values: n c; NaN where a cell is empty.
    """

    rows: list[tuple[str, ...]]
    columns: list[tuple[str, ...]]
    values: Float64[np.ndarray, "n c"]


def read_frame(path: Path) -> Frame:
    """The one table of a file.

    Raises:
        MissingExtra: h5py is not installed.
        InputError: The file is missing, no HDF5, or holds no such table.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "mat", "reading .h5 labels") from error
    try:
        with h5py.File(require(path, ".h5 file")) as file:
            groups = [group for group in file.values() if "pandas_type" in group.attrs]
            if len(groups) != 1:
                raise InputError(f"{path}: {len(groups)} tables of pandas; expected one")
            frame = (_from_table if "table" in groups[0] else _from_blocks)(groups[0])
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, IndexError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: not a table that pandas wrote ({error})") from error
    if frame.values.shape != (len(frame.rows), len(frame.columns)):
        raise InputError(
            f"{path}: {frame.values.shape} numbers for {len(frame.rows)} rows and "
            f"{len(frame.columns)} columns: is the file whole?"
        )
    return frame


def _from_blocks(group: Any) -> Frame:
    """Columns of one type are one block each; names are levels and, for each, codes."""
    rows, columns = _names(group, "axis1"), _names(group, "axis0")
    at = {name: i for i, name in enumerate(columns)}
    values = np.full((len(rows), len(columns)), np.nan)
    for block in range(int(group.attrs["nblocks"])):
        places = [at[name] for name in _names(group, f"block{block}_items")]
        numbers = group[f"block{block}_values"][()]
        if numbers.shape != (len(rows), len(places)):
            raise ValueError(f"block {block} is {numbers.shape}, not {(len(rows), len(places))}")
        values[:, places] = numbers
    return Frame(rows=rows, columns=columns, values=values)


def _names(group: Any, key: str) -> list[tuple[str, ...]]:
    if key in group:
        return [(word,) for word in _words(group[key][()])]
    levels: list[list[str]] = []
    while f"{key}_level{len(levels)}" in group:
        words = [*_words(group[f"{key}_level{len(levels)}"][()]), ""]  # code -1: no name
        levels.append([words[code] for code in group[f"{key}_label{len(levels)}"][()]])
    if not levels:
        raise KeyError(f"no {key}")
    return list(zip(*levels, strict=True))


def _from_table(group: Any) -> Frame:
    """One compound data set; the names of its columns are pickled in an attribute."""
    table = group["table"][()]
    (axis,) = _plain(bytes(group.attrs["non_index_axes"]))
    columns = [tuple(map(str, name)) for name in axis[1]]
    levels = [name for name in table.dtype.names if name.startswith("level_")] or ["index"]
    rows = list(zip(*(_words(table[level]) for level in levels), strict=True))
    blocks = [name for name in table.dtype.names if name.startswith("values_block_")]
    if len(blocks) != 1:
        raise ValueError(f"{len(blocks)} blocks of values; expected one")
    return Frame(rows=rows, columns=columns, values=table[blocks[0]].astype(np.float64))


def _words(column: np.ndarray) -> list[str]:
    return [w.decode() if isinstance(w, bytes) else str(w) for w in column.tolist()]


def _plain(data: bytes) -> Any:
    """What is pickled, if it is lists, tuples, texts and numbers; nothing else is ever called."""
    return _PlainUnpickler(io.BytesIO(data)).load()


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"names of columns refer to {module}.{name}")
