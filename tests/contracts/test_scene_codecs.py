"""What every codec of scenes in ``vitruvian.codecs`` promises, over every name found.

A new codec of scenes adds its line to ``CASES``: settings, how far ``decode(answers(encode(p)))``
may be from p, and which fields of a mirrored view are not quite those of the view.
"""

import json
import logging
from dataclasses import dataclass
from inspect import signature

import numpy as np
import pytest

from tests.golden.measure import systems
from vitruvian.codecs import codec_from_json, codec_to_json
from vitruvian.core.convert import convert_keypoints
from vitruvian.core.errors import InputError
from vitruvian.core.lookup import find, names
from vitruvian.core.skeleton import skeleton
from vitruvian.core.view import fitted
from vitruvian.runtime.grouping import FIGURE, answers
from vitruvian.systems.openpose import BODY18_ORDER
from vitruvian.systems.simplepose import PARTS

COCO, BODY18 = skeleton("coco17"), skeleton("body18")
WHOLE, CORNERS = (256, 320), (257, 321)
"""Views of whole cells, and those whose last cell is at the last pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """People as ``encode`` takes them; nothing of it can be written to."""

    xy: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    size: tuple[int, int]

    def encode(self, codec, trust=None):
        trust = np.ones(self.size, np.float32) if trust is None else trust
        return codec.encode(self.xy, self.visible, self.size, boxes=self.boxes, trust=trust)

    def mirrored(self, bones):
        last = self.size[1] - 1
        xy = (self.xy * [-1, 1] + [last, 0]).astype(np.float32)[:, bones.flip_index]
        boxes = (self.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [last, 0, last, 0]).astype("f4")
        return scene(xy, self.visible[:, bones.flip_index], self.size, boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Settings of a codec, its error in view pixels, and the fields that mirror inexactly."""

    codec: str
    settings: dict
    error: float
    inexact: tuple[str, ...] = ()

    def make(self):
        bones = {"paf": BODY18, "limbs": BODY18}.get(self.codec, COCO)
        return find("vitruvian.codecs", self.codec)(skeleton=bones, **self.settings)

    @property
    def size(self):
        return CORNERS if self.codec in ("composite", "offsets") else WHOLE

    def __str__(self):
        changed = [f"{k}={v}" for k, v in self.settings.items() if not isinstance(v, tuple)]
        return "-".join([self.codec, *changed])


LIGHT = {"blur": 0.0, "length_prior": 0.0, "passing_only": True, "enlarge": 4, "to_view": False}
CASES = {
    "paf": [
        ({"order": BODY18_ORDER}, 1.0, ()),
        ({"order": BODY18_ORDER, "min_keypoints": 3, "min_score": 0.2, **LIGHT}, 1.5, ()),
        ({"assembly": "extend"}, 1.0, ()),
        ({"order": BODY18_ORDER, "faithful": True}, 1.0, ("paf",)),  # half a cell aside
    ],
    "limbs": [  # boxes around the parts are rounded as the authors round them
        ({"limbs": PARTS}, 1.0, ("limb",)),
        ({"limbs": PARTS, "tree": True}, 1.0, ("limb",)),
        ({"limbs": PARTS, "faithful": True}, 1.0, ("limb",)),
    ],
    "pairwise": [
        ({}, 0.01, ("heatmap", "locref", "pairwise")),  # cells begin at 4 of 0 to 7
        ({"centre": 3.5, "stages": (COCO.keypoints[:5], COCO.keypoints[5:])}, 0.01, ()),
    ],
    "tags": [
        ({}, 2.5, ()),
        ({"fine_stride": 2, "distance": "rms", "order": COCO.keypoints[::-1]}, 1.5, ()),
        ({"stride": 8, "fine_stride": 4, "reference": 256.0, "search": 2}, 2.5, ()),
        ({"align": "legacy", "faithful": True, "full": "skip"}, 2.5, ("heatmap", "tag")),
    ],
    "composite": [({}, 0.01, ()), ({"force_complete": True, "stride": 16}, 0.01, ())],
    "offsets": [({}, 1.0, ()), ({"step": 1, "stride": 8}, 1.0, ())],
}
LEFT_OUT = {
    "located": "what a cell is to answer depends on the network, so targets are the people",
    "roi_keypoints": "boxes come from the network's proposals, so targets are the people",
}
"""Codecs whose ``decode`` does not invert ``encode``."""
EVERY = [
    Case(codec=name, settings=settings, error=error, inexact=inexact)
    for name, rows in CASES.items()
    for settings, error, inexact in rows
]
FIRST = [case for case in EVERY if case.settings == CASES[case.codec][0][0]]
PAGES = {name: page for name, page in systems().items() if page().task == "bottomup"}
every_case = pytest.mark.parametrize("case", EVERY, ids=str)
every_codec = pytest.mark.parametrize("case", FIRST, ids=str)


