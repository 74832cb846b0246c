"""Typed ``--set`` on frozen dataclasses, and the resolved settings as JSON."""

import json
import sys
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.config import from_json, keys, override, to_json
from vitruvian.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    radius: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauss:
    sigma: float = 2.0
    radius: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    epochs: int
    lr: float = 1e-3
    schedule: Literal["cosine", "step"] = "step"
    milestones: tuple[int, ...] = ()
    freeze: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    warm: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    name: str
    net: str
    size: tuple[int, int] = (256, 192)
    codec: Gauss | Disk = field(default_factory=Gauss)
    recipe: Recipe = field(metadata={"set": "train"})
    net_args: dict[str, object] = field(default_factory=dict, metadata={"set": "net"})
    note: str | None = None
    test: Disk | None = None


PAGE = Page(name="p", net="hrnet:hrnet_w32", recipe=Recipe(epochs=10, weights={"coco": 1.0}))


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("train.lr=3e-4", lambda p: p.recipe.lr == 3e-4),
        ("recipe.lr=3e-4", lambda p: p.recipe.lr == 3e-4),
        ("train.lr=1", lambda p: p.recipe.lr == 1.0 and isinstance(p.recipe.lr, float)),
        ("train.lr=.5", lambda p: p.recipe.lr == 0.5),
        ("train.epochs=1_000", lambda p: p.recipe.epochs == 1000),
        ("train.epochs = 3", lambda p: p.recipe.epochs == 3),
        ("train.schedule=cosine", lambda p: p.recipe.schedule == "cosine"),
        ("train.milestones=170,200", lambda p: p.recipe.milestones == (170, 200)),
        ("train.milestones=170", lambda p: p.recipe.milestones == (170,)),
        ("train.milestones=()", lambda p: p.recipe.milestones == ()),
        ("train.freeze=trunk", lambda p: p.recipe.freeze == ("trunk",)),
        ("train.freeze=trunk,head", lambda p: p.recipe.freeze == ("trunk", "head")),
        ("train.freeze=trunk,", lambda p: p.recipe.freeze == ("trunk",)),
        ("train.weights.lsp=2", lambda p: p.recipe.weights == {"coco": 1.0, "lsp": 2.0}),
        ("train.weights={'lsp': 2}", lambda p: p.recipe.weights == {"lsp": 2.0}),
        ("train.warm=true", lambda p: p.recipe.warm is True),
        ("train.warm=False", lambda p: p.recipe.warm is False),
        ("train.seed=7", lambda p: p.recipe.seed == 7),
        ("train.seed=none", lambda p: p.recipe.seed is None),
        ("size=384,288", lambda p: p.size == (384, 288)),
        ("size=[384, 288]", lambda p: p.size == (384, 288)),
        ("codec.sigma=3", lambda p: p.codec.sigma == 3.0),
        ("net=vitruvian:pose_s", lambda p: p.net == "vitruvian:pose_s"),
        ("net.width=48", lambda p: p.net_args == {"width": 48}),
        ("net.act=relu", lambda p: p.net_args == {"act": "relu"}),
        ("net.dropout=none", lambda p: p.net_args == {"dropout": None}),
        ("note=true", lambda p: p.note == "true"),
        ("note=1,2", lambda p: p.note == "1,2"),
        ("note=a=b", lambda p: p.note == "a=b"),
        ("note=", lambda p: p.note == ""),
        ("note=none", lambda p: p.note is None),
    ],
)
def test_a_value_is_read_by_the_type_of_its_field(change, value):
    before = to_json(PAGE)
    assert value(override(PAGE, [change]))
    assert to_json(PAGE) == before


def test_changes_apply_in_order():
    page = override(PAGE, ["train.lr=1", "train.epochs=2", "train.lr=3"])
    assert (page.recipe.lr, page.recipe.epochs) == (3.0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "train.lrr=1",
            "no setting 'train.lrr'; did you mean 'train.lr'? accepted are train.epochs",
        ),
        ("trian.lr=1", "did you mean 'train.lr'?"),
        ("bogus=1", "no setting 'bogus'; accepted are name, net, "),
        ("train.lr.x=1", "no setting 'train.lr.x'"),
        ("test.radius=1", "no setting 'test.radius'"),
        ("train=1", "'train' is a group of settings; set one of train.epochs, train.freeze"),
        ("train.lr", "cannot read setting 'train.lr'; write KEY=VALUE"),
        ("=1", "write KEY=VALUE"),
        ("train.lr=fast", "setting 'train.lr' is 'fast'; accepted is float"),
        ("train.lr=nan", "accepted is float"),
        ("train.lr=1e999", "accepted is float"),
        ("train.lr=true", "setting 'train.lr' is True; accepted is float"),
        ("train.epochs=1.5", "setting 'train.epochs' is 1.5; accepted is int"),
        ("train.epochs=", "setting 'train.epochs' is ''; accepted is int"),
        ("train.warm=1", "setting 'train.warm' is 1; accepted is bool"),
        ("train.schedule=linear", "is 'linear'; accepted is Literal['cosine', 'step']"),
        ("train.seed=x", "accepted is int or None"),
        ("size=256", "setting 'size' is (256,); accepted is tuple[int, int]"),
        ("size=256,192,3", "accepted is tuple[int, int]"),
        ("size=a,b", "setting 'size' is 'a'; accepted is int"),
        ("train.weights.lsp=x", "setting 'train.weights.lsp' is 'x'; accepted is float"),
        ("train.weights=3", "accepted is dict[str, float]"),
    ],
)
def test_a_bad_change_says_what_is_given_and_what_is_accepted(change, message):
    with pytest.raises(ConfigError) as caught:
        override(PAGE, [change])
    assert message in str(caught.value)


