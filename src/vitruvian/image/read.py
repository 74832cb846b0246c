"""Files and bytes to RGB, refusing what cannot be trusted.

Pillow reads the header, so that a picture's size is known before a single pixel is decoded, and
decodes what is rare; plain JPEG goes through OpenCV, which takes half the time. Accepted are JPEG,
PNG, WebP, GIF, BMP and TIFF. EXIF orientation is applied, transparency is laid on white, 16 bits
become the upper 8, of an animation or a multi-page file the first picture counts. Colour profiles
are ignored.
"""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vitruvian.core.errors import InputError
from vitruvian.core.types import Image

Source = str | os.PathLike[str] | bytes | np.ndarray | PIL.Image.Image
"""A path, the bytes of a file, an RGB array H W 3 uint8, or a PIL picture."""

MAX_PIXELS = 200_000_000
"""Default limit on width x height: the largest phone cameras pass, decompression bombs do not."""

_READERS: dict[bytes, Callable[[BytesIO], PIL.Image.Image]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
}
_END_OF_IMAGE = b"\xff\xd9"


def read(source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture in a file, or in the bytes of one.

    Raises:
        InputError: It is missing, empty, truncated, not a picture or larger than ``max_pixels``.
    """
    data, name = (source, f"{len(source)} bytes") if isinstance(source, bytes) else _load(source)
    picture = _opened(data, name)
    _check_size(picture.size, name, max_pixels)
    try:
        if picture.format == "JPEG" and picture.mode in ("L", "RGB"):
            return _decode_jpeg(data)
        return _pixels(picture)
    except Exception as error:  # decoders of foreign bytes raise whatever they like
        raise InputError(f"cannot decode {name}: {error}") from error


def as_image(source: object, *, max_pixels: int = MAX_PIXELS) -> Image:
    """RGB from whatever holds a picture.

    Raises:
        InputError: It is something else, or :func:`read` cannot read it.
    """
    if isinstance(source, str | os.PathLike | bytes):
        return read(source, max_pixels=max_pixels)
    if isinstance(source, np.ndarray):
        return _checked(source)
    if isinstance(source, PIL.Image.Image):
        _check_size(source.size, "PIL picture", max_pixels)
        try:
            return _pixels(source.copy())
        except Exception as error:
            raise InputError(f"cannot decode PIL picture: {error}") from error
    raise InputError(
        f"cannot read a picture from {type(source).__name__}; give a path, bytes, "
        "a PIL picture or an RGB array H W 3 uint8"
    )


def _load(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    name = os.fspath(path)
    try:
        return Path(name).read_bytes(), name
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from error


def _opened(data: bytes, name: str) -> PIL.Image.Image:
    """The header, by the one reader that the first bytes name.

    ``PIL.Image.open`` would try every reader there is, and warn about large pictures before our own
    limit is asked.
    """
    if not data:
        raise InputError(f"{name} is empty")
    for magic, reader in _READERS.items():
        if data.startswith(magic) and (magic != b"RIFF" or data[8:12] == b"WEBP"):
            try:
                return reader(BytesIO(data))
            except Exception as error:
                raise InputError(f"{name} is truncated or corrupt: {error}") from error
    raise InputError(f"{name} is no picture; accepted are JPEG, PNG, WebP, GIF, BMP and TIFF")


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{name} is {width} x {height} = {width * height / 1e6:.0f} megapixels; "
            f"the limit is {max_pixels / 1e6:g}"
        )
    if width < 1 or height < 1:
        raise InputError(f"{name} has no pixels: {width} x {height}")


def _checked(array: np.ndarray) -> Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InputError(
            f"array of {array.dtype} {array.shape}; a picture is uint8 (height, width, 3) in RGB"
        )
    return np.ascontiguousarray(array)


def _decode_jpeg(data: bytes) -> Image:
    """OpenCV fills what is missing with grey, so the end marker is looked for first.

    Inside the compressed data a byte 255 is never followed by 217: it could only be the marker.
    """
    scan = _first_scan(data)
    if data.find(_END_OF_IMAGE, scan) < 0:
        raise OSError("the file is truncated")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise OSError("the compressed data are corrupt")
    return image


def _first_scan(data: bytes) -> int:
    """Position of the first compressed data, after segments that may hold pictures of their own."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        at += 1 if marker == 0xFF else 2 + length
        if marker == 0xDA:
            break
    return at


def _pixels(picture: PIL.Image.Image) -> Image:
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        return np.stack([(np.asarray(picture) >> 8).astype(np.uint8)] * 3, axis=-1)
    if picture.mode in ("I", "F"):
        raise OSError("32-bit pixels have no agreed range; save it with 8 or 16 bits")
    if "transparency" in picture.info or picture.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        return _on_white(np.asarray(picture.convert("RGBA")))
    return np.array(picture.convert("RGB"))


def _on_white(rgba: np.ndarray) -> Image:
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
