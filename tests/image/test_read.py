import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pil

from vitruvian.core.errors import InputError
from vitruvian.image.read import as_image, read


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    """A smooth picture whose four corners differ."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 6, y * 10, 255 - x * 3 - y * 2], axis=-1).clip(0, 255).astype(np.uint8)


def encoded(image: np.ndarray | Pil.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    made = Pil.fromarray(image) if isinstance(image, np.ndarray) else image
    made.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises ``width`` x ``height`` pixels and ends after a handful of bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_return_the_very_pixels(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(read(encoded(picture(), kind, **options)), picture())


def test_jpeg_is_rgb_and_close_to_what_was_saved(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture(), "JPEG", quality=98, subsampling=0))
    assert np.abs(read(path).astype(int) - picture()).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: lambda a: np.rot90(a, 1),
    }[orientation](picture())
    exif = Pil.Exif()
    exif[0x0112] = orientation
    extra = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    extra = {"lossless": True} if kind == "WEBP" else extra
    image = read(encoded(picture(), kind, exif=exif, **extra))
    assert image.shape == turned.shape
    assert np.abs(image.astype(int) - turned).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_range(kind):
    grey = np.array([[0, 255, 256], [32768, 65280, 65535]], np.uint16)
    image = read(encoded(Pil.fromarray(grey), kind))
    np.testing.assert_array_equal(image[..., 0], [[0, 0, 1], [128, 255, 255]])
    assert (image == image[..., :1]).all()


def test_sixteen_bit_colour_keeps_its_range(tmp_path):
    cv2 = pytest.importorskip("cv2")
    bgr = np.array([[[0, 32768, 65535], [256, 511, 65280]]], np.uint16)
    image = read(cv2.imencode(".png", bgr)[1].tobytes())
    np.testing.assert_array_equal(image, [[[255, 128, 0], [255, 1, 1]]])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_becomes_three_equal_channels(kind):
    grey = np.full((9, 7), 77, np.uint8)
    np.testing.assert_array_equal(read(encoded(grey, kind)), np.full((9, 7, 3), 77))


def test_black_and_white_tiff_is_read():
    bits = np.array([[True, False], [False, True]])
    image = read(encoded(Pil.fromarray(bits), "TIFF"))
    np.testing.assert_array_equal(image[..., 1], [[255, 0], [0, 255]])


def test_transparency_is_laid_on_white():
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    image = read(encoded(rgba, "PNG"))
    np.testing.assert_array_equal(image, [[[255] * 3, [10, 20, 30], [127] * 3]])


def test_a_transparent_palette_entry_is_white():
    indexed = Pil.fromarray(np.array([[0, 1]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60])
    image = read(encoded(indexed, "PNG", transparency=0))
    np.testing.assert_array_equal(image, [[[255, 255, 255], [40, 50, 60]]])


def test_cmyk_jpeg_becomes_rgb():
    cmyk = Pil.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = read(encoded(cmyk, "JPEG", quality=98))
    assert np.abs(image.astype(int) - [255, 0, 0]).max() < 8


def test_the_first_frame_of_an_animated_gif_counts():
    frames = [Pil.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    image = read(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(image, np.broadcast_to([255, 0, 0], (6, 8, 3)))


def test_the_smallest_picture_is_a_picture():
    assert read(encoded(np.zeros((1, 1, 3), np.uint8), "PNG")).shape == (1, 1, 3)


def test_a_bomb_is_refused_from_its_header():
    with pytest.raises(InputError, match=r"30000 x 30000 = 900 megapixels; the limit is 200"):
        read(png_header(30_000, 30_000))


def test_the_limit_is_the_callers():
    data = encoded(picture(), "PNG")
    with pytest.raises(InputError, match="40 x 24"):
        read(data, max_pixels=40 * 24 - 1)
    assert read(data, max_pixels=40 * 24).shape == (24, 40, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_an_error(kind, share):
    rng = np.random.default_rng(0)
    data = encoded(rng.integers(0, 256, (64, 64, 3), np.uint8), kind)
    with pytest.raises(InputError, match=r"truncated|cannot decode|corrupt"):
        read(data[: int(len(data) * share)])


def test_a_truncated_jpeg_with_a_whole_thumbnail_is_an_error():
    thumbnail = encoded(picture(), "JPEG")
    data = encoded(picture(240, 400), "JPEG")
    body = b"Exif\0\0" + thumbnail
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    assert read(data).shape == (240, 400, 3)
    with pytest.raises(InputError, match="truncated"):
        read(data[:-200])


@pytest.mark.parametrize("data", [b"hello, world", b"%PDF-1.7", b"RIFF\0\0\0\0AVI LIST", bytes(64)])
def test_what_is_no_picture_is_named_so(data):
    with pytest.raises(InputError, match="no picture; accepted are JPEG, PNG, WebP"):
        read(data)


def test_empty_and_missing_files_are_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match=r"empty\.jpg is empty"):
        read(tmp_path / "empty.jpg")
    with pytest.raises(InputError, match=r"missing\.jpg: No such file"):
        read(tmp_path / "missing.jpg")
    with pytest.raises(InputError, match="directory"):
        read(tmp_path)


def test_float_pixels_are_refused_with_a_reason():
    with pytest.raises(InputError, match="no agreed range"):
        read(encoded(Pil.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


def test_as_image_takes_arrays_and_pil_pictures():
    image = picture()
    np.testing.assert_array_equal(as_image(image), image)
    np.testing.assert_array_equal(as_image(Pil.fromarray(image)), image)
    assert as_image(image[:, ::-1]).flags.c_contiguous


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), 7, None]
)
def test_as_image_refuses_what_is_not_rgb_uint8(bad):
    with pytest.raises(InputError, match="uint8"):
        as_image(bad)