def test_keys_lists_what_set_accepts():
    assert keys(PAGE) == [
        "codec.radius", "codec.sigma", "name", "net", "net.NAME", "note", "size", "test",
        "train.epochs", "train.freeze", "train.lr", "train.milestones", "train.schedule",
        "train.seed", "train.warm", "train.weights.NAME",
    ]  # fmt: skip


@pytest.mark.parametrize("codec", [Gauss(sigma=1.5), Disk(radius=8)])
@pytest.mark.parametrize("test", [None, Disk()])
def test_the_resolved_settings_survive_json(codec, test):
    page = Page(
        name="p",
        net="n",
        codec=codec,
        test=test,
        net_args={"width": 3, "act": "1", "type": "wide", "stem": {"type": "deep"}},
        recipe=Recipe(epochs=2, milestones=(3, 4), weights={"coco": 2}, seed=5),
    )
    assert from_json(Page, json.loads(json.dumps(to_json(page)))) == page


@given(
    lr=st.floats(allow_nan=False, allow_infinity=False),
    milestones=st.lists(st.integers()).map(tuple),
    weights=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    warm=st.booleans(),
    seed=st.none() | st.integers(),
)
def test_any_settings_survive_json(lr, milestones, weights, warm, seed):
    recipe = Recipe(epochs=1, lr=lr, milestones=milestones, weights=weights, warm=warm, seed=seed)
    assert from_json(Recipe, json.loads(json.dumps(to_json(recipe)))) == recipe


@given(lr=st.floats(allow_nan=False, allow_infinity=False), epochs=st.integers(-(10**9), 10**9))
def test_any_number_survives_being_written_as_a_setting(lr, epochs):
    page = override(PAGE, [f"train.lr={lr!r}", f"train.epochs={epochs}"])
    assert (page.recipe.lr, page.recipe.epochs) == (lr, epochs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": "fast"}, "setting 'recipe.lr' is 'fast'; accepted is float"),
        ({"lr": True}, "setting 'recipe.lr' is True; accepted is float"),
        ({"lrr": 1}, "no setting 'recipe.lrr'; did you mean 'recipe.lr'?"),
        ({"milestones": "170"}, "accepted is tuple[int, ...]"),
        ({"milestones": [1, 2.5]}, "setting 'recipe.milestones' is 2.5; accepted is int"),
    ],
)
def test_bad_json_says_where_and_what(change, message):
    data = to_json(PAGE)
    data["recipe"] = data["recipe"] | change
    with pytest.raises(ConfigError) as caught:
        from_json(Page, data)
    assert message in str(caught.value)


def test_missing_and_foreign_json_are_refused():
    with pytest.raises(ConfigError, match=r"Recipe needs epochs; given are \['lr'\]"):
        from_json(Recipe, {"lr": 1.0})
    for kind in (
        "Wave",
        "os:getcwd",
        "vitruvian.core.config:override",
        "no.such:Thing",
        "vitruvian.no:A",
        "",
        3,
    ):
        with pytest.raises(ConfigError, match="setting 'codec' has the type"):
            from_json(Page, to_json(PAGE) | {"codec": {"type": kind}})


def test_a_foreign_file_does_not_choose_what_is_imported():
    with pytest.raises(ConfigError, match="import this first"):
        from_json(Page, to_json(PAGE) | {"codec": {"type": "this:Thing"}})
    assert "this" not in sys.modules


def test_where_the_field_leaves_the_class_open_json_names_it():
    assert to_json(PAGE)["codec"] == {
        "type": f"{__name__}:Gauss", "sigma": 2.0, "radius": 1.0
    }  # fmt: skip
    assert "type" not in to_json(PAGE)["recipe"]
