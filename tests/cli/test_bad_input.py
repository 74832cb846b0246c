"""One test per row of the promise: one clear line, exit code, others processed, nothing partial."""

import io
import json
import os
import struct
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from tests.cli.conftest import BOX, OTHER
from tests.painted import BONES, metadata, paint, pose_model
from vitruvian.runtime import weights


def encoded(image: Pil.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of 30 000 x 30 000 pixels in a hundred bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


PEOPLE = Pil.fromarray(paint((320, 320), BOX, OTHER))
BAD = {
    "missing": (None, "missing.jpg: no such file"),
    "zero byte": (b"", "is empty"),
    "no picture": (b"dear diary, " * 100, "is no picture; accepted are JPEG"),
    "truncated jpeg": (encoded(PEOPLE, "JPEG")[:-500], "the file is truncated"),
    "truncated png": (encoded(PEOPLE, "PNG")[:-500], "truncated"),
    "bomb": (bomb(), "30000 x 30000 = 900 megapixels; the limit is 200"),
    "float pixels": (
        encoded(Pil.fromarray(np.zeros((8, 8), np.float32)), "TIFF"),
        "no agreed range",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_picture_among_others(predict, kind):
    data, message = BAD[kind]
    name = "missing.jpg" if data is None else "bad.jpg"
    if data is not None:
        Path(name).write_bytes(data)
    done = predict("two.png", name, "none.png", "-o", "out/", "-o", "out.json")
    assert done.code == 1
    (line,) = done.errors
    assert name in line
    assert message in line
    assert done.err.splitlines() == done.errors
    assert f"2 pictures, 2 people in 1 of them; 1 failed: {name}" in done.out
    assert sorted(os.listdir("out")) == ["none.jpg", "two.jpg"]
    assert len(json.loads(Path("out.json").read_text())) == 2


def test_when_every_picture_is_bad_nothing_is_written(predict):
    Path("bad.jpg").touch()
    before = sorted(os.listdir("."))
    done = predict("bad.jpg", "-o", "out.json", "-o", "out.npz", "-o", "out.jpg")
    assert done.code == 1
    assert done.errors[-1].endswith("no input could be used; nothing was written")
    assert sorted(os.listdir(".")) == before


def test_a_folder_without_pictures(predict):
    os.mkdir("empty")
    done = predict("empty", "-o", "out.json")
    assert done.code == 1
    assert "empty has no pictures; looked for .jpg" in done.err
    assert not os.path.exists("out.json")


GOOD = {
    "1 x 1": (encoded(Pil.new("RGB", (1, 1)), "PNG"), 0),
    "16 bit": (encoded(Pil.fromarray(np.full((50, 40), 40_000, np.uint16)), "PNG"), 0),
    "grey": (encoded(PEOPLE.convert("L"), "PNG"), 0),
    "alpha": (encoded(PEOPLE.convert("RGBA"), "PNG"), 2),
    "palette": (encoded(PEOPLE.quantize(64), "PNG"), 2),
    "cmyk": (encoded(Pil.new("CMYK", (64, 64)), "JPEG"), 0),
    "animation": (
        encoded(
            PEOPLE.quantize(64), "GIF", save_all=True, append_images=[Pil.new("L", (320, 320))]
        ),
        2,
    ),
}


@pytest.mark.parametrize("kind", GOOD)
def test_unusual_pictures_are_pictures(predict, kind):
    data, people = GOOD[kind]
    Path("odd").write_bytes(data)
    done = predict("odd", "-o", "out.jpg", "-o", "out.jsonl")
    assert (done.code, done.err) == (0, "")
    assert len(json.loads(Path("out.jsonl").read_text())["people"]) == people
    assert os.path.getsize("out.jpg") > 100


def test_a_turned_photograph_is_set_upright(predict):
    exif = Pil.Exif()
    exif[0x0112] = 6
    turned = encoded(PEOPLE.rotate(90, expand=True), "JPEG", quality=98, exif=exif)
    Path("turned.jpg").write_bytes(turned)
    done = predict("turned.jpg", "-o", "out.jsonl")
    assert done.code == 0
    assert len(json.loads(Path("out.jsonl").read_text())["people"]) == 2


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("nan,0,10,10", "two.png: box 0 [nan, 0.0, 10.0, 10.0] is not finite"),
        ("400,10,500,50", "two.png: box 0 [400.0, 10.0, 500.0, 50.0] lies outside the picture"),
        ("50,10,20,50", "two.png: box 0 [50.0, 10.0, 20.0, 50.0] has no area"),
    ],
)
def test_a_bad_box_fails_its_picture_only(predict, box, message):
    rows = f"source,x0,y0,x1,y1\ntwo.png,{box}\nnone.png,10,10,60,110\n"
    Path("boxes.csv").write_text(rows)
    done = predict("two.png", "none.png", "--boxes", "boxes.csv", "-o", "out.jsonl")
    assert done.code == 1
    assert message in done.errors[0]
    assert "1 picture, 1 person; 1 failed: two.png" in done.out
    assert len(Path("out.jsonl").read_text().splitlines()) == 1


def test_boxes_of_other_pictures(predict):
    Path("boxes.csv").write_text("source,x0,y0,x1,y1\nother.png,1,1,9,9\n")
    done = predict("two.png", "--boxes", "boxes.csv")
    assert done.code == 1
    assert "has boxes of none of the pictures; it has those of other.png" in done.errors[0]


def test_an_unknown_system(predict):
    done = predict("two.png", "--whole-image", "--model", "vitruvian_pose_z", "-o", "out.json")
    assert done.code == 2
    assert "no model named 'vitruvian_pose_z'; did you mean 'vitruvian_pose_s'?" in done.errors[0]
    assert not os.path.exists("out.json")


def test_a_model_with_the_wrong_number_of_keypoints(predict):
    Path("k16.onnx").write_bytes(pose_model(metadata(BONES), channels=16))
    done = predict("two.png", "--whole-image", "--model", "k16.onnx")
    assert done.code == 1
    assert "needs output 'heatmap' of shape (1, 17, 64, 48)" in done.errors[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pose_model()[:-500], "is not an ONNX file, or a corrupt one"),
        (b"PK\x03\x04 pickled", "is not an ONNX file, or a corrupt one"),
        (pose_model().replace(b"vitruvian", b"somebody_"), "was not exported by this package"),
        (pose_model({**metadata().to_json(), "format": 9}), "has format 9, this version reads 1"),
        (pose_model().replace(b"AveragePool", b"AveragePoop"), "OpenVINO cannot use the model"),
    ],
)
def test_corrupt_and_foreign_models(predict, data, message):
    Path("bad.onnx").write_bytes(data)
    done = predict("two.png", "--whole-image", "--model", "bad.onnx", "-o", "out.json")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert message in done.errors[0]
    assert not os.path.exists("out.json")


