"""Check this installation, or labelled data: what is wrong, and how to repair it.

Without DATA: versions, processor, devices, bundled models, and a prediction. With DATA: records
that cannot be read, identifiers, areas, boxes, flags, keypoints outside picture or box, left and
right exchanged, pairs that fail when mirrored, pictures that are corrupt or in two splits. The exit
code is 1 if anything is wrong.
"""

import argparse
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitruvian.core.errors import ConfigError, VitruvianError

_PACKAGES = {
    "numpy": "",
    "opencv-python-headless": "",
    "openvino": "",
    "pillow": "",
    "av": "video",
    "onnxruntime": "onnxruntime",
    "torch": "train",
    "hotcoco": "eval",
}
"""Package -> the extra that brings it, "" for what is always there."""

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument(
        "data",
        nargs="*",
        metavar="DATA",
        help="labels, e.g. coco:train.json@images; several: splits that must share no picture",
    )
    parser.add_argument(
        "--fix",
        metavar="OUT",
        help="write a repaired copy of the first DATA: FILE.json, or READER:WHERE",
    )
    parser.add_argument("--no-pictures", action="store_true", help="look at the labels alone")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write what was found as JSON")
    parser.add_argument(
        "--sigmas",
        nargs=2,
        metavar=("A", "B"),
        help="OKS sigmas from the same people, labelled by two annotators",
    )


def run(args: argparse.Namespace) -> int:
    """Print what was found; returns 1 if something is broken."""
    from vitruvian.cli import _checkup

    if args.sigmas:
        return _checkup.sigmas(*args.sigmas, out=args.json)
    if args.data:
        return _checkup.data(args.data, fix=args.fix, out=args.json, pictures=not args.no_pictures)
    if args.fix or args.json:
        raise ConfigError("nothing to look at; give DATA: vitruvian doctor coco:labels.json@images")
    return _installation()


def _installation() -> int:
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
