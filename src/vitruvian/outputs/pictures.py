"""Annotated pictures."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from vitruvian.core.errors import InputError
from vitruvian.core.types import Image
from vitruvian.outputs.draw import draw
from vitruvian.outputs.files import replacing
from vitruvian.outputs.result import Result, Write


@dataclass(slots=True)
class FreeNames:
    """Names in a folder, so that two sources of one name do not overwrite each other.

    Attributes:
        taken: Names given out so far.
    """

    taken: set[str] = field(default_factory=set)

    def __call__(self, stem: str, ending: str) -> str:
        """``stem`` + ``ending``, with a number between them where that is taken."""
        name, count = f"{stem}{ending}", 1
        while name in self.taken:
            count += 1
            name = f"{stem}_{count}{ending}"
        self.taken.add(name)
        return name


def save_picture(path: Path, image: Image) -> None:
    """Write one RGB picture in the format of the suffix, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError(0, "cannot be encoded", str(path))
    with replacing(path) as part:
        part.write_bytes(data.tobytes())


@contextmanager
def picture(path: Path, kpt_thr: float) -> Iterator[Write]:
    """One annotated picture."""

    def write(result: Result) -> None:
        save_picture(path, draw(result.image, result.poses, kpt_thr=kpt_thr))

    yield write


@contextmanager
def pictures(folder: Path, kpt_thr: float) -> Iterator[Write]:
    """A folder of annotated pictures, each named after its source and, of a video, its frame."""
    names = FreeNames()
    folder.mkdir(parents=True, exist_ok=True)

    def write(result: Result) -> None:
        stem = result.stem if result.frame is None else f"{result.stem}_{result.frame:06d}"
        path = folder / names(stem, ".jpg")
        refuse_own_input(path, result)
        save_picture(path, draw(result.image, result.poses, kpt_thr=kpt_thr))

    yield write


def refuse_own_input(path: Path, result: Result) -> None:
    """Never write over the picture that was read.

    Raises:
        InputError: ``path`` is the result's source.
    """
    if path.exists() and os.path.exists(result.source) and path.samefile(result.source):
        raise InputError(f"{path} is the input itself; write to another name or folder")
