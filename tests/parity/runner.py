"""Run a fixture through our code and measure how far it is from the authors' numbers.

A family adds one entry to ``FAMILIES``: how its network is built from the fixture's own ``meta``.
Fixtures of other widths, depths, skeletons and seeds of that family then need nothing new.
"""

import json
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vitruvian.core.errors import VitruvianError
from vitruvian.nets import (
    associative_embedding,
    convert,
    cpm,
    cpn,
    efficientpose,
    fastpose,
    higher_hrnet,
    hourglass,
    hrnet,
    lightweight_openpose,
    mspn,
    openpose,
    rtmpose,
    simcc,
    simplebaselines,
    vitpose,
)
from vitruvian.nets.count import parameters

TOLERANCE = 1e-4
"""Largest accepted |difference|, as a fraction of the largest |value| of that output."""

HEADER = """\
| fixture | parameters | authors' | max abs difference / scale, per output | |
|---|---:|---:|---|---|"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Result of one fixture.

    Attributes:
        name: The fixture's file name, without ending.
        ours: Parameters of our network.
        authors: Parameters of the authors' network.
        differences: Largest |difference| / scale of each output.
        error: Why there is nothing to compare, or empty.
    """

    name: str
    ours: int = 0
    authors: int = 0
    differences: tuple[float, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """Same size, and every output within the tolerance (NaN is not)."""
        close = all(value <= TOLERANCE for value in self.differences)
        return not self.error and self.ours == self.authors and bool(self.differences) and close

    def __str__(self) -> str:
        values = self.error.replace("\n", " ") or " ".join(f"{d:.1e}" for d in self.differences)
        verdict = "equal" if self.ok else "DIFFERS"
        return f"| {self.name} | {self.ours:,} | {self.authors:,} | {values} | {verdict} |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the fixtures of one network family are run.

    Attributes:
        build: Network from the fixture's ``config``.
        layouts: The family's ``LAYOUTS``.
        enter: The authors' input as B 3 H W.
        leave: Our stages as arrays in the order and layout of the authors' outputs.
        inside: A module whose last output the authors return too, before all others.
    """

    build: Callable[[dict], nn.Module]
    layouts: dict[str, convert.Layout]
    enter: Callable[[np.ndarray], np.ndarray] = lambda x: x
    leave: Callable[[list[dict[str, np.ndarray]]], list[np.ndarray]] = field(
        default=lambda stages: [array for stage in stages for array in stage.values()]
    )
    inside: str = ""


def _simplebaseline(config: dict) -> nn.Module:
    extra = config["EXTRA"]
    return simplebaselines.simplebaselines(
        extra["NUM_LAYERS"],
        config["NUM_JOINTS"],
        style=config.get("STYLE", "pytorch"),
        widths=tuple(extra["NUM_DECONV_FILTERS"]),
        kernels=tuple(extra["NUM_DECONV_KERNELS"]),
        bias=extra["DECONV_WITH_BIAS"],
        head_kernel=extra["FINAL_CONV_KERNEL"],
    )


def _hrnet(config: dict) -> nn.Module:
    stages = [config["EXTRA"][f"STAGE{number}"] for number in (2, 3, 4)]
    return hrnet.hrnet(
        tuple(stages[-1]["NUM_CHANNELS"]),
        config["NUM_JOINTS"],
        modules=tuple(stage["NUM_MODULES"] for stage in stages),
        blocks=stages[-1]["NUM_BLOCKS"][0],
        head_kernel=config["EXTRA"]["FINAL_CONV_KERNEL"],
    )


def _mspn(config: dict) -> nn.Module:
    return mspn.mspn(
        config["MODEL"]["STAGE_NUM"],
        config["DATASET"]["KEYPOINT"]["NUM"],
        blocks=tuple(config.get("layers", ())),
        width=config["MODEL"]["UPSAMPLE_CHANNEL_NUM"],
        coarse_to_fine=config["LOSS"]["COARSE_TO_FINE"],
    )


def _cpn(config: dict, depth: int) -> nn.Module:
    return cpn.cpn(depth, config["num_class"])


def _simcc(config: dict) -> nn.Module:
    head = config["head"]
    width, height = head["input_size"]
    return simcc.simcc_res(
        config["backbone"]["depth"],
        head["out_channels"],
        size=(height, width),
        split=head["simcc_split_ratio"],
    )


def _rtmpose(config: dict) -> nn.Module:
    trunk, head = config["backbone"], config["head"]
    width, height = head["input_size"]
    return rtmpose.RTMPose(
        rtmpose.CSPNeXt(trunk["widen_factor"], trunk["deepen_factor"]),
        head["out_channels"],
        size=(height, width),
        split=head["simcc_split_ratio"],
        width=head["gau_cfg"]["hidden_dims"],
        query=head["gau_cfg"]["s"],
    )


def _rows(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """Classifications without the row or column that they are for us."""
    (stage,) = stages
    return [array.reshape(*array.shape[:2], -1) for array in stage.values()]


def _hourglass_princeton(config: dict) -> nn.Module:
    return hourglass.hourglass(
        config["nstack"], config["oup_dim"], width=config["inp_dim"], growth=config["increase"]
    )


def _hourglass_bearpaw(config: dict) -> nn.Module:
    return hourglass.hourglass(
        config["num_stacks"], config["num_classes"], port="bearpaw", blocks=config["num_blocks"]
    )


def _cpm(config: dict) -> nn.Module:
    build = cpm.cpm_vgg if "resize" in config["prototxt"] else cpm.cpm
    channels, stages = (10, 4) if "FLIC" in config["prototxt"] else (15, 6)
    return build(channels, stages, centre=config["input_channels"] == 4)


def _rgb(image: np.ndarray) -> np.ndarray:
    """Without the centre map that some networks are given as a fourth channel; ours make it."""
    return np.ascontiguousarray(image[:, :3])


def _from_nhwc(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(0, 3, 1, 2))


def _stacked(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """One array B S C h w."""
    return [np.stack([np.concatenate([*s.values()], axis=1) for s in stages], axis=1)]


def _associative_embedding(config: dict) -> nn.Module:
    """All outputs are compared, also those that have no name."""
    return associative_embedding.associative_embedding(
        config["nstack"],
        config["oup_dim"],
        tags=0,
        outputs=config["oup_dim"],
        width=config["inp_dim"],
        growth=(config["increase"], 128, 128, 128),
    )


def _last_with_relu(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """The port keeps only the last stage, and cuts its heatmaps off below zero by mistake."""
    return [stages[-1]["paf"], stages[-1]["heatmap"].clip(0)]


def _higher_hrnet(config: dict) -> nn.Module:
    width = config["channels"]
    return higher_hrnet.higher_hrnet((width, 2 * width, 4 * width, 8 * width))


def _both_scales(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    (stage,) = stages
    return [np.concatenate([stage["heatmap"], stage["tag"]], axis=1), stage["heatmap_fine"]]


def _vitpose(config: dict) -> nn.Module:
    trunk, head = config["backbone"], config["head"]
    height, width = trunk["img_size"]
    vit = vitpose.ViT(
        trunk["embed_dim"],
        trunk["depth"],
        trunk["num_heads"],
        (height // vitpose.PATCH, width // vitpose.PATCH),
    )
    return vitpose.ViTPose(
        vit,
        trunk["embed_dim"],
        head["out_channels"],
        decoder="classic" if head["num_deconv_layers"] else "simple",
        size=(height, width),
    )


def _hf_vitpose(config: dict) -> nn.Module:
    trunk = config["backbone_config"]
    height, width = trunk["image_size"]
    experts = trunk["num_experts"] if trunk["num_experts"] > 1 else 0
    asked = re.search(r"dataset_index (\d+)", config["notes"])
    vit = vitpose.ViT(
        trunk["hidden_size"],
        trunk["num_hidden_layers"],
        trunk["num_attention_heads"],
        (height // vitpose.PATCH, width // vitpose.PATCH),
        experts=experts,
        part=trunk["part_features"],
        expert=int(asked[1]) if asked else 0,
    )
    return vitpose.ViTPose(
        vit,
        trunk["hidden_size"],
        len(config["id2label"]),
        decoder="simple" if config["use_simple_decoder"] else "classic",
        size=(height, width),
    )


FAMILIES = {
    r"hf-vitpose-": Family(build=_hf_vitpose, layouts=vitpose.LAYOUTS),
    r"vitpose-": Family(build=_vitpose, layouts=vitpose.LAYOUTS, inside="trunk"),
    r"simcc-res": Family(build=_simcc, layouts=simcc.LAYOUTS, leave=_rows),
    r"rtmpose-": Family(build=_rtmpose, layouts=rtmpose.LAYOUTS, leave=_rows, inside="trunk"),
    r"alphapose-fastpose-": Family(
        build=lambda config: fastpose.fastpose(config["NUM_LAYERS"], config["NUM_JOINTS"]),
        layouts=fastpose.LAYOUTS,
    ),
    r"cpn-res50": Family(build=partial(_cpn, depth=50), layouts=cpn.LAYOUTS),
    r"cpn-res101": Family(build=partial(_cpn, depth=101), layouts=cpn.LAYOUTS),
    r"mspn-": Family(build=_mspn, layouts=mspn.LAYOUTS),
    r"efficientpose-": Family(
        build=lambda config: efficientpose.efficientpose(config["variant"].lower()),
        layouts=efficientpose.LAYOUTS,
        leave=lambda stages: [stages[0]["heatmap"][:, np.argsort(efficientpose.MPII_ORDER)]],
    ),
    r"simplebaseline-": Family(build=_simplebaseline, layouts=simplebaselines.LAYOUTS),
    r"hrnet-": Family(build=_hrnet, layouts=hrnet.LAYOUTS),
    r"cpm-": Family(build=_cpm, layouts=cpm.LAYOUTS, enter=_rgb),
    r"hourglass-princeton-": Family(
        build=_hourglass_princeton,
        layouts=hourglass.LAYOUTS,
        enter=_from_nhwc,
        leave=_stacked,
    ),
    r"hourglass-bearpaw-": Family(build=_hourglass_bearpaw, layouts=hourglass.LAYOUTS),
    r"associative-embedding-": Family(
        build=_associative_embedding,
        layouts=associative_embedding.LAYOUTS,
        enter=_from_nhwc,
        leave=_stacked,
    ),
    r"openpose-coco18": Family(
        build=lambda config: openpose.openpose(), layouts=openpose.LAYOUTS, leave=_last_with_relu
    ),
    r"lightweight-openpose-": Family(
        build=lambda config: lightweight_openpose.lightweight_openpose(
            config["num_refinement_stages"]
        ),
        layouts=lightweight_openpose.LAYOUTS,
    ),
    r"higherhrnet-": Family(build=_higher_hrnet, layouts=higher_hrnet.LAYOUTS, leave=_both_scales),
}
"""Start of a fixture's ``meta["name"]`` -> its family."""


def family(name: str) -> Family | None:
    """The family of the fixture whose meta has this name, if it is known."""
    return next((found for start, found in FAMILIES.items() if re.match(start, name)), None)


def value(key: str, shape: list[int], gain: float, seed: int) -> np.ndarray:
    """The tensor that a fixture means by ``key``: a formula instead of stored weights."""
    rng = np.random.default_rng([zlib.crc32(key.encode()), seed])
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_mean":
        return np.asarray(0.1 * rng.standard_normal(shape), np.float32)
    if leaf == "running_var":
        return rng.uniform(0.7, 1.3, shape).astype(np.float32)
    if len(shape) >= 2:
        deviation = gain * math.sqrt(2 / math.prod(shape[1:]))
        return (deviation * rng.standard_normal(shape)).astype(np.float32)
    if leaf == "weight":
        return rng.uniform(0.8, 1.2, shape).astype(np.float32)
    return np.asarray(0.05 * rng.standard_normal(shape), np.float32)


def check(path: Path) -> Row:
    """Run one fixture; what cannot be run is an error in its row."""
    name = path.name.removesuffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            return _check_net(name, dict(file))
    except (VitruvianError, KeyError, OSError, ValueError) as error:
        return Row(name=name, error=f"{type(error).__name__}: {error}")


def _check_net(name: str, file: dict[str, np.ndarray]) -> Row:
    meta = json.loads(str(file["meta"]))
    found = family(meta["name"])
    if found is None:
        return Row(name=name, error=f"no family of {meta['name']!r} is known to the runner")
    net = found.build({"notes": meta.get("notes") or "", **meta["config"]}).eval()
    convert.load(net, _state(meta), found.layouts)
    ours = _outputs(net, found, file["input"].astype(np.float32))
    theirs = [file[f"out{index}"].astype(np.float32) for index in range(len(meta["outputs"]))]
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        raise ValueError(f"shapes {[a.shape for a in ours]}, authors' {[b.shape for b in theirs]}")
    pairs = zip(ours, theirs, strict=True)
    return Row(
        name=name,
        ours=parameters(net),
        authors=meta["n_params"],
        differences=tuple(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs),
    )


def _state(meta: dict) -> dict[str, torch.Tensor]:
    """The weights of a fixture; in a "unit" one the learnt factors are around 1 and not 0."""
    state = {}
    for key, shape in meta["keys"]:
        array = value(key, shape, meta["gain"], meta["seed"])
        if meta["name"].endswith("-unit") and key.rsplit(".", 1)[-1] in ("g", "scale"):
            array = array + np.float32(1)
        state[key] = torch.from_numpy(array)
    return state


def _outputs(net: nn.Module, found: Family, image: np.ndarray) -> list[np.ndarray]:
    """What our network answers to the authors' input, as they lay it out."""
    seen: list[torch.Tensor] = []
    if found.inside:
        module = net.get_submodule(found.inside)
        module.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        stages = net(torch.from_numpy(found.enter(image)))
    last = [x[-1] if isinstance(x, list) else x for x in seen]
    arrays = found.leave([{key: x.numpy() for key, x in stage.items()} for stage in stages])
    return [x.numpy() for x in last] + arrays
