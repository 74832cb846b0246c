import json
from pathlib import Path

import numpy as np
import pytest

from tests.parity.runner import NETS, check, family, known

DATA = Path(__file__).parent / "data"
FILES = [*filter(known, sorted(DATA.iterdir()))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ours_equals_the_authors(path):
    row = check(path)
    assert row.ok, str(row)


@pytest.mark.shared
def test_every_fixture_of_a_known_family_equals_the_authors(shared):
    held = {path.name for path in FILES}
    more = [p for p in sorted((shared / "parity").iterdir()) if known(p) and p.name not in held]
    rows = [check(path) for path in more]
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


def test_runner_reports_a_network_that_its_weights_do_not_fit(tmp_path):
    def change(arrays):
        meta = json.loads(str(arrays["meta"]))
        meta["config"]["NUM_JOINTS"] = 6
        arrays["meta"] = np.array(json.dumps(meta))

    row = check(_altered(tmp_path / "net-hrnet-tiny.npz", change))
    assert "final_layer.weight (5, 4, 3, 3) in the file, (6, 4, 3, 3) here" in row.error
