"""HRNet-W32 at 256 x 192: what our runtime adds to the bare call, and what a training step costs.

python benchmarks/hrnet.py [--repeats 20] [--batch 16] [--steps 5] [-o benchmarks/hrnet.json]

Inference of one person in an exported file with weights as initialised: the bare OpenVINO request,
our backend, and the whole top-down path (crop, network, decode, suppression) take turns on the same
view. Training: a step of forward, loss, backward and Adam as torch comes, in float32; with denormal
numbers flushed to zero and ``channels_last``, which is how we train; and, where the processor
multiplies bfloat16, in that as well. They take turns too. ``--repeats 0`` and ``--steps 0`` leave
one of the two out.
Processor seconds stand beside those of the clock, because others may use the machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import openvino
import torch
from record import keep, quartiles

from vitruvian.core.types import Boxes
from vitruvian.runtime.model import load_model
from vitruvian.runtime.topdown import TopDown
from vitruvian.systems.hrnet import hrnet_w32_256x192
from vitruvian.systems.metadata import Metadata
from vitruvian.train.export import export_onnx
from vitruvian.train.loop import build
from vitruvian.train.losses import joints_mse

PAGE = hrnet_w32_256x192()
WARM_UP = 2


def taking_turns(
    ways: dict[str, Callable[[], object]], repeats: int
) -> dict[str, dict[str, object]]:
    """Milliseconds of every way by the clock and of the processor, warm-up left out."""
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(WARM_UP + repeats):
        for name, way in ways.items():
            began, used = time.perf_counter(), time.process_time()
            way()
            if turn >= WARM_UP:
                processor[name].append(1e3 * (time.process_time() - used))
                clock[name].append(1e3 * (time.perf_counter() - began))
    return {
        name: {"clock_ms": quartiles(clock[name]), "processor_ms": quartiles(processor[name])}
        for name in ways
    }


def inference(repeats: int, threads: int) -> dict[str, object]:
    """The bare request, our backend and the top-down path, for one view."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hrnet.onnx"
        metadata = Metadata.of(PAGE, training={}, version="0")
        export_onnx(build(PAGE).eval(), PAGE, path, metadata=metadata)
        data = path.read_bytes()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    request = core.compile_model(core.read_model(model=data), "CPU", settings)
    request = request.create_infer_request()
    model = load_model(data, "hrnet", threads=threads)
    people = TopDown(model=model, flip=False)
    rng = np.random.default_rng(0)
    view = rng.integers(0, 256, (1, *PAGE.input.size, 3), dtype=np.uint8)
    picture = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    box = Boxes(xyxy=np.float32([[200, 40, 400, 440]]), scores=np.ones(1, np.float32))
    found = taking_turns(
        {
            "bare": lambda: request.infer([view], share_inputs=True),
            "backend": lambda: model.backend(view),
            "top_down": lambda: people([picture], [box]),
        },
        repeats,
    )
    bare = found["bare"]["processor_ms"]["median"]
    ratios = {n: round(found[n]["processor_ms"]["median"] / bare, 4) for n in found}
    return {"backend": model.backend.name, "times": found, "processor_over_bare": ratios}


def step(batch: int, *, channels_last: bool, bf16: bool) -> Callable[[], object]:
    """One optimiser step on random views and targets."""
    torch.manual_seed(0)
    net = build(PAGE).train()
    height, width = PAGE.input.size
    x, target = torch.randn(batch, 3, height, width), torch.rand(batch, 17, height // 4, width // 4)
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    weight = torch.ones(batch, 17, 1, 1)

    def run() -> None:
        torch.set_flush_denormal(channels_last)
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            (stage,) = net(x)
        optimizer.zero_grad(set_to_none=True)
        joints_mse(stage["heatmap"].float(), target, weight).backward()
        optimizer.step()

    return run


def training(batch: int, repeats: int, threads: int) -> dict[str, object]:
    """Steps of the same network in the arithmetic that the processor has."""
    torch.set_num_threads(threads)
    fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ways = {
        "f32": step(batch, channels_last=False, bf16=False),
        "f32_channels_last": step(batch, channels_last=True, bf16=False),
    }
    if fast:
        ways["bf16_channels_last"] = step(batch, channels_last=True, bf16=True)
    found = taking_turns(ways, repeats)
    plain = found["f32"]["processor_ms"]["median"]
    faster = {n: round(plain / found[n]["processor_ms"]["median"], 3) for n in found}
    return {
        "batch": batch,
        "bf16": "multiplied by the processor" if fast else "not measured: no such unit here",
        "times": found,
        "times_faster_than_f32": faster,
    }


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/hrnet.json"))
    args = parser.parse_args()
    result: dict[str, object] = {"threads": args.threads}
    if args.repeats:
        result["inference"] = inference(args.repeats, args.threads)
    if args.steps:
        result["training"] = training(args.batch, args.steps, args.threads)
    keep(args.out, result)


if __name__ == "__main__":
    main()
