from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.painted import SIZE, paint, pose_model
from vitruvian.core.errors import ConfigError, WeightsError
from vitruvian.runtime.backends import Network, open_network, torch_network
from vitruvian.runtime.model import Model, load_model

MODEL = pose_model()


def views(count: int) -> np.ndarray:
    boxes = [(40 + 3 * i, 20, 150, 230 - 5 * i) for i in range(count)]
    return np.stack([paint(SIZE, box) for box in boxes])


@pytest.mark.parametrize("count", [1, 2, 5, 3])
def test_both_runtimes_agree_for_any_batch(count):
    batch = views(count)
    ours = open_network(MODEL, threads=1)(batch)["heatmap"]
    theirs = open_network(MODEL, backend="onnxruntime", threads=1)(batch)["heatmap"]
    assert ours.shape == (count, 17, 64, 48)
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ours.max() > 0.5


def test_outputs_are_not_overwritten_by_the_next_call():
    network = open_network(MODEL, threads=1)
    first = network(views(1))["heatmap"]
    kept = first.copy()
    network(np.zeros((1, *SIZE, 3), np.uint8))
    np.testing.assert_array_equal(first, kept)


def test_threads_that_share_a_network_get_their_own_answers():
    network, batch = open_network(MODEL, threads=1), views(6)
    alone = [network(batch[i : i + 1])["heatmap"] for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: network(batch[i : i + 1])["heatmap"], range(6)))
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_name_says_what_really_runs():
    assert open_network(MODEL, threads=1, precision="f32").name.startswith("OpenVINO 20")
    assert open_network(MODEL, threads=1, precision="f32").name.endswith("CPU f32 1 threads")
    name = open_network(MODEL, backend="onnxruntime", threads=1).name
    assert name.startswith("ONNX Runtime 1.")
    assert name.endswith("CPU f32 1 threads")


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(backend):
    with pytest.raises(ConfigError, match=r"no device 'tpu'; it finds .*cpu"):
        open_network(MODEL, backend=backend, device="tpu")


def test_a_backend_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="no backend 'tensorrt'; accepted are openvino"):
        open_network(MODEL, backend="tensorrt")


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_corrupt_graph_is_a_weights_error_in_one_line(backend):
    broken = MODEL.replace(b"AveragePool", b"AveragePoop")
    with pytest.raises(WeightsError, match="cannot use the model") as caught:
        load_model(broken, "x.onnx", backend=backend, threads=1)
    assert "\n" not in str(caught.value)


def test_outputs_that_do_not_fit_the_codec_are_refused():
    with pytest.raises(WeightsError, match=r"needs output 'heatmap' of shape \(1, 17, 64, 48\)"):
        load_model(pose_model(channels=16), "x.onnx", threads=1)


def test_a_network_that_fails_to_run_is_refused():
    def fail(batch):
        raise RuntimeError("no\nsecond line")

    from tests.painted import metadata

    with pytest.raises(WeightsError, match="does not run on uint8") as caught:
        Model(metadata=metadata(), backend=Network(name="broken", run=fail))
    assert "\n" not in str(caught.value)


def test_a_torch_network_takes_views_as_they_are():
    pytest.importorskip("torch")
    batch = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), np.uint8)
    network = torch_network(lambda views: {"map": views.permute(0, 3, 1, 2)})
    np.testing.assert_array_equal(network(batch)["map"], batch.transpose(0, 3, 1, 2))
    assert network(batch)["map"].dtype == np.float32
    assert network.name.startswith("PyTorch")
