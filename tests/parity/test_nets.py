import json
from pathlib import Path

import numpy as np
import pytest

from tests.parity.kinds import Pair
from tests.parity.runner import NETS, check, family, known

DATA = Path(__file__).parent / "data"
FILES = [*filter(known, sorted(DATA.iterdir()))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ours_equals_the_authors(path):
    row = check(path)
    assert row.ok, str(row)


@pytest.mark.shared
def test_every_fixture_equals_the_authors(shared):
    started = ("net-", "fn-", "decode-")
    files = [p for p in sorted((shared / "parity").iterdir()) if p.name.startswith(started)]
    rows = [check(path) for path in files]
    assert len(rows) >= 95
    assert all(row.ok for row in rows), "\n".join(map(str, rows))


def test_every_network_family_has_a_fixture():
    found = {start for start in NETS for p in FILES if family(p.stem[4:]) is NETS[start]}
    assert found == {*NETS}


def _altered(path: Path, change) -> Path:
    with np.load(DATA / "net-hrnet-tiny.npz") as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    return path


def test_runner_fails_a_fixture_whose_output_differs(tmp_path):
    def change(arrays):
        arrays["out0"][0, 0, 0, 0] += 1e-2 * np.abs(arrays["out0"]).max()

    row = check(_altered(tmp_path / "net-other.npz", change))
    assert not row.ok
    assert 5e-3 < row.differences[0] < 2e-2


def test_runner_fails_a_fixture_whose_output_is_not_a_number(tmp_path):
    row = check(_altered(tmp_path / "net-other.npz", lambda a: a["out0"].fill(np.nan)))
    assert not row.ok


def test_runner_reports_a_fixture_of_a_family_it_does_not_know(tmp_path):
    def change(arrays):
        meta = json.loads(str(arrays["meta"])) | {"name": "nobody-s"}
        arrays["meta"] = np.array(json.dumps(meta))

    row = check(_altered(tmp_path / "net-hrnet-tiny.npz", change))
    assert "nobody-s" in row.error


@pytest.mark.parametrize("name", ["fn-nobody.npz", "decode-nobody.npz", "fn-nobody.json"])
def test_runner_reports_a_file_that_no_check_fits(tmp_path, name):
    row = check(tmp_path / name)
    assert not row.ok
    assert "unknown" in row.error


def test_runner_fails_a_function_whose_output_differs(tmp_path):
    with np.load(DATA / "fn-flip_back.npz") as file:
        arrays = dict(file)
    arrays["flipped"][0, 3, 2, 1] += 1e-2
    np.savez(tmp_path / "fn-flip_back.npz", **arrays)
    assert not check(tmp_path / "fn-flip_back.npz").ok


def test_runner_reports_a_file_that_lacks_what_its_check_reads(tmp_path):
    np.savez(tmp_path / "fn-flip_back.npz", source="")
    row = check(tmp_path / "fn-flip_back.npz")
    assert not row.ok
    assert "KeyError" in row.error


def test_what_is_nan_on_one_side_differs():
    nan = np.array([np.nan, 1])
    assert Pair(ours=nan, theirs=nan).difference == 0
    assert Pair(ours=nan, theirs=np.ones(2)).difference == np.inf


def test_runner_reports_a_network_that_its_weights_do_not_fit(tmp_path):
    def change(arrays):
        meta = json.loads(str(arrays["meta"]))
        meta["config"]["NUM_JOINTS"] = 6
        arrays["meta"] = np.array(json.dumps(meta))

    row = check(_altered(tmp_path / "net-hrnet-tiny.npz", change))
    assert "final_layer.weight (5, 4, 3, 3) in the file, (6, 4, 3, 3) here" in row.error
