"""What a user names: files, folders, patterns, cameras and addresses, one by one."""

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PICTURES = ".jpg .jpeg .mpo .png .webp .gif .bmp .tif .tiff"
VIDEOS = ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .3gp .ogv .mjpeg"
"""Suffixes; a file with any other is taken for a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One thing to read.

    Attributes:
        name: File name, camera number or address.
        kind: A picture, a video file, or something live that ends when the user says so.
    """

    name: str
    kind: Literal["picture", "video", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A name that stands for nothing.

    Attributes:
        name: As given.
        reason: For people to read; says the name.
    """

    name: str
    reason: str


def expand(names: Iterable[str]) -> Iterator[Source | Missing]:
    """The sources that the names stand for.

    A folder stands for its pictures, a pattern (``*``, ``?``, ``[``, ``**``) for the files that
    match, in order of name; a number is a camera, ``scheme://…`` an address.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from _folder(path)
        elif path.exists():
            yield _file(path)
        elif name.isdigit() or re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
            yield Source(name=name, kind="live")
        elif glob.has_magic(name):
            found = sorted(f for f in glob.glob(name, recursive=True) if not Path(f).is_dir())
            yield from map(_file, map(Path, found))
            if not found:
                yield Missing(name=name, reason=f"no file matches {name}")
        else:
            yield Missing(name=name, reason=f"cannot read {name}: no such file or folder")


def _folder(path: Path) -> Iterator[Source | Missing]:
    found = sorted(f for f in path.iterdir() if _suffix(f) in PICTURES.split() and f.is_file())
    yield from map(_file, found)
    if not found:
        reason = f"{path} has no pictures; looked for {PICTURES}"
        yield Missing(name=str(path), reason=reason)


def _file(path: Path) -> Source:
    return Source(name=str(path), kind="video" if _suffix(path) in VIDEOS.split() else "picture")


def _suffix(path: Path) -> str:
    return path.suffix.lower()
