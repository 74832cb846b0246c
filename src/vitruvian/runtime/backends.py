"""Networks that are ready to run: RGB views in, fields out, whatever computes them.

Models keep a dynamic batch: compiled for one fixed batch, the bundled pose network took 0 to 7 %
less processor time (batches of 1, 2, 4, 8, 10 and 32), which does not pay for a compilation and a
copy of the weights per size, and for padding. Ten people in one batch took 26 % less than one by
one. OpenVINO's cache of compiled models saves a tenth of a second per model and start, and takes
twice the model's size on disk: not used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from vitruvian.core.errors import ConfigError, MissingExtra, WeightsError
from vitruvian.core.types import Fields

NAMES = ("openvino", "onnxruntime")
"""Backends that run exported models."""


Precision = Literal["auto", "f32"]
"""``auto`` lets the backend use bf16 where the processor computes in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that is ready to run (a ``core.protocols.Backend``).

    Attributes:
        name: Runtime, device and precision really used.
        run: Outputs by field name, float32, for a batch B H W 3 of RGB views, and what else the
            network is given, by name.
    """

    name: str
    run: Callable[..., Fields]

    def __call__(self, batch: UInt8[np.ndarray, "B H W 3"], **given: np.ndarray) -> Fields:
        """Outputs by field name for a batch of RGB views in [0, 255]; the network normalises."""
        return self.run(batch, **given)


def open_network(
    model: bytes,
    *,
    backend: str = "openvino",
    device: str = "cpu",
    threads: int = 0,
    precision: Precision = "auto",
) -> Network:
    """The network of an ONNX file.

    Args:
        model: The file's bytes.
        backend: One of :data:`NAMES`.
        device: ``cpu``, or what else the backend finds (``gpu``, ``cuda``).
        threads: Processor threads; 0 leaves it to the backend.
        precision: Arithmetic that may be used.

    Raises:
        ConfigError: The backend or the device does not exist.
        MissingExtra: The backend is not installed.
        WeightsError: The backend cannot use the model.
    """
    if backend == "openvino":
        return _openvino(model, device, threads, precision)
    if backend == "onnxruntime":
        return _onnxruntime(model, device, threads)
    raise ConfigError(f"no backend {backend!r}; accepted are {', '.join(NAMES)}")


def _openvino(model: bytes, device: str, threads: int, precision: Precision) -> Network:
    import openvino

    core = openvino.Core()
    target = device.upper()
    if target not in core.available_devices:
        found = ", ".join(d.lower() for d in core.available_devices)
        raise ConfigError(f"OpenVINO finds no device {device!r}; it finds {found}")
    settings: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads and target == "CPU":
        settings["INFERENCE_NUM_THREADS"] = threads
    if precision == "f32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    try:
        compiled = core.compile_model(core.read_model(model=model), target, settings)
    except RuntimeError as error:
        raise WeightsError(f"OpenVINO cannot use the model: {_last_line(error)}") from error
    request, lock = compiled.create_infer_request(), Lock()
    names = [output.get_any_name() for output in compiled.outputs]
    entry = compiled.inputs[0].get_any_name()

    def run(batch: np.ndarray, **given: np.ndarray) -> Fields:
        with lock:
            request.infer({entry: batch, **given}, share_inputs=True)
            return {
                name: np.array(request.get_output_tensor(i).data, np.float32)
                for i, name in enumerate(names)
            }

    version = openvino.get_version().split("-")[0]
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    name = f"OpenVINO {version} {target} {used}"
    if target == "CPU":
        name += f" {compiled.get_property('INFERENCE_NUM_THREADS')} threads"
    return Network(name=name, run=run)


def _onnxruntime(model: bytes, device: str, threads: int) -> Network:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtra("onnxruntime", "onnxruntime", "backend 'onnxruntime'") from error
    found = {
        name.removesuffix("ExecutionProvider").lower(): name
        for name in onnxruntime.get_available_providers()
    }
    if device not in found:
        raise ConfigError(f"ONNX Runtime finds no device {device!r}; it finds {', '.join(found)}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[found[device]])
    except Exception as error:  # its exceptions share no public base
        raise WeightsError(f"ONNX Runtime cannot use the model: {_last_line(error)}") from error
    entry, names = session.get_inputs()[0].name, [out.name for out in session.get_outputs()]

    def run(batch: np.ndarray, **given: np.ndarray) -> Fields:
        values = session.run(names, {entry: batch, **given})
        return {n: np.asarray(v, np.float32) for n, v in zip(names, values, strict=True)}

    cores = f" {threads} threads" if threads else ""
    name = f"ONNX Runtime {onnxruntime.__version__} {device.upper()} f32{cores}"
    return Network(name=name, run=run)


def torch_network(
    model: Callable[..., Any],
    *,
    device: str = "cpu",
    precision: Literal["f32", "bf16"] = "f32",
) -> Network:
    """A torch model that has not been exported, for validation while it trains.

    Args:
        model: Fields by name for a tensor of views, B H W 3 uint8 (``train.device.Normalised``); on
            ``device``, in evaluation mode.
        device: A torch device.
        precision: ``bf16`` computes under autocast.

    Raises:
        MissingExtra: Torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra("torch", "train", "running a network of nets/") from error
    kind = torch.device(device).type

    def run(batch: np.ndarray, **given: np.ndarray) -> Fields:
        more = {name: torch.from_numpy(value).to(device) for name, value in given.items()}
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, precision == "bf16"):
            fields = model(torch.from_numpy(batch).to(device), **more)
        return {name: value.float().cpu().numpy() for name, value in fields.items()}

    return Network(name=f"PyTorch {torch.__version__} {device} {precision}", run=run)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
