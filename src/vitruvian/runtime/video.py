"""Frames of files, cameras and addresses, one at a time, with their times."""

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError, MissingExtra
from vitruvian.core.types import Image
from vitruvian.image.read import MAX_PIXELS

try:
    import av
    from av.container import InputContainer
    from av.video.frame import VideoFrame
except ImportError as error:
    raise MissingExtra("av", "video", "reading videos, cameras and streams") from error

_CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("vfwcap", "{}"),
}
_TIMEOUT = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame.

    Attributes:
        index: Position among the frames that could be decoded, from 0.
        time: Seconds since the first of them.
        image: RGB picture, upright.
    """

    index: int
    time: float
    image: Image


def frames(source: str, *, max_pixels: int = MAX_PIXELS) -> Iterator[Frame]:
    """The frames of a video, decoded when they are asked for.

    Args:
        source: A file, a camera's number, or an address (rtsp, http, https, …). Packets that
            cannot be decoded are left out with one warning at the end.
        max_pixels: Larger frames are refused before they are decoded.

    Raises:
        InputError: It cannot be opened or holds no frame that can be decoded.
    """
    with _opened(source) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_pixels:
            raise InputError(
                f"{source} has frames of {width} x {height}; "
                f"the limit is {max_pixels / 1e6:g} megapixels"
            )
        rate, first, index = float(stream.average_rate or 30), None, 0
        for frame in _decoded(container, source):
            time = index / rate if frame.time is None else frame.time
            first = time if first is None else first
            yield Frame(index=index, time=time - first, image=_upright(frame))
            index += 1
    if index == 0:
        raise InputError(f"{source} holds no frame that can be decoded")


def _opened(source: str) -> InputContainer:
    if source.isdigit() and not Path(source).exists():
        form, pattern = _CAMERAS.get(sys.platform, _CAMERAS["linux"])
        name, said = pattern.format(source), f"camera {source}"
    elif "://" in source:
        form, name, said = None, source, source
    else:
        form, name, said = None, f"file:{source}", source
    try:
        container = av.open(name, format=form, timeout=_TIMEOUT)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"cannot open {said}: {_reason(error)}") from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{said} has no video")
    return container


def _decoded(container: InputContainer, source: str) -> Iterator[VideoFrame]:
    lost = 0
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            _log.warning("%s ends early: %s", source, _reason(error))
            break
        if packet is None:
            break
        try:
            yield from packet.decode()
        except av.FFmpegError:
            lost += 1
    if lost:
        _log.warning("%s: %d packets could not be decoded", source, lost)


def _upright(frame: VideoFrame) -> Image:
    """RGB pixels, turned as the file says the camera was held."""
    image = frame.to_ndarray(format="rgb24")
    with suppress(AttributeError):
        image = np.rot90(image, round(frame.rotation / 90))
    return np.ascontiguousarray(image)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
