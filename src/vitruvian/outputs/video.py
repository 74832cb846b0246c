"""Annotated videos whose frames keep their times."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np

from vitruvian.core.errors import MissingExtra
from vitruvian.core.types import Image
from vitruvian.outputs.draw import draw
from vitruvian.outputs.files import replacing
from vitruvian.outputs.result import Result, Write

try:
    import av
    from av.video.stream import VideoStream
except ImportError as error:
    raise MissingExtra("av", "video", "writing videos") from error

_TICKS = 90_000
"""Times are multiples of 1/90000 s, as in MPEG."""


@contextmanager
def video(path: Path, kpt_thr: float) -> Iterator[Write]:
    """One annotated video whose frames keep their times; sound is not copied."""
    with replacing(path) as part:
        encoder: list[_Encoder] = []

        def write(result: Result) -> None:
            drawn = draw(result.image, result.poses, kpt_thr=kpt_thr)
            if not encoder:
                encoder.append(_Encoder(part, path.suffix, drawn.shape[:2]))
            encoder[0].add(drawn, result.time or 0.0)

        try:
            yield write
            for each in encoder:
                each.finish()
        finally:
            for each in encoder:
                each.close()


class _Encoder:
    """An open video file."""

    def __init__(self, part: Path, suffix: str, size: tuple[int, ...]) -> None:
        self._container = av.open(str(part), "w", format=_muxer(suffix))
        codec = "libvpx-vp9" if suffix == ".webm" else _h264()
        fast = {"crf": "20", "preset": "veryfast"} if codec == "libx264" else {}
        stream = cast(VideoStream, self._container.add_stream(codec, rate=30, options=fast))
        stream.height, stream.width = size[0] + size[0] % 2, size[1] + size[1] % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        if codec != "libx264":
            stream.bit_rate = stream.height * stream.width * 4
        self._stream, self._last = stream, -1

    def add(self, image: Image, time: float) -> None:
        """One more frame; colour is stored for pairs of pixels, so odd sides are made even."""
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        self._last = max(round(time * _TICKS), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder holds back, and the index."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def close(self) -> None:
        """Let the file go."""
        with suppress(Exception):
            self._container.close()


def _muxer(suffix: str) -> str:
    return {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}[suffix]


def _h264() -> str:
    """The best encoder of this PyAV for MP4."""
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"
