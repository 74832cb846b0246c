from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from vitruvian.codecs.centres import Centres
from vitruvian.core.errors import WeightsError
from vitruvian.runtime.backends import open_network
from vitruvian.systems.metadata import Metadata, read_metadata
from vitruvian.systems.spec import System
from vitruvian.systems.vitruvian import vitruvian_person_s
from vitruvian.train import export
from vitruvian.train.device import Normalised
from vitruvian.train.export import compare, export_onnx
from vitruvian.train.loop import build


def test_the_file_alone_configures_inference(system: System, tmp_path: Path) -> None:
    path, net = tmp_path / "tiny.onnx", build(system).eval()
    metadata = Metadata.of(system, training={"data": ["dots"]}, version="1.2.3")
    parity = export_onnx(net, system, path, metadata=metadata)
    assert parity.worst < 5e-3
    assert read_metadata(path.read_bytes()) == metadata
    network = open_network(path.read_bytes(), backend="onnxruntime")
    views = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        truth = Normalised(net, system.input)(torch.from_numpy(views))["heatmap"].numpy()
    found = network(views)["heatmap"]
    np.testing.assert_allclose(found, truth, atol=5e-3 * np.abs(truth).max())
    kinds = {t.data_type for t in onnx.load(path).graph.initializer if np.prod(t.dims) >= 256}
    assert kinds == {onnx.TensorProto.FLOAT16}
    source = str(Path(export.__file__).parents[1])
    assert source.encode() not in path.read_bytes()


def test_full_precision_agrees_to_rounding(system: System, tmp_path: Path) -> None:
    net = build(system)
    parity = export_onnx(
        net, system, tmp_path / "t.onnx", metadata=Metadata.of(system), half=False, tolerance=1e-4
    )
    assert set(parity.difference) == {"heatmap"}


def test_channel_order_and_normalisation_are_inside_the_graph(
    system: System, tmp_path: Path
) -> None:
    bgr = replace(system, input=replace(system.input, channels="bgr", mean=(1.0, 2.0, 3.0)))
    export_onnx(build(bgr), bgr, tmp_path / "t.onnx", metadata=Metadata.of(bgr))
    data = (tmp_path / "t.onnx").read_bytes()
    assert compare(Normalised(build(bgr), bgr.input).eval(), data, (64, 64)).worst < 5e-3
    assert compare(Normalised(build(system), system.input).eval(), data, (64, 64)).worst > 5e-3


def test_a_file_that_disagrees_is_not_written(system: System, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    with pytest.raises(WeightsError, match=r"nothing was written; .* --f32"):
        export_onnx(build(system), system, path, metadata=Metadata.of(system), tolerance=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_detector_exports_both_fields(tmp_path: Path) -> None:
    page = vitruvian_person_s()
    page = replace(page, input=replace(page.input, size=(64, 64)))
    page = replace(page, codec=Centres(threshold=0.4))
    parity = export_onnx(build(page), page, tmp_path / "d.onnx", metadata=Metadata.of(page))
    assert set(parity.difference) == {"centre", "box"}
    assert read_metadata((tmp_path / "d.onnx").read_bytes()).codec == page.codec


def test_a_network_too_large_for_one_file_is_refused_before_it_is_written(
    system: System, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(export, "MOST", 1000)
    path, meta = tmp_path / "t.onnx", Metadata.of(system)
    with pytest.raises(WeightsError, match="GB that one ONNX file holds; leave out --f32"):
        export_onnx(build(system), system, path, metadata=meta, half=False)
    assert not path.exists()


def test_the_body_of_a_loop_does_not_name_folders_either():
    node = onnx.helper.make_node("Identity", ["x"], ["y"], doc_string="/home/somebody/net.py")
    node.metadata_props.add(key="trace", value="/home/somebody/net.py")
    body = onnx.helper.make_graph([node], "body", [], [])
    loop = onnx.helper.make_node("Loop", ["n", "go"], ["z"], body=body)
    proto = onnx.helper.make_model(onnx.helper.make_graph([loop], "whole", [], []))
    export._forget_where(proto)
    assert b"somebody" not in proto.SerializeToString()