def scene(xy, visible, size, boxes):
    xy, boxes = xy.astype(np.float32), boxes.astype(np.float32)
    for array in (xy, visible, boxes):
        array.flags.writeable = False
    return Scene(xy=xy, visible=visible, boxes=boxes, size=size)


def people(bones, size, seed, count=2):
    """At most two standing people, side by side and clear of each other."""
    rng = np.random.default_rng(seed)
    side = [-1 if name.startswith("right") else 1 for name in COCO.keypoints]
    body = np.array([FIGURE[name.split("_")[-1]] for name in COCO.keypoints]) - [0.5, 0]
    height = size[0] * rng.uniform(0.6, 0.7, (count, 1, 1))
    left = size[1] * (np.arange(count) * 0.45 + 0.25 + rng.uniform(0, 0.05, count))
    top = size[0] * rng.uniform(0.06, 0.2, count)
    bent = body * np.c_[side, [1] * 17] + rng.normal(0, 0.012, (count, 17, 2))
    xy = np.stack([left, top], axis=1)[:, None] + bent * height * [0.5, 1]
    boxes = np.concatenate([xy.min(axis=1) - 5, xy.max(axis=1) + 5], axis=1)
    xy, visible = convert_keypoints(
        xy.astype(np.float32), np.full((count, 17), 2, np.uint8), COCO, bones
    )
    return scene(xy, visible, size, boxes)


def nobody(bones, size):
    k = len(bones)
    return scene(np.zeros((0, k, 2)), np.zeros((0, k), np.uint8), size, np.zeros((0, 4)))


def perfect(codec, targets):
    """What a perfect network answers, a batch of one that cannot be written to."""
    fields = answers(codec, targets, np.random.default_rng(0), 0.0)
    for maps in fields.values():
        maps.flags.writeable = False
    return fields


def farthest(found, given):
    """Pixels between the found people and those given, from left to right."""
    assert len(found.xy) == len(given.xy)
    by_place = found.xy[np.argsort(found.xy.mean(axis=1)[:, 0])]
    return np.abs(by_place - given.xy).max(initial=0)


def test_every_codec_of_scenes_has_a_case_or_a_reason():
    made = {name: find("vitruvian.codecs", name) for name in names("vitruvian.codecs")}
    scenes = {
        name
        for name, codec in made.items()
        if "skeleton" in codec.__dataclass_fields__
        and "trust" in signature(codec.encode).parameters
    }

    assert scenes == CASES.keys() | LEFT_OUT.keys()
    assert not CASES.keys() & LEFT_OUT.keys()


@pytest.mark.parametrize("name", LEFT_OUT)
def test_targets_of_a_codec_that_is_left_out_are_no_fields(name):
    codec = find("vitruvian.codecs", name)(skeleton=COCO)

    targets = people(COCO, WHOLE, 0).encode(codec)

    assert not targets.keys() & {field.name for field in codec.fields}


@every_case
@pytest.mark.parametrize("seed", range(2))
def test_two_people_apart_are_found_where_they_are(case, seed):
    codec = case.make()
    given = people(codec.skeleton, case.size, seed)

    (found,) = codec.decode(perfect(codec, given.encode(codec)), case.size)

    assert farthest(found, given) <= case.error
    assert found.xy.dtype == found.scores.dtype == found.score.dtype == np.float32
    assert found.scores.min() > 0
    assert max(found.scores.max(), found.score.max()) <= 1
    assert (np.diff(found.score) <= 0).all()


@every_case
def test_an_empty_view_has_finite_targets_and_nobody(case):
    codec = case.make()

    targets = nobody(codec.skeleton, case.size).encode(codec)
    (found,) = codec.decode(perfect(codec, targets), case.size)

    assert all(np.isfinite([t.value.sum(), t.weight.sum()]).all() for t in targets.values())
    assert found.xy.shape == (0, len(codec.skeleton), 2)
    assert found.scores.shape == (0, len(codec.skeleton))
    assert found.score.shape == (0,)


