import os

import pytest

from vitruvian.runtime.sources import Missing, Source, expand


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "notes.txt", "clip.mp4", "sub/c.webp", "empty/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def picture(name: str) -> Source:
    return Source(name=os.path.normpath(name), kind="picture")


def test_files_are_pictures_unless_their_suffix_is_that_of_a_video(folder):
    assert list(expand(["b.jpg", "clip.mp4", "notes.txt"])) == [
        picture("b.jpg"),
        Source(name="clip.mp4", kind="video"),
        picture("notes.txt"),
    ]


def test_a_folder_stands_for_its_pictures_in_order(folder):
    assert [s.name for s in expand([str(folder)])] == [str(folder / n) for n in ("a.PNG", "b.jpg")]


def test_patterns_match_files_in_order(folder):
    assert list(expand(["*.jpg"])) == [picture("b.jpg")]
    assert list(expand(["**/*.webp"])) == [picture("sub/c.webp")]
    assert [s.kind for s in expand(["*"])] == ["picture", "picture", "video", "picture"]


def test_numbers_are_cameras_and_addresses_are_live(folder):
    assert [s.kind for s in expand(["0", "rtsp://host/stream", "https://host/a.mp4"])] == [
        "live"
    ] * 3
    (folder / "7").touch()
    assert list(expand(["7"])) == [picture("7")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jpg", "cannot read missing.jpg: no such file or folder"),
        ("*.gif", "no file matches *.gif"),
        ("empty", "empty has no pictures; looked for .jpg"),
    ],
)
def test_what_stands_for_nothing_is_given_with_a_reason(folder, name, reason):
    (found,) = expand([name])
    assert isinstance(found, Missing)
    assert found.name == name
    assert found.reason.startswith(reason)
