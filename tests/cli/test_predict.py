import io
import json
import os
import signal
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.cli.conftest import BOX, OTHER
from tests.painted import paint, person
from vitruvian.cli.main import main
from vitruvian.runtime import weights


def clip(path: str, count: int) -> None:
    """Frames of growing distance in time; people in every other one."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height = stream.width = 320
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(count):
            image = paint((320, 320), *((BOX, OTHER) if i % 2 else ()))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = 40 * i * i, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_picture_becomes_a_drawing_and_a_file(predict):
    done = predict("two.png", "-o", "out.jpg", "-o", "out.json")
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("1 picture, 2 people\nread ")
    assert "ms each; OpenVINO" in done.out
    rows = json.loads(Path("out.json").read_text())
    found = np.array([row["keypoints"] for row in rows]).reshape(2, 17, 3)
    found = found[found[:, 0, 0].argsort()]
    for row, box in zip(found, (BOX, OTHER), strict=True):
        assert np.abs(row[:, :2] - person(box)).max() < 2.5
    drawn, plain = cv2.imread("out.jpg"), cv2.imread("two.png")
    assert drawn.shape == plain.shape
    assert np.abs(drawn.astype(int) - plain).max() > 100


def test_without_an_output_each_picture_has_a_line(predict):
    done = predict("two.png", "none.png")
    assert done.out.splitlines()[:3] == [
        "two.png: 2 people",
        "none.png: 0 people",
        "2 pictures, 2 people in 1 of them",
    ]


def test_quiet_says_nothing(predict):
    done = predict("two.png", "-o", "out.csv", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_folders_patterns_and_lists_are_inputs(predict, work, monkeypatch):
    assert "2 pictures, 2 people" in predict(".", "-o", "a.jsonl").out
    assert "1 picture, 2 people" in predict("t*.png", "-o", "b.jsonl").out
    monkeypatch.setattr(sys, "stdin", io.StringIO("two.png\n\nnone.png\n"))
    assert "2 pictures, 2 people" in predict("-", "-o", "c.jsonl").out
    lines = [json.loads(line) for line in Path("c.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == ["two.png", "none.png"]
    assert lines[0]["vitruvian"]["detector"]["name"] == "painted_people"


def test_small_batches_change_nothing(predict):
    for size in ("1", "2"):
        predict("two.png", "none.png", "two.png", "-o", f"{size}.csv", "--batch", size)
    assert Path("1.csv").read_text() == Path("2.csv").read_text()


def test_a_video_becomes_a_video_with_the_same_times(predict):
    clip("clip.mp4", 6)
    done = predict("clip.mp4", "-o", "out.mp4", "-o", "out.jsonl", "--batch", "4")
    assert done.code == 0
    assert done.out.startswith("6 frames, 6 people in 3 of them\n")
    times = [0.04 * i * i for i in range(6)]
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["time"] for line in lines] == pytest.approx(times, abs=2e-3)
    assert [len(line["people"]) for line in lines] == [0, 2, 0, 2, 0, 2]
    with av.open("out.mp4") as container:
        found = [frame.time for frame in container.decode(video=0)]
    assert found == pytest.approx(times, abs=2e-3)


def test_pictures_and_videos_mix_in_files_and_folders(predict):
    clip("clip.mp4", 2)
    done = predict("two.png", "clip.mp4", "-o", "out/", "-o", "out.json", "-o", "out.npz")
    assert done.code == 0
    assert done.out.startswith("1 picture and 2 frames, 4 people in 2 of them")
    assert sorted(os.listdir("out")) == ["clip_000000.jpg", "clip_000001.jpg", "two.jpg"]
    ids = [row["image_id"] for row in json.loads(Path("out.json").read_text())]
    assert ids == [1, 1, 3, 3]
    assert len(np.load("out.npz")["source"]) == 3


def test_numbered_pictures_keep_their_numbers(predict):
    for name in ("000000000139.png", "000000000285.png"):
        os.link("two.png", name)
    predict("000000000139.png", "000000000285.png", "-o", "out.json")
    rows = json.loads(Path("out.json").read_text())
    assert [row["image_id"] for row in rows] == [139, 139, 285, 285]


def test_openpose_files(predict):
    predict("two.png", "-o", "out.json", "--format", "openpose")
    people = json.loads(Path("out.json").read_text())["people"]
    assert len(people[0]["pose_keypoints_2d"]) == 75
    predict("two.png", "none.png", "-o", "op/", "--format", "openpose18")
    assert sorted(os.listdir("op")) == ["none_keypoints.json", "two_keypoints.json"]


def test_given_boxes_replace_the_detector(predict):
    Path("boxes.csv").write_text(
        f"source,x0,y0,x1,y1,score\ntwo.png,{','.join(map(str, BOX))},0.5\n"
    )
    done = predict("two.png", "none.png", "-o", "out.csv", "--boxes", "boxes.csv")
    assert done.out.startswith("2 pictures, 1 person in 1 of them")
    assert "detect" not in done.out
    again = predict("two.png", "-o", "again.csv", "--boxes", "out.csv")
    assert again.out.startswith("1 picture, 1 person")


def test_the_poses_can_be_refined(predict):
    done = predict("two.png", "--refine", "refiner.onnx", "-o", "out.jsonl")
    assert done.code == 0
    assert done.out.startswith("1 picture, 2 people\n")
    assert "refine" in done.out
    origin = predict("two.png", "-o", "plain.json", "--refine", "detector.onnx")
    assert origin.code == 1
    assert "a refine model is needed here" in origin.errors[0]


def test_the_whole_image_can_be_one_person(predict):
    cv2.imwrite("one.png", paint((300, 200), (50, 50, 150, 250))[..., ::-1])
    done = predict("one.png", "none.png", "--whole-image", "-o", "out.jsonl")
    assert done.out.startswith("2 pictures, 2 people")


def test_thresholds_and_limits_reach_the_predictor(predict):
    assert "1 picture, 1 person" in predict("two.png", "-o", "a.csv", "--max-people", "1").out
    assert "1 picture, 0 people" in predict("two.png", "-o", "b.csv", "--conf", "1").out
    predict("two.png", "-o", "c.jsonl", "--kpt-thr", "0.85")
    (line,) = Path("c.jsonl").read_text().splitlines()
    values = [v for p in json.loads(line)["people"] for v in p["keypoints"].values()]
    assert None in values
    assert all(v is None or v[2] >= 0.849 for v in values)
    predict("two.png", "-o", "d.csv")
    predict("two.png", "-o", "e.csv", "--flip")
    assert Path("d.csv").read_text() != Path("e.csv").read_text()


def test_the_other_runtime_gives_the_same_people(predict):
    done = predict("two.png", "-o", "a.npz", "--backend", "onnxruntime")
    assert "ONNX Runtime" in done.out
    predict("two.png", "-o", "b.npz")
    np.testing.assert_allclose(np.load("a.npz")["xy"], np.load("b.npz")["xy"], atol=0.05)


def test_ctrl_c_leaves_nothing_behind(predict, monkeypatch):
    from vitruvian.runtime.predictor import Predictor

    def stop(self, *_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "__call__", stop)
    before = sorted(os.listdir("."))
    done = predict("two.png", "-o", "out.json", "-o", "out.npz", "-o", "out.jpg")
    assert done.code == 130
    assert done.errors == ["vitruvian: error: stopped"]
    assert sorted(os.listdir(".")) == before


def test_ctrl_c_ends_a_live_source_and_keeps_what_was_written(predict, monkeypatch):
    from vitruvian.runtime import video

    def endless(source, **_settings):
        image = paint((320, 320), BOX, OTHER)
        for index in range(100):
            if index == 3:
                signal.raise_signal(signal.SIGINT)
            yield video.Frame(index=index, time=index / 25, image=image)

    monkeypatch.setattr(video, "frames", endless)
    done = predict("rtsp://camera/stream", "-o", "out.jsonl", "--batch", "1")
    assert done.code == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_sigterm_clears_unfinished_files_away(python):
    program = textwrap.dedent("""
        import os, signal, sys
        from vitruvian.runtime.predictor import Predictor
        from vitruvian.cli.main import main
        Predictor.__call__ = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(main(sys.argv[1:]))
    """)
    before = sorted(os.listdir("."))
    models = ("--model", "pose.onnx", "--detector", "detector.onnx")
    done = python(program, "predict", "two.png", "-o", "out.json", *models)
    assert done.code == 143
    assert sorted(os.listdir(".")) == before


def test_outputs_that_cannot_work_are_refused_before_anything_is_loaded(predict):
    clip("clip.mp4", 1)
    Path("boxes.csv").write_text("source,x0,y0,x1,y1\ntwo.png,1,1,9,9\n")
    for words, message in {
        ("two.png", "none.png", "-o", "out.jpg"): "out.jpg takes one picture",
        ("two.png", "missing.png", "-o", "out.jpg"): "out.jpg takes one picture",
        ("clip.mp4", "-o", "out.jpg"): "out.jpg takes one picture",
        ("two.png", "-o", "out.mp4"): "out.mp4 takes one video",
        ("two.png", "-o", "out.txt"): "cannot tell what to write to 'out.txt'",
        ("two.png", "-o", "a.json", "-o", "a.json"): "two outputs have the same name",
        ("two.png", "-o", "a.json", "--format", "yolo"): "no format 'yolo'",
        ("two.png", "--boxes", "boxes.csv", "--whole-image"): "exclude each other",
        ("clip.mp4", "--boxes", "boxes.csv"): "--boxes works with pictures",
        ("two.png", "--batch", "0"): "a batch of 0",
        ("two.png", "--conf", "7"): "thresholds lie in",
    }.items():
        done = predict(*words)
        assert done.code == 2
        assert message in done.errors[-1]


def test_the_verb_is_a_program(work):
    assert main(["predict", "two.png", "--whole-image", "--model", "pose.onnx", "--quiet"]) == 0


def test_a_pipeline_runs_with_parts_of_ones_own(predict):
    done = predict("two.png", "--system", "grmi", "-o", "out.json", "--set", "test.oks_nms=0.7")
    assert done.code == 0
    assert done.err == ""
    rows = json.loads(Path("out.json").read_text())
    assert len(rows) == 2
    keypoints = np.array([row["keypoints"] for row in rows]).reshape(2, 17, 3)
    np.testing.assert_allclose([row["score"] for row in rows], keypoints[..., 2].mean(1), rtol=1e-3)


def test_a_pipeline_that_does_not_exist_or_has_no_weights_is_explained(predict, monkeypatch):
    done = predict("two.png", "--system", "grmy", "--model", "pose.onnx")
    assert done.code == 2
    assert "did you mean 'grmi'" in done.err
    Path("models.json").write_text("{}")
    monkeypatch.setattr(weights, "FOLDER", Path())
    done = predict("two.png", "--system", "mask_rcnn", "--model", "default")
    assert done.code == 1
    assert "vitruvian train mask_rcnn_s" in done.err
    assert "--model mask_rcnn_s.onnx" in done.err
