import logging
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.runtime.video import frames


def clip(path, times, size=(48, 64), codec="mpeg4"):
    """A video whose frame i has brightness 40 + 20 i, left half black."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, time in enumerate(times):
            image = np.full((*size, 3), 20 * (i % 10) + 40, np.uint8)
            image[:, : size[1] // 2] = 0
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def test_frames_come_in_order_with_their_times(tmp_path):
    times = [0.0, 0.04, 0.5, 0.52]
    found = list(frames(clip(tmp_path / "a.mp4", times)))
    assert [f.index for f in found] == [0, 1, 2, 3]
    assert [f.time for f in found] == pytest.approx(times, abs=2e-3)
    for i, frame in enumerate(found):
        assert frame.image.shape == (48, 64, 3)
        assert abs(int(frame.image[20, 50].mean()) - (20 * i + 40)) < 8
        assert frame.image[20, 10].mean() < 8


def test_time_starts_at_the_first_frame(tmp_path):
    found = list(frames(clip(tmp_path / "a.mkv", [5.0, 5.1])))
    assert [f.time for f in found] == pytest.approx([0, 0.1], abs=2e-3)


def test_a_video_of_a_turned_camera_is_set_upright(tmp_path):
    path = tmp_path / "a.mp4"
    clip(path, [0.0])
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 20] = struct.pack(">iiiii", 0, 1 << 16, 0, -(1 << 16), 0)
    path.write_bytes(data)
    (frame,) = frames(str(path))
    assert frame.image.shape == (64, 48, 3)
    assert frame.image[10, 24].mean() < 8
    assert frame.image[50, 24].mean() > 30


def test_frames_are_decoded_when_they_are_asked_for(tmp_path):
    stream = frames(clip(tmp_path / "a.mp4", [i / 25 for i in range(50)]))
    assert next(stream).index == 0
    stream.close()


def test_frames_that_are_too_large_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"frames of 64 x 48; the limit is 0\.001"):
        next(frames(clip(tmp_path / "a.mp4", [0.0]), max_pixels=1000))


@pytest.mark.parametrize("content", [b"", b"no video at all" * 10])
def test_what_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot open .*a\.mp4"):
        next(frames(str(path)))


def test_a_missing_file_and_a_missing_camera_are_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        next(frames(str(tmp_path / "missing.mp4")))
    with pytest.raises(InputError, match="cannot open camera 97"):
        next(frames("97"))


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), format="s16", layout="mono"
        )
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="has no video"):
        next(frames(str(path)))


def test_a_file_that_is_cut_off_gives_what_it_holds(tmp_path):
    path = tmp_path / "a.mkv"
    clip(path, [i / 25 for i in range(100)])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert 5 < len(list(frames(str(path)))) < 100


def test_packets_that_cannot_be_decoded_are_counted(tmp_path, caplog):
    path = tmp_path / "a.mkv"
    whole = len(list(frames(clip(path, [i / 25 for i in range(20)]))))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    middle = len(data) // 2
    data[middle : middle + 300] = rng.integers(0, 256, 300, np.uint8).tobytes()
    (tmp_path / "b.mkv").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        found = len(list(frames(str(tmp_path / "b.mkv"))))
    assert 0 < found <= whole
