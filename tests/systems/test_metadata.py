import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.painted import BONES, metadata, pose_model
from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.errors import WeightsError
from vitruvian.systems.metadata import KEY, Metadata, onnx_properties, read_metadata
from vitruvian.systems.spec import Input, Recipe, System, Test

MODEL = pose_model()


def test_metadata_survive_json():
    about = metadata(flip=True, oks_nms=0.8)
    assert Metadata.from_json(json.loads(json.dumps(about.to_json()))) == about


def test_metadata_are_read_from_an_onnx_file_without_a_runtime():
    assert read_metadata(MODEL) == metadata()


def test_metadata_of_a_system_hold_its_test_procedure():
    system = System(
        name="mine",
        task="topdown",
        net="mine:net",
        input=Input(size=(64, 48), padding=1.5, align="udp"),
        codec=Heatmap(skeleton=BONES),
        recipe=Recipe(epochs=1),
        skeleton=BONES,
        test=Test(flip=True),
        licence="MIT",
    )
    about = Metadata.of(system, training={"seed": 1}, version="9")
    assert Metadata.from_json(about.to_json()) == about
    assert (about.size, about.padding, about.align) == ((64, 48), 1.5, "udp")
    assert about.test.flip
    assert about.licence == "MIT"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"format": None}, "format None"),
        ({"task": "3d"}, "'3d' is none of topdown"),
        ({"codec": {"codec": "heatmop"}}, "did you mean 'heatmap'"),
        ({"size": [256]}, "cannot be used"),
        ({"size": "big"}, "cannot be used"),
        ({"skeleton": None, "task": "detector"}, "cannot be used"),
        ({"task": "detector"}, "detector model has a skeleton"),
        ({"test": {"flop": True}}, "no setting 'test.flop'"),
    ],
)
def test_wrong_metadata_say_what_is_wrong(change, message):
    with pytest.raises(WeightsError, match=message):
        Metadata.from_json(metadata().to_json() | change)


def test_a_missing_key_is_named():
    values = metadata().to_json()
    del values["padding"]
    with pytest.raises(WeightsError, match="'padding' is missing"):
        Metadata.from_json(values)


def test_a_foreign_onnx_file_is_named_so():
    foreign = MODEL.replace(b"vitruvian", b"somebody_")
    assert "somebody_" in onnx_properties(foreign)
    with pytest.raises(WeightsError, match="was not exported by this package"):
        read_metadata(foreign, "x.onnx")


@pytest.mark.parametrize("data", [b"", b"hello world", bytes(100), MODEL[:-300], b"\xff" * 40])
def test_what_is_no_onnx_file_is_named_so(data):
    with pytest.raises(WeightsError, match=r"x\.onnx (is not an ONNX file|was not exported)"):
        read_metadata(data, "x.onnx")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(MODEL) - 1), st.integers(0, 255))
def test_a_flipped_byte_never_raises_anything_else(at, value):
    broken = MODEL[:at] + bytes([value]) + MODEL[at + 1 :]
    outcome: object = None
    try:
        outcome = read_metadata(broken)
    except WeightsError as error:
        outcome = error
    assert isinstance(outcome, Metadata) or "\n" not in str(outcome)


def test_properties_agree_with_what_was_written():
    text = onnx_properties(MODEL)[KEY]
    assert json.loads(text) == json.loads(json.dumps(metadata().to_json()))
    assert np.isfinite(json.loads(text)["padding"])
