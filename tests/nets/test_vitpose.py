import pytest
import torch

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.nets import convert
from vitruvian.nets.count import macs, parameters
from vitruvian.nets.vitpose import LAYOUTS, ViT, ViTPose, vitpose


def tiny(size: tuple[int, int] = (64, 64), *, experts: int = 0, expert: int = 0) -> ViTPose:
    """What the contract tests run."""
    cells = (size[0] // 16, size[1] // 16)
    trunk = ViT(16, 2, 2, cells, drop=0.2, experts=experts, part=4, expert=expert)
    return ViTPose(trunk, 16, 3, decoder="classic", size=size)


@pytest.mark.parametrize(
    "variant, classic, simple, billions",
    [
        ("s", 24_290_577, 21_722_513, (5.594, 4.654)),
        ("b", 89_994_513, 85_912_337, (18.523, 17.461)),
        ("l", 308_544_785, 303_453_201, (61.569, 60.426)),
        ("h", 637_208_849, 631_107_857, (125.830, 124.606)),
    ],
)
def test_size_equals_the_authors_network(variant, classic, simple, billions):
    with torch.device("meta"):
        nets = [vitpose(variant, decoder=decoder) for decoder in ("classic", "simple")]
    assert [parameters(net) for net in nets] == [classic, simple]
    assert [macs(net, (256, 192)) / 1e9 for net in nets] == pytest.approx(billions, rel=2e-3)


def test_a_size_that_patches_do_not_tile_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"divide by 16; the nearest size is 256 x 192"):
        vitpose("s", size=(250, 190))


def test_an_expert_answers_for_its_data_set_alone():
    torch.manual_seed(0)
    first, second = (tiny(experts=2, expert=expert).eval() for expert in range(2))
    second.load_state_dict(first.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before, other = (net(x)[0]["heatmap"] for net in (first, second))
        first.trunk.blocks[0].mlp.experts[1].bias += 1
        after = first(x)[0]["heatmap"]
    assert torch.equal(before, after)
    assert not torch.equal(before, other)


def _filled(net, rename):
    state = {key: torch.full_like(x, 0.5) for key, x in net.state_dict().items()}
    return {rename(key): x for key, x in state.items()}


def test_mmposes_names_load_without_the_row_of_the_class_token():
    net = tiny()

    def theirs(key):
        key = key.replace("trunk.blocks", "backbone.layers").replace("trunk.", "backbone.")
        for ours, name in {
            "patch_embed.proj": "patch_embed.projection",
            "norm1": "ln1",
            "norm2": "ln2",
            "last_norm": "ln1",
            "mlp.fc1": "ffn.layers.0.0",
            "mlp.fc2": "ffn.layers.1",
        }.items():
            key = key.replace(ours, name)
        return key if key.startswith("backbone.") else f"head.{key}"

    state = _filled(net, theirs)
    state["backbone.pos_embed"] = state["backbone.pos_embed"][:, 1:]
    assert convert.load(net, state, LAYOUTS) == "mmpose"
    assert net.trunk.pos_embed[0, :2, 0].tolist() == [0, 0.5]


def test_other_decoders_and_the_class_token_of_multi_task_files_are_left_out():
    net = tiny()
    state = _filled(
        net,
        lambda key: (
            key.replace("trunk.", "backbone.")
            if key.startswith("trunk.")
            else f"keypoint_head.{key}"
        ),
    )
    state["backbone.cls_token"] = torch.zeros(1, 1, 16)
    state["associate_keypoint_heads.0.final_layer.bias"] = torch.zeros(14)
    assert convert.load(net, state, LAYOUTS) == "authors"


def test_a_masked_autoencoder_starts_the_trunk():
    torch.manual_seed(0)
    net = tiny((256, 192))
    state = {key.replace("last_norm", "norm"): x for key, x in net.trunk.state_dict().items()}
    tokens = torch.arange(14.0).repeat_interleave(14)[None, :, None].expand(1, 196, 16)
    state["pos_embed"] = torch.cat([torch.ones(1, 1, 16), tokens], dim=1)
    state["patch_embed.proj.weight"] = torch.ones(16, 3, 14, 14)
    state |= {"cls_token": torch.zeros(1, 1, 16), "decoder_pred.bias": torch.zeros(768)}
    assert convert.start(net, state) == "trunk (mae)"
    rows = net.trunk.pos_embed[0, 1:, 0].unflatten(0, (16, 12))
    assert torch.allclose(rows, rows[:, :1].expand(16, 12), atol=1e-5)
    assert (rows[1:, 0] > rows[:-1, 0]).all()
    kernel = net.trunk.patch_embed.proj.weight
    assert kernel.sum() == 16 * 3 * 14 * 14
    assert kernel[:, :, 0].abs().max() == 0


def test_layers_are_counted_from_the_head_down():
    net = tiny()
    names = ("final_layer.bias", "trunk.last_norm.bias", "trunk.blocks.1.norm1.bias")
    assert [net.layers_above(name) for name in names] == [0, 0, 1]
    assert net.layers_above("trunk.blocks.0.attn.qkv.weight") == 2
    assert net.layers_above("trunk.pos_embed") == 3
    assert net.layers_above("trunk.patch_embed.proj.bias") == 3


def test_input_of_another_size_is_refused():
    with pytest.raises(InputError, match="built for 64 x 64"):
        tiny()(torch.zeros(1, 3, 128, 64))


@pytest.mark.parametrize("arguments", [{"variant": "g"}, {"experts": 6, "expert": 6}])
def test_what_was_not_published_is_refused(arguments):
    with pytest.raises(ConfigError, match=r"s, b, l, h|0 to 5"):
        vitpose(**arguments)
