import os
import stat

import pytest

from vitruvian.outputs.files import replacing


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "out.txt"
    with replacing(path) as part:
        part.write_text("all")
        assert not path.exists()
        assert part.suffix == ".txt"
    assert path.read_text() == "all"
    assert os.listdir(path.parent) == ["out.txt"]


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_error_everything_is_as_before(tmp_path, stop):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as part:
            part.write_text("half")
            raise stop

    with pytest.raises(stop):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_permissions_are_those_of_the_old_file_or_of_a_new_one(tmp_path):
    old, new, plain = (tmp_path / name for name in ("old", "new", "plain"))
    old.write_text("")
    old.chmod(0o640)
    plain.write_text("")
    for path in (old, new):
        with replacing(path) as part:
            part.write_text("x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_links_are_followed_and_devices_written_to(tmp_path):
    target, link, sink = tmp_path / "target", tmp_path / "link", tmp_path / "sink"
    target.write_text("old")
    link.symlink_to(target)
    with replacing(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    sink.symlink_to("/dev/null")
    with replacing(sink) as part:
        part.write_text("x")
    assert sink.is_symlink()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_names_the_file(tmp_path):
    link = tmp_path / "out.txt"
    link.symlink_to("/dev/full")

    def fill():
        with replacing(link) as part:
            part.write_text("x" * 100_000)

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.filename == str(link)


def test_a_folder_that_cannot_be_written_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")

    def fail():
        with replacing(tmp_path / "file" / "out.txt"):
            pass

    with pytest.raises(OSError) as caught:
        fail()
    assert "out.txt" in str(caught.value) or "file" in str(caught.value)
