"""Result: what writers are given, picture by picture."""

from collections.abc import Callable
from dataclasses import dataclass

from vitruvian.core.poses import Poses
from vitruvian.core.types import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The people of one picture or of one frame.

    Attributes:
        source: The file, camera or address it came from.
        image: The picture itself.
        poses: Its people.
        image_id: Number of the picture or frame in files that need one.
        frame: Position in the video, from 0; None for a picture.
        time: Seconds from the start of the video; None for a picture.
    """

    source: str
    image: Image
    poses: Poses
    image_id: int
    frame: int | None = None
    time: float | None = None

    @property
    def stem(self) -> str:
        """Name for files about it: that of the source, without folder and suffix."""
        name = self.source.partition("?")[0].replace("\\", "/").rstrip("/").rpartition("/")[2]
        return name.rpartition(".")[0] or name or "picture"


Write = Callable[[Result], None]
"""Takes one result after the other."""