@every_case
@pytest.mark.parametrize("where", ["unlabelled", "outside"])
def test_who_is_not_in_the_view_leaves_no_trace(case, where):
    codec = case.make()
    given = people(codec.skeleton, case.size, 0)
    if where == "unlabelled":
        gone = scene(given.xy * np.nan, given.visible * 0, case.size, given.boxes)
    else:
        gone = scene(given.xy + 2000, given.visible, case.size, given.boxes + 2000)

    targets = gone.encode(codec)

    for name, target in nobody(codec.skeleton, case.size).encode(codec).items():
        np.testing.assert_array_equal(targets[name].value, target.value)
        np.testing.assert_array_equal(targets[name].weight, target.weight)


@every_case
def test_targets_have_the_shapes_of_the_fields(case):
    codec = case.make()

    targets = people(codec.skeleton, case.size, 0).encode(codec)

    assert list(targets) == [field.name for field in codec.fields]
    for field in codec.fields:
        target = targets[field.name]
        assert target.value.shape == (field.channels, *field.cells(case.size))
        assert target.value.dtype == target.weight.dtype == np.float32
        assert np.broadcast_shapes(target.weight.shape, target.value.shape) == target.value.shape
        assert np.isfinite(target.value).all()


@every_case
def test_where_trust_is_0_nothing_is_learnt(case):
    codec = case.make()
    given = people(codec.skeleton, case.size, 0, count=1)
    trust = np.ones(case.size, np.float32)
    edge = int(0.6 * case.size[1])
    trust[:, edge:] = 0

    targets = given.encode(codec, trust)

    for field in codec.fields:
        target = targets[field.name]
        weight = np.broadcast_to(target.weight, target.value.shape)
        first = edge // field.stride + 1
        if field.name == "tag":  # learns from cells that are somebody's alone
            weight = weight * (target.value > 0)
        assert not weight[:, :, first:].any()
        assert weight[:, :, :first].any() or field.name == "person"  # has no labels


@every_case
def test_encode_leaves_what_it_is_given_as_it_is(case):
    codec = case.make()
    given = people(codec.skeleton, case.size, 1)
    trust = np.ones(case.size, np.float32)
    before = [given.xy.copy(), given.visible.copy(), given.boxes.copy()]
    trust.flags.writeable = False

    targets = given.encode(codec, trust)

    assert all(map(np.array_equal, before, [given.xy, given.visible, given.boxes]))
    assert (trust == 1).all()
    for target in targets.values():
        assert not any(np.shares_memory(target.value, a) for a in (given.xy, trust))


@every_case
def test_flipping_twice_changes_nothing(case):
    codec = case.make()
    rng = np.random.default_rng(3)
    maps = {
        field.name: rng.normal(size=(2, field.channels, *field.cells(case.size))).astype("f4")
        for field in codec.fields
    }
    before = {name: value.copy() for name, value in maps.items()}

    twice = codec.flip(codec.flip(maps))

    assert twice.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_allclose(twice[name], value, atol=1e-4)  # steps are shifted and back
        np.testing.assert_array_equal(maps[name], value)


@every_case
def test_flipped_targets_of_a_mirrored_view_are_those_of_the_view(case):
    codec = case.make()
    given = people(codec.skeleton, case.size, 2)
    least = 0.015 if case.codec == "limbs" else 1e-4  # where limbs' Gaussians end

    mirrored = given.mirrored(codec.skeleton).encode(codec)
    flipped = codec.flip({name: target.value[None] for name, target in mirrored.items()})

    for name, target in given.encode(codec).items():
        if name not in case.inexact:
            other = flipped["tag_flip" if name == "tag" else name]
            np.testing.assert_allclose(other[0], target.value, atol=least)


@every_case
def test_people_of_a_mirrored_view_are_found_where_they_are_in_the_view(case):
    codec = case.make()
    given = people(codec.skeleton, case.size, 2)
    mirrored = given.mirrored(codec.skeleton).encode(codec)

    flipped = codec.flip(perfect(codec, mirrored))
    if "tag_flip" in flipped:
        flipped["tag"] = flipped.pop("tag_flip")
    (found,) = codec.decode(flipped, case.size)

    assert farthest(found, given) <= case.error + (3 if "legacy" in case.settings.values() else 0)


