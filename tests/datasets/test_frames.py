"""Tables of pandas in HDF5, in both its layouts, and DeepLabCut's labels in them."""

import pickle

import h5py
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset
from vitruvian.datasets.frames import read_frame

ONE = [("me", part, axis) for part in ("snout", "tail") for axis in "xy"]
MANY = [
    ("me", *who, axis)
    for who in (("a", "snout"), ("a", "tail"), ("b", "snout"), ("single", "corner"))
    for axis in "xy"
]
PICTURES = ["labeled-data/v/img0.png", "labeled-data/v/img1.png"]
VALUES = np.array([[1.5, 2, 3, 4], [5, 6, np.nan, np.nan]])


def _levels(group, key, names):
    for i, words in enumerate(zip(*names, strict=True)):
        known = sorted(set(words))
        group[f"{key}_level{i}"] = np.array(known, "S")
        group[f"{key}_label{i}"] = np.array([known.index(word) for word in words], np.int8)


def _fixed(file, columns, values, rows=PICTURES, blocks=1):
    with h5py.File(file, "w") as h5:
        group = h5.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group.attrs["nblocks"] = blocks
        _levels(group, "axis0", columns)
        if isinstance(rows[0], tuple):
            _levels(group, "axis1", rows)
        else:
            group["axis1"] = np.array(rows, "S")
        for block in range(blocks):
            _levels(group, f"block{block}_items", columns[block::blocks])
            group[f"block{block}_values"] = values[:, block::blocks]
    return file


def _table(file, columns, values, names=None):
    with h5py.File(file, "w") as h5:
        group = h5.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        names = pickle.dumps([(1, columns)], 0) if names is None else names
        group.attrs["non_index_axes"] = np.bytes_(names)
        dtype = [("index", "S29"), ("values_block_0", "f8", (values.shape[1],))]
        group["table"] = np.array(list(zip(PICTURES, values, strict=True)), dtype)
    return file


@pytest.mark.parametrize("layout", [_fixed, _table])
def test_both_layouts_are_read(tmp_path, layout):
    frame = read_frame(layout(tmp_path / "a.h5", ONE, VALUES))
    assert frame.rows == [(name,) for name in PICTURES]
    assert frame.columns == ONE
    np.testing.assert_array_equal(frame.values, VALUES)


def test_columns_of_several_blocks_come_in_their_order(tmp_path):
    frame = read_frame(_fixed(tmp_path / "a.h5", ONE, VALUES, blocks=2))
    assert frame.columns == ONE
    np.testing.assert_array_equal(frame.values, VALUES)


@pytest.mark.parametrize("layout", [_fixed, _table])
def test_deeplabcut_of_one_animal(tmp_path, layout):
    folder = tmp_path / "labeled-data" / "v"
    folder.mkdir(parents=True)
    file = layout(folder / "CollectedData_me.h5", ONE, VALUES)
    for spec in (file, tmp_path):
        table = open_dataset(f"deeplabcut:{spec}")
        assert table.folder == tmp_path
        assert table.names == PICTURES
        assert table.visible.tolist() == [[2, 2], [2, 0]]
        assert table.xy[0].tolist() == [[1.5, 2], [3, 4]]
    (folder / "CollectedData_me.csv").write_text("no labels")
    with pytest.raises(InputError, match=r"CollectedData_me\.csv: no header rows"):
        open_dataset(f"deeplabcut:{tmp_path}")


def test_deeplabcut_of_several_animals_with_paths_in_levels(tmp_path):
    values = np.full((2, 8), np.nan)
    values[0, :6], values[1, 6:] = np.arange(6), (7, 8)
    rows = [tuple(name.split("/")) for name in PICTURES]
    table = open_dataset(f"deeplabcut:{_fixed(tmp_path / 'a.h5', MANY, values, rows)}")
    assert table.names == PICTURES
    assert table.skeleton.keypoints == ("snout", "tail", "corner")
    assert table.first.tolist() == [0, 2, 3]
    assert table.visible.tolist() == [[2, 2, 0], [2, 0, 0], [0, 0, 2]]


class Evil:
    def __reduce__(self):
        return print, ("called",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: _table(f, ONE, VALUES, pickle.dumps(Evil(), 0)), "refer to .*print"),
        (lambda f: _table(f, ONE, VALUES, b"(lp0"), "not a table that pandas wrote"),
        (lambda f: _table(f, ONE[:3], VALUES), "for 2 rows and 3 columns"),
        (lambda f: _fixed(f, ONE, VALUES[:1]), "not a table that pandas wrote"),
        (lambda f: _fixed(f, [name[1:] for name in ONE], VALUES), "columns of .2. levels"),
        (lambda f: h5py.File(f, "w").close() or f, "0 tables of pandas"),
        (lambda f: f.write_bytes(_fixed(f, ONE, VALUES).read_bytes()[:700]) and f, "not a table"),
    ],
)
def test_other_files_are_refused_by_name_and_nothing_in_them_is_called(
    tmp_path, capsys, make, message
):
    file = make(tmp_path / "CollectedData_me.h5")
    with pytest.raises(InputError, match=f"CollectedData_me.*{message}"):
        open_dataset(f"deeplabcut:{file}")
    assert capsys.readouterr().out == ""
