import gzip
import hashlib
import tarfile
from pathlib import Path

import pytest

import vitruvian.image.makehuman_files as module
from vitruvian.core.errors import InputError
from vitruvian.image.makehuman_files import SOURCES, address, get_assets, wanted
from vitruvian.image.scenes import Sources, scene

FILES = {
    "mpfb/data/3dobjs/base.obj": b"v 0 0 0\n",
    "mpfb/data/targets/macrodetails/a.target": b"0 1 2 3\n",
    "mpfb/rigs/rig.game_engine.json": b"{}",
    "mh/hair/short01/short01.obj": b"v 1 1 1\n",
    "poses/sit01.bvh": b"HIERARCHY\n",
}


@pytest.fixture
def source(monkeypatch):
    """A source of a few files instead of the real one's."""
    known = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
    monkeypatch.setattr(module, "wanted", lambda: known)
    held = {
        address(path): gzip.compress(content) if path.endswith(".target") else content
        for path, content in FILES.items()
    }
    asked = []

    def fetch(url):
        asked.append(url)
        if url not in held:
            raise OSError("no such page")
        return held[url]

    return held, asked, fetch


def test_every_known_file_has_a_hash_and_an_address():
    known = wanted()
    assert len(known) > 300
    for path, digest in known.items():
        assert len(digest) == 64
        assert address(path).startswith(tuple(SOURCES.values()))
    assert address("mpfb/data/targets/macrodetails/a.target").endswith("/macrodetails/a.target.gz")
    assert "/base/hair/short01/" in address("mh/hair/short01/short01.obj")


def test_what_is_missing_or_wrong_is_fetched_and_the_rest_is_kept(tmp_path, source):
    _, asked, fetch = source
    said = get_assets(tmp_path, fetch=fetch)
    assert "5 of them new" in said
    assert "CC0 1.0" in said
    for path, content in FILES.items():
        assert (tmp_path / path).read_bytes() == content
    (tmp_path / "poses/sit01.bvh").write_bytes(b"torn")
    asked.clear()
    assert "1 of them new" in get_assets(tmp_path, fetch=fetch)
    assert asked == [address("poses/sit01.bvh")]


def test_a_changed_file_is_refused_and_never_written(tmp_path, source):
    held, _, fetch = source
    held[address("poses/sit01.bvh")] = b"something else"
    with pytest.raises(InputError, match=r"sit01\.bvh: SHA-256 .* is not that of the known file"):
        get_assets(tmp_path, fetch=fetch)
    assert not (tmp_path / "poses/sit01.bvh").exists()


def test_a_page_that_is_not_there_is_named(tmp_path, source):
    held, _, fetch = source
    del held[address("mh/hair/short01/short01.obj")]
    with pytest.raises(InputError, match=r"short01\.obj: cannot be fetched \(no such page\)"):
        get_assets(tmp_path, fetch=fetch)


def test_a_copy_of_the_repositories_serves_as_well(tmp_path, source):
    copies = {name: (tmp_path / name).as_uri() + "/" for name in SOURCES}
    for path, content in FILES.items():
        file = Path(address(path, {name: str(tmp_path / name) + "/" for name in SOURCES}))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content) if path.endswith(".target") else content)
    assert "5 of them new" in get_assets(tmp_path / "out", copies)
    assert (tmp_path / "out/mpfb/data/3dobjs/base.obj").read_bytes() == b"v 0 0 0\n"


@pytest.mark.shared
@pytest.mark.slow
def test_the_authors_files_are_the_known_ones_and_make_people(shared, tmp_path):
    with tarfile.open(shared / "synth" / "assets.tar.xz") as pack:
        pack.extractall(tmp_path, filter="data")

    def no_network(url):
        raise AssertionError(f"{url} is not here or another")

    assert "0 of them new" in get_assets(tmp_path, fetch=no_network)
    made = scene(11, 210, 160, Sources(assets=str(tmp_path)))
    assert made.about["bodies"] == "makehuman"
    assert (made.visible == 2).sum() > 20


def test_other_paths_have_no_address():
    with pytest.raises(InputError, match="not a file of MakeHuman's"):
        address("textures/skin.png")