@every_case
def test_settings_survive_json(case):
    codec = case.make()

    text = json.dumps(codec_to_json(codec))

    assert codec_from_json(json.loads(text), codec.skeleton) == codec


@every_codec
def test_views_of_a_batch_do_not_touch_each_other(case):
    codec = case.make()
    scenes = [people(codec.skeleton, case.size, seed, count) for seed, count in ((0, 2), (1, 1))]
    single = [perfect(codec, one.encode(codec)) for one in scenes]

    together = codec.decode(
        {name: np.concatenate([one[name] for one in single]) for name in single[0]}, case.size
    )

    for found, fields in zip(together, single, strict=True):
        (alone,) = codec.decode(fields, case.size)
        np.testing.assert_array_equal(found.xy, alone.xy)
        np.testing.assert_array_equal(found.scores, alone.scores)


@every_codec
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_cells_that_are_not_finite_are_empty_and_the_log_says_so(case, bad, caplog):
    codec = case.make()
    given = people(codec.skeleton, case.size, 0, count=1)
    fields = {name: m.copy() for name, m in perfect(codec, given.encode(codec)).items()}
    for maps in fields.values():
        maps[..., -4:-2], maps[..., -2:] = bad, -bad

    with caplog.at_level(logging.WARNING):
        (found,) = codec.decode(fields, case.size)

    assert farthest(found, given) <= case.error
    assert "finite" in caplog.text


@every_codec
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_who_answers_nothing_finite_finds_nobody(case, bad):
    codec = case.make()
    fields = perfect(codec, people(codec.skeleton, case.size, 0).encode(codec))

    (found,) = codec.decode({n: np.full_like(m, bad) for n, m in fields.items()}, case.size)

    assert len(found.xy) == 0


@every_codec
def test_infinite_confidence_is_no_evidence(case):
    codec = case.make()
    fields = perfect(codec, people(codec.skeleton, case.size, 0).encode(codec))
    sure = {name: maps.copy() for name, maps in fields.items()}
    heat = sure["cif"][:, 1::5] if "cif" in sure else sure["heatmap"]
    heat[heat > heat.min()] = np.inf

    (found,) = codec.decode(sure, case.size)

    assert len(found.xy) == 0


@every_codec
def test_other_channels_than_the_fields_are_refused(case):
    codec = case.make()
    fields = perfect(codec, nobody(codec.skeleton, case.size).encode(codec))
    read = list(fields)[:2] if case.codec == "limbs" else list(fields)  # two only help to learn

    for name in read:
        maps = fields[name]
        for wrong in (maps[:, :-1], np.concatenate([maps, maps[:, :1]], axis=1), maps[0]):
            with pytest.raises(InputError, match=str(len(maps[0]))):
                codec.decode(fields | {name: wrong}, case.size)


def small(page):
    """The view of a picture by the rule of the page, for a quarter of the page's size."""
    rule = page.input
    sides = (
        max(side // 4 // rule.divisor, 1) * rule.divisor + rule.remainder for side in rule.size
    )
    return fitted(
        (120, 160), tuple(sides), rule.fit, divisor=rule.divisor, remainder=rule.remainder
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_encodes_a_scene_and_names_losses_that_are_finite_on_it(name):
    torch = pytest.importorskip("torch")
    from vitruvian.train import joint_losses, loop

    page = PAGES[name]()
    size = small(page)
    targets = people(page.skeleton, size, 0).encode(page.codec)
    if page.codec.__class__.__module__.rpartition(".")[2] in LEFT_OUT:
        assert page.recipe.loss in loop.names_of_losses(joint_losses)
        return

    terms = loop.parse_loss(page.recipe.loss, list(targets))

    fields = answers(page.codec, targets, np.random.default_rng(0), 0.0)
    for field in page.codec.fields:
        assert targets[field.name].value.shape == (field.channels, *field.cells(size))
        function, factor = terms[field.name]
        goal, weight = targets[field.name].value, np.array(targets[field.name].weight)
        loss = function(
            *(torch.from_numpy(x) for x in (fields[field.name], goal[None], weight[None]))
        )
        assert factor > 0
        assert torch.isfinite(loss)
