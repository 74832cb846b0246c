"""The networks of the single-person, top-down and first bottom-up systems."""

import re

import numpy as np
from torch import nn

from tests.parity.kinds import Family
from vitruvian.nets import (
    associative_embedding,
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


def _cpn(config: dict) -> nn.Module:
    """Its depth is in the fixture's name alone."""
    depth = re.search(r"res(\d+)", config["fixture"])
    return cpn.cpn(int(depth[1]), config["num_class"])


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


NETS = {
    r"hf-vitpose-": Family(build=_hf_vitpose, layouts=vitpose.LAYOUTS),
    r"vitpose-": Family(build=_vitpose, layouts=vitpose.LAYOUTS, inside="trunk"),
    r"simcc-res": Family(build=_simcc, layouts=simcc.LAYOUTS, leave=_rows),
    r"rtmpose-": Family(build=_rtmpose, layouts=rtmpose.LAYOUTS, leave=_rows, inside="trunk"),
    r"alphapose-fastpose-": Family(
        build=lambda config: fastpose.fastpose(config["NUM_LAYERS"], config["NUM_JOINTS"]),
        layouts=fastpose.LAYOUTS,
    ),
    r"cpn-res\d": Family(build=_cpn, layouts=cpn.LAYOUTS),
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
