"""What every benchmark writes beside its numbers: command, commit, machine, versions."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import quantiles


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4)}


def keep(path: Path, result: dict[str, object]) -> None:
    """Write the result with its provenance, and print it."""
    dirty = "+" if _git("status", "-s", "src") else ""
    record = {
        "command": " ".join(["python", *sys.argv]),
        "commit": _git("rev-parse", "--short", "HEAD") + dirty,
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "openvino", "opencv-python-headless")},
        },
        **result,
    }
    text = json.dumps(record, indent=1) + "\n"
    path.write_text(text)
    print(text, end="")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    lines = (
        Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []
    )
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    units = [u for u in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {u}" in flags]
    return f"{names[0] if names else platform.processor()} ({', '.join(units)})"
