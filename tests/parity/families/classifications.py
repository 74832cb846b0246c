"""Coordinates as classifications: SimCC's targets, decodes and losses, and RTMPose's blocks."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.kinds import PIXELS, Check, Pair, Row, compared, numbered
from vitruvian.codecs.simcc import Simcc
from vitruvian.core.skeleton import skeleton
from vitruvian.core.view import View
from vitruvian.nets import convert
from vitruvian.nets.cspnext import CSPLayer
from vitruvian.nets.rtmo import Classifier, Rep
from vitruvian.nets.rtmpose import GatedAttention, RTMPose, ScaleNorm
from vitruvian.train.losses import rtmpose_kl, simcc_kl, simcc_kl_sum


def _simcc(path: Path) -> Row:
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    meta = json.loads(str(data.pop("meta")))
    pairs: list[Pair] = []
    for case, config in meta["encode_cfgs"].items():
        pairs += _encoded(data, case, config)
    pairs += [*_exact(data), *_decoded(data), *_crops(data), *_losses(data), *_first_losses(data)]
    note = "without sub-bin and visibility decodes, masked losses and MMPose's accuracy"
    return compared(path, pairs, note=note)


def _codec(config: dict, count: int) -> Simcc:
    if config.get("smoothing_type") == "standard":
        epsilon = config.get("label_smooth_weight", 0.0)
        return Simcc(
            skeleton=numbered(count),
            target="smooth",
            epsilon=epsilon,
            split=config["simcc_split_ratio"],
        )
    across, down = np.broadcast_to(config["sigma"], 2).tolist()
    return Simcc(
        skeleton=numbered(count),
        sigma=(across, down),
        split=config["simcc_split_ratio"],
        density=config.get("normalize", True),
    )


def _encoded(data: dict[str, np.ndarray], case: str, config: dict) -> list[Pair]:
    codec = _codec(config, data["kp"].shape[1])
    width, height = config["input_size"]
    people = [
        codec.encode(xy.astype(np.float32), visible.astype(np.uint8), (height, width))
        for xy, visible in zip(data["kp"], data["vis"], strict=True)
    ]
    across = np.stack([person["simcc_x"].value[:, 0] for person in people])
    down = np.stack([person["simcc_y"].value[:, :, 0] for person in people])
    weight = np.stack([person["simcc_x"].weight[:, 0, 0] for person in people])
    return [
        Pair(ours=across, theirs=data[f"enc_{case}_x"]),
        Pair(ours=down, theirs=data[f"enc_{case}_y"]),
        Pair(ours=weight, theirs=data[f"enc_{case}_w"]),
    ]


def _exact(data: dict[str, np.ndarray]) -> list[Pair]:
    """The targets of SimCC's authors for the first person: sigma 4, two bins per pixel."""
    codec = Simcc(skeleton=numbered(len(data["sa_x"])), sigma=(4.0, 4.0), exact=True)
    size = (data["sa_y"].shape[1] // 2, data["sa_x"].shape[1] // 2)
    targets = codec.encode(data["kp"][0].astype(np.float32), data["vis"][0].astype(np.uint8), size)
    return [
        Pair(ours=targets["simcc_x"].value[:, 0], theirs=data["sa_x"]),
        Pair(ours=targets["simcc_y"].value[:, :, 0], theirs=data["sa_y"]),
        Pair(ours=targets["simcc_x"].weight[:, 0], theirs=data["sa_w"]),
    ]


def _decoded(data: dict[str, np.ndarray]) -> list[Pair]:
    """Theirs answers bin -1 where nothing is found, ours NaN."""
    fields = {"simcc_x": data["pred_x"][:, :, None], "simcc_y": data["pred_y"][..., None]}
    count = data["pred_x"].shape[1]
    people = skeleton("coco17") if count == 17 else numbered(count)
    size = (data["pred_y"].shape[2] // 2, data["pred_x"].shape[2] // 2)
    pairs = []
    for settings, key in (({}, "max"), ({"softmax": True}, "maxsm"), ({"score": "mean"}, "rtmlib")):
        found = Simcc(skeleton=people, **settings).decode(fields, size)
        bins = np.where(np.isnan(found.xy), -1, found.xy * 2)
        pairs.append(Pair(ours=bins, theirs=data[f"{key}_locs"], scale=PIXELS))
        pairs.append(Pair(ours=found.scores, theirs=data[f"{key}_vals"].clip(0, 1)))
    flipped = Simcc(skeleton=people).flip(fields)
    for axis in "xy":
        theirs = data[f"flip_{axis}"]
        ours = flipped[f"simcc_{axis}"].reshape(len(fields["simcc_x"]), count, -1)
        pairs.append(Pair(ours=ours[:, : theirs.shape[1]], theirs=theirs))
    return pairs


def _crops(data: dict[str, np.ndarray]) -> list[Pair]:
    """rtmlib's views of 256 x 192."""
    views = [View.crop(box, (256, 192), align="legacy") for box in data["crop_boxes"]]
    return [Pair(ours=np.stack([view.matrix for view in views]), theirs=data["crop_M"])]


def _total(loss, data: dict, targets: str, *, weighted: bool = True) -> tuple[Tensor, list[Tensor]]:
    """The sum over both axes, and its gradients for rows and columns."""
    count, given = len(data[f"{targets}_x"]), []
    weight = torch.as_tensor(data[f"{targets}_w"])[..., None, None].float()
    value = torch.zeros(())
    for axis in "xy":
        output = torch.as_tensor(data[f"loss_p{axis}"])[:count, :, None].clone().requires_grad_()
        target = torch.as_tensor(data[f"{targets}_{axis}"])[:, :, None]
        value = value + loss(output, target, weight if weighted else torch.ones_like(weight))
        given.append(output)
    return value.detach(), [g[0, :, 0] for g in torch.autograd.grad(value, given)]


def _losses(data: dict[str, np.ndarray]) -> list[Pair]:
    """MMPose's, with gradients of the first person; SimCC's is a mean over people, theirs a sum."""
    pairs = []
    cases = [
        ("rtm", rtmpose_kl, "enc_rtm", True, 1),
        ("nw", rtmpose_kl, "enc_rtm", False, 1),
        ("g6", simcc_kl, "enc_g6", True, len(data["kp"])),
    ]
    for key, loss, targets, weighted, times in cases:
        value, gradients = _total(loss, data, targets, weighted=weighted)
        pairs.append(Pair(ours=times * value, theirs=data[f"loss_{key}"]))
        for axis, gradient in zip("xy", gradients, strict=True):
            theirs = data[f"loss_{key}_g{axis}"]
            pairs.append(Pair(ours=times * gradient[: len(theirs)], theirs=theirs))
    return pairs


def _first_losses(data: dict[str, np.ndarray]) -> list[Pair]:
    """Those of SimCC's authors, for two people: around the place, and one bin smoothed."""
    twice = {f"sa_{axis}": np.repeat(data[f"sa_{axis}"][None], 2, axis=0) for axis in "xy"}
    given = data | twice | {"sa_w": np.repeat(data["sa_w"][None, :, 0], 2, axis=0)}
    pairs = [Pair(ours=_total(simcc_kl, given, "sa")[0], theirs=data["sa_loss"])]
    places = data["nmt_lab"]
    for key in (key for key in data if key.startswith("nmt_loss_")):
        epsilon = float(key.removeprefix("nmt_loss_"))
        smooth = {"nmt_w": np.ones(places.shape[:2], np.float32)}
        for axis, name in enumerate("xy"):
            bins = data[f"loss_p{name}"].shape[2]
            chances = np.full((*places.shape[:2], bins), epsilon / (bins - 1), np.float32)
            np.put_along_axis(chances, places[..., axis, None], np.float32(1 - epsilon), axis=2)
            smooth[f"nmt_{name}"] = chances
        for loss, theirs in ((simcc_kl_sum, key), (simcc_kl, f"nmtnorm_loss_{epsilon}")):
            pairs.append(Pair(ours=_total(loss, data | smooth, "nmt")[0], theirs=data[theirs]))
    return pairs


class _Given(nn.Module):
    """A trunk that answers what it was told."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x, self.widths = x, (x.shape[1],)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.x]


def _csp(config: dict) -> CSPLayer:
    net = CSPLayer(
        config["in_channels"],
        config["out_channels"],
        config["num_blocks"],
        shortcut=config["add_identity"],
        separable=config.get("use_depthwise", False),
        attention=config.get("channel_attention", False),
    )
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 1e-3  # the class default, which no published network has
    return net


def _head(config: dict, x: Tensor) -> nn.Module:
    width, height = config["input_size"]
    attention = config["gau_cfg"]
    return RTMPose(
        _Given(x),
        config["out_channels"],
        size=(height, width),
        split=config["simcc_split_ratio"],
        width=attention["hidden_dims"],
        query=attention["s"],
    )


def _blocks(path: Path) -> Row:
    """Every block that a network here has."""
    with np.load(path, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    configs = json.loads(str(data.pop("meta")))["configs"]
    pairs, left = [], []
    for name, config in configs.items():
        given = {
            key.removeprefix(f"{name}/"): torch.as_tensor(array)
            for key, array in data.items()
            if key.startswith(f"{name}/")
        }
        weights = {k.removeprefix("w/"): v for k, v in given.items() if k.startswith("w/")}
        if name == "dcc":
            pairs += _classifier(config, weights, given)
        elif weights and (net := _block(name, config, given["in0"])) is not None:
            pairs += _block_pairs(net, weights, given)
        elif weights:
            left.append(name)
    return compared(path, pairs, note=f"without {', '.join(left)}, which no network here has")


def _block(name: str, config: dict, x: Tensor) -> nn.Module | None:
    if name.startswith("scalenorm"):
        return ScaleNorm(config["dim"])
    if name.startswith("cspnext_csp"):
        return _csp(config)
    if name.startswith("rtmcc_head"):
        return _head(config, x)
    if name.startswith("repvgg"):
        net = Rep(config["c"])
        return net if not config["identity_branch"] else None
    plain = config.get("act_fn") == "SiLU" and not config["use_rel_bias"] and not config["pos_enc"]
    return GatedAttention(config["in_token_dims"], config["s"]) if plain else None


def _block_pairs(net: nn.Module, weights: dict[str, Tensor], given: dict) -> list[Pair]:
    convert.load(net, weights)
    x = torch.empty(2, 3, *net.size) if isinstance(net, RTMPose) else given["in0"]
    with torch.inference_mode():
        found = net.eval()(x)
    ours = [found] if isinstance(found, Tensor) else [*found[0].values()]
    theirs = [given[f"out{index}"] for index in range(len(ours))]
    return [
        Pair(ours=a.numpy().reshape(b.shape), theirs=b.numpy())
        for a, b in zip(ours, theirs, strict=True)
    ]


def _classifier(config: dict, weights: dict[str, Tensor], given: dict) -> list[Pair]:
    """RTMO's: places, both rows of logits, and how sure it is of each keypoint."""
    net = Classifier(
        config["in_channels"],
        config["num_keypoints"],
        config["feat_channels"],
        tuple(config["num_bins"]),
    ).eval()
    constants = ("x_bins", "y_bins", "spe.dim_t")
    net.load_state_dict({k: v for k, v in weights.items() if k not in constants}, strict=False)
    with torch.inference_mode():
        xy, x, y = net(given["in0"], given["in1"], given["in2"])
        sigma = net.sigma_fc(given["in0"])
    found = {"out0": xy, "out3": x, "out4": y, "out7": sigma}
    return [Pair(ours=ours.numpy(), theirs=given[key].numpy()) for key, ours in found.items()]


CHECKS: dict[str, Check] = {r"fn-simcc": _simcc, r"fn-rtm-blocks": _blocks}
"""Start of a fixture's file name -> what runs it."""
