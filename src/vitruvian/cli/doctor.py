"""Check this installation: versions, processor, devices, bundled models, and a prediction."""

import argparse
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitruvian.core.errors import VitruvianError

_PACKAGES = {
    "numpy": "",
    "opencv-python-headless": "",
    "openvino": "",
    "pillow": "",
    "av": "",
    "onnxruntime": "onnxruntime",
    "torch": "train",
    "hotcoco": "eval",
}
"""Package -> the extra that brings it, "" for what is always there."""

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments: none."""


def run(_args: argparse.Namespace) -> int:
    """Print one finding per line; returns 1 if something is broken."""
    healthy = True
    for check in (_versions, _processor, _devices, _models, _prediction):
        try:
            for line in check():
                print(line)
        except (VitruvianError, ImportError) as error:
            healthy = False
            print(f"BROKEN {check.__name__.strip('_')}: {error}")
    return 0 if healthy else 1


def _versions() -> Iterator[str]:
    import vitruvian

    yield f"vitruvian {vitruvian.__version__}"
    yield f"Python {platform.python_version()}, {platform.platform()}"
    missing = []
    for package, extra in _PACKAGES.items():
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError as error:
            if not extra:
                raise ImportError(f"{package} is not installed") from error
            missing.append(f"{package} (pip install 'vitruvian[{extra}]')")
    if missing:
        yield f"optional, not installed: {', '.join(missing)}"


def _processor() -> Iterator[str]:
    lines: list[str] = []
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (s.partition(":") for s in lines)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    known = " ".join(flag for flag in _FLAGS if flag in flags)
    name = facts.get("model name") or platform.processor() or platform.machine()
    yield f"processor {name}, {os.cpu_count()} threads; {known or 'no flags known'}"


def _devices() -> Iterator[str]:
    import openvino

    core = openvino.Core()
    for device in core.available_devices:
        abilities = " ".join(core.get_property(device, "OPTIMIZATION_CAPABILITIES"))
        name = core.get_property(device, "FULL_DEVICE_NAME")
        yield f"OpenVINO {device.lower()}: {name}; {abilities}"


def _models() -> Iterator[str]:
    from vitruvian.runtime.weights import bundled, bundled_model

    for name in bundled():
        size = len(bundled_model(name)) / 1e6
        yield f"bundled model {name}: {size:.1f} MB, hash as shipped"


def _prediction() -> Iterator[str]:
    """Nobody is in a blank picture; a blank crop still gives finite keypoints."""
    import numpy as np

    from vitruvian.runtime.load import load

    pose = load()
    blank = np.full((480, 640, 3), 128, np.uint8)
    found = pose(blank)
    pose.watch.reset()
    whole = pose(blank, whole_image=True)
    if len(found) or not np.isfinite(whole.scores).all():
        raise VitruvianError(f"a blank picture has {len(found)} people, scores {whole.scores}")
    pose(blank)
    stages = ", ".join(f"{stage} {1e3 * s:.1f} ms" for stage, s in pose.watch.seconds.items())
    yield f"prediction works on {pose.runtime}: {stages}"