def test_a_bundled_model_that_was_tampered_with(predict, work, monkeypatch):
    folder = work / "shipped"
    folder.mkdir()
    (folder / "pose.onnx").write_bytes(pose_model())
    entry = {"file": "pose.onnx", "sha256": "0" * 64, "bytes": len(pose_model())}
    (folder / "models.json").write_text(json.dumps({"pose": entry}))
    monkeypatch.setattr(weights, "FOLDER", folder)
    done = predict("two.png", "--whole-image", "--model", "default")
    assert done.code == 1
    assert "000000000000… and" in done.errors[0]
    assert "were shipped; install the package again" in done.errors[0]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["out.json", "out.csv", "out.npz", "out.jpg"])
def test_a_full_disk(predict, name):
    os.symlink("/dev/full", name)
    done = predict("two.png", "-o", name)
    assert done.code == 1
    assert done.err.splitlines() == [f"vitruvian: error: {name}: No space left on device"]


LIMITED = textwrap.dedent("""
    import resource, sys
    from vitruvian.cli.main import main
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
    sys.exit(main(sys.argv[1:]))
""")


@pytest.mark.parametrize("name", ["out.jsonl", "out.mp4", "out/"])
def test_a_file_that_cannot_grow_is_not_left_behind(python, work, name):
    from tests.cli.test_predict import clip

    clip("clip.mp4", 4)
    before = sorted(os.listdir("."))
    models = ("--model", "pose.onnx", "--detector", "detector.onnx", "--threads", "1")
    done = python(LIMITED, "predict", "clip.mp4", "-o", name, *models)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "File too large" in done.errors[0]
    assert [f for f in sorted(os.listdir(".")) if f != "out"] == before
    assert not os.path.isdir("out") or os.listdir("out") == []


WITHOUT_TORCH = textwrap.dedent("""
    import sys

    class NoTorch:
        def find_spec(self, name, path=None, target=None):
            if name == "torch":
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

    sys.meta_path.insert(0, NoTorch())
    from vitruvian.cli.main import main
    sys.exit(main(sys.argv[1:]))
""")


def test_prediction_needs_no_torch_and_training_names_the_extra(python):
    models = ("--model", "pose.onnx", "--detector", "detector.onnx", "--threads", "1")
    done = python(WITHOUT_TORCH, "predict", "two.png", "-o", "out.json", *models)
    assert (done.code, done.err) == (0, "")
    done = python(WITHOUT_TORCH, "train", "vitruvian_pose_s", "--data", "coco:x.json", "-o", "run")
    assert done.code == 1
    assert done.errors == [
        "vitruvian: error: vitruvian train needs 'torch', which is not installed; "
        "run: pip install 'vitruvian[train]'"
    ]
    done = python(WITHOUT_TORCH, "info", "hrnet_w32_256x192")
    assert done.code == 0
    assert "pip install 'vitruvian[train]'" in done.out


def test_an_installation_without_bundled_models(predict, work, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", work / "nothing")
    done = predict("two.png", "--model", "default", "-o", "out.json")
    assert done.code == 1
    assert "this installation has no bundled models" in done.errors[0]
    assert not os.path.exists("out.json")


def test_the_picture_itself_is_never_overwritten(predict):
    before = Path("two.png").read_bytes()
    done = predict("two.png", "-o", "two.png")
    assert done.code == 1
    assert "two.png is the input itself" in done.errors[0]
    assert Path("two.png").read_bytes() == before
