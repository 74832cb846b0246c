"""What every network owes. A network is a public function of a file in ``nets/`` that is annotated
to return a ``nn.Module`` and can be called without arguments.

``tests/nets/test_FILE.py`` holds ``tiny()``, or several functions whose names begin so: the small
networks of that file that the quick tests run; the slow ones run every network. Parameters that a
published network has and does not use are named there: ``UNUSED = r"regular expression"``.
"""

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from torch import nn

from tests.golden.measure import NETS, blank, describe_net, nets, read, sized
from vitruvian.nets.count import trace

ALL = nets()
FILES = sorted({name.split(":")[0] for name in ALL})


def _stated(file: str) -> dict[str, object]:
    """What the file's own test says about its networks."""
    name = f"tests.nets.test_{file}"
    return vars(import_module(name)) if find_spec(name) else {}


TINY = {
    f"{file}:{name}": function
    for file in FILES
    for name, function in _stated(file).items()
    if name.startswith("tiny") and callable(function)
}
CASES = [pytest.param(name, id=name) for name in TINY]
CASES += [pytest.param(name, id=name, marks=pytest.mark.slow) for name in ALL]

every_file = pytest.mark.parametrize("file", FILES)
every_net = pytest.mark.parametrize("name", CASES)
every_published_net = pytest.mark.parametrize("name", ALL)


@every_file
def test_file_has_a_tiny_network_for_these_tests(file):
    assert any(name.startswith(f"{file}:") for name in TINY), (
        f"tests/nets/test_{file}.py must hold a function tiny()"
    )


def _builder(name: str, size: tuple[int, int] = (64, 64)) -> Callable[[], nn.Module]:
    return sized((TINY | ALL)[name], size)


def _build(name: str, size: tuple[int, int] = (64, 64)) -> nn.Module:
    torch.manual_seed(7)
    return _builder(name, size)()


def _views(count: int, size: tuple[int, int] = (64, 64)) -> torch.Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


@every_net
def test_outputs_are_stages_of_finite_maps_for_every_view(name):
    with torch.inference_mode():
        stages = _build(name).eval()(_views(2))
    assert isinstance(stages, list)
    assert stages
    for field, maps in ((field, maps) for stage in stages for field, maps in stage.items()):
        assert isinstance(field, str)
        assert maps.shape[0] == 2
        assert maps.dtype == torch.float32
        assert torch.isfinite(maps).all()


@every_net
def test_stride_does_not_depend_on_the_size_of_the_view(name):
    square, wide = (trace(blank(_builder(name, s)), s)[1] for s in ((64, 64), (64, 128)))
    for small, large in zip(square, wide, strict=True):
        twice = {f: (c, h, w if w == 1 < h else 2 * w) for f, (c, h, w) in small.items()}
        assert twice == large


@every_net
def test_every_parameter_gets_a_finite_gradient(name):
    net = _build(name).train()
    sum(maps.square().mean() for stage in net(_views(2)) for maps in stage.values()).backward()
    unused = _stated(name.split(":")[0]).get("UNUSED")
    for key, parameter in net.named_parameters():
        if not (unused and re.search(unused, key)):
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key


@every_net
def test_the_same_seed_gives_the_same_network(name):
    first, second = _build(name).eval(), _build(name).eval()
    with torch.inference_mode():
        pairs = list(zip(first(_views(1)), second(_views(1)), strict=True))
    assert all(torch.equal(a[field], b[field]) for a, b in pairs for field in a)


class _LastStage(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.net(x)[-1].values())


def _onnxruntime(path: Path, views: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: views})
    return found


def _openvino(path: Path, views: np.ndarray) -> list[np.ndarray]:
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return [*compiled([views]).values()]


@every_net
@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize(
    "size, runtimes",
    [
        pytest.param((64, 64), [_onnxruntime], id="64x64"),
        pytest.param((128, 64), [_onnxruntime, _openvino], id="128x64", marks=pytest.mark.slow),
    ],
)
def test_onnx_computes_the_same_for_any_number_of_views(name, size, runtimes, tmp_path):
    net = _LastStage(_build(name, size)).eval()
    path = tmp_path / "net.onnx"
    batch = {"x": {0: torch.export.Dim("batch")}}
    program = torch.onnx.export(net, (_views(2, size),), dynamo=True, dynamic_shapes=batch)
    program.save(path)
    views = _views(3, size)
    with torch.inference_mode():
        expected = [maps.numpy() for maps in net(views)]
    for runtime in runtimes:
        for ours, theirs in zip(runtime(path, views.numpy()), expected, strict=True):
            assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max(), runtime


@every_published_net
def test_size_and_outputs_are_those_of_the_golden_file(name):
    assert describe_net(ALL[name]) == read(NETS).get(name), "if it is meant: python -m tests.golden"


def test_golden_file_names_no_network_that_is_gone():
    assert read(NETS).keys() <= ALL.keys(), "if it is meant: python -m tests.golden"
