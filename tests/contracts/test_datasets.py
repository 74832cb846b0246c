"""What every reader of ``vitruvian.datasets`` promises, over every name found.

A new reader needs a card, ``docs/data/NAME.md``, and a line in ``SAMPLES`` if there is real data.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.errors import InputError, VitruvianError
from vitruvian.core.lookup import names
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names
from vitruvian.datasets import Dataset, open_dataset
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_keypoints, write_coco
from vitruvian.datasets.table import Table, offsets

READERS = names("vitruvian.datasets")


def _module(name: str):
    return import_module(f"vitruvian.datasets.{name}")


CARDS = Path(__file__).resolve().parents[2] / "docs" / "data"
SAMPLES = {
    "coco": "samples/coco/test_coco.json@{0}/samples/coco",
    "crowdpose": "samples/crowdpose/test_crowdpose.json@{0}/samples/crowdpose",
    "flic": "annotations/flic/flic_annot_valid.h5",
    "humanart": "samples/humanart/test_humanart.json@{0}/samples",
    "lsp": "samples/lsp",
    "lspet": "samples/lspet",
    "mpii": "samples/mpii/test_mpii.json@{0}/samples/mpii",
    "posetrack": "samples/posetrack18/annotations/val",
    "wholebody": "annotations/evaluators/example_wholebody_val.json@nowhere",
}
SKELETONS = [skeleton(name) for name in skeleton_names()]
HEADINGS = ("What", "Size", "Licence", "How to get it", "Reading it", "Protocol", "Checked on")


@pytest.mark.parametrize("name", READERS)
def test_a_reader_has_a_card_and_says_how_it_is_called(name):
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert [h for h in HEADINGS if f"**{h}.**" not in card] == []
    assert f"`{name}:" in card
    assert f"``{name}:" in (import_module(f"vitruvian.datasets.{name}").__doc__ or "")


def test_every_card_is_of_a_reader():
    assert {file.stem for file in CARDS.glob("*.md")} == set(READERS)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("ending", ["", ".mat", ".json", ".h5"])
def test_what_is_not_there_is_named(name, ending, tmp_path):
    with pytest.raises(InputError) as error:
        open_dataset(f"{name}:{tmp_path / 'nowhere'}{ending}")
    assert "nowhere" in str(error.value)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"[1, 2]", b"\x89HDF\r\n", b"MATLAB"])
def test_a_file_of_something_else_is_refused_or_empty(name, content, tmp_path):
    for ending in (".mat", ".json", ".h5", ".yaml"):
        file = tmp_path / f"labels{ending}"
        file.write_bytes(content)
        answer = _opened(f"{name}:{file}")
        assert str(tmp_path) in answer or answer == "0 pictures"


def _opened(spec: str, bad: Bad | None = None) -> str:
    try:
        return f"{len(open_dataset(spec, bad=bad))} pictures"
    except VitruvianError as error:
        return str(error)


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_no_file_of_the_kind_is_not_skipped(name, tmp_path):
    for ending in (".mat", ".json", ".h5", ".yaml"):
        file = tmp_path / f"labels{ending}"
        file.write_bytes(b"{")
        bad = Bad(skip=True)
        answer = _opened(f"{name}:{file}", bad)
        assert str(tmp_path) in answer or (answer == "0 pictures" and bad.left_out)


WRITERS = [name for name in READERS if hasattr(_module(name), f"write_{name}")]


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_is_named_on_its_readers_card(name):
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert f"`write_{name}`" in card


def check_table(table: Table) -> None:
    """The invariants of every table."""
    count, joints = len(table.xy), len(table.skeleton)
    assert isinstance(table, Dataset)
    assert table.xy.shape == (count, joints, 2)
    assert table.visible.shape == (count, joints)
    assert len(table.ids) == len(table.area) == len(table.crowd) == len(table.boxes) == count
    assert len(set(table.image_ids.tolist())) == len(table) == len(table.sources)
    assert table.first[0] == 0
    assert table.first[-1] == count
    assert (np.diff(table.first) >= 0).all()
    np.testing.assert_array_equal(np.isnan(table.xy).any(2), table.visible == 0)
    assert set(np.unique(table.visible)) <= {0, 1, 2}
    assert np.isfinite(table.boxes).all()
    assert (table.boxes[:, 2:] >= table.boxes[:, :2]).all()
    assert (table.area >= 0).all()
    assert all(len(column) == count for column in table.person_fields.values())
    assert all(len(column) == len(table) for column in table.picture_fields.values())


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_real_labels_keep_the_invariants_and_lie_in_their_boxes(name, shared):
    table = open_dataset(f"{name}:{shared}/{SAMPLES[name].format(shared)}")
    check_table(table)
    assert len(table.xy)
    labelled = ~np.isnan(table.xy).any(2)
    grown = (table.boxes[:, 2:] - table.boxes[:, :2]) / 2
    inside = (table.xy >= (table.boxes[:, :2] - grown)[:, None]) & (
        table.xy <= (table.boxes[:, 2:] + grown)[:, None]
    )
    assert inside.all(2)[labelled].mean() > 0.98


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted({*SAMPLES} - {"lsp", "lspet", "posetrack"}))
def test_half_of_a_real_file_is_refused_by_name(name, shared, tmp_path):
    file = shared / SAMPLES[name].partition("@")[0]
    half = tmp_path / f"half{file.suffix}"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for bad in (None, Bad(skip=True)):
        with pytest.raises(InputError) as error:
            open_dataset(f"{name}:{half}", bad=bad)
        assert str(half) in str(error.value)


def _table(seed: int, bones: Skeleton, people_of: list[int]) -> Table:
    """Any table: pictures without people, crowds, absent joints."""
    rng = np.random.default_rng(seed)
    counts = np.array(people_of, np.int64)
    people, joints = int(counts.sum()), len(bones)
    visible = rng.integers(0, 3, (people, joints)).astype(np.uint8)
    xy = rng.normal(100, 80, (people, joints, 2)).astype(np.float32)
    xy[visible == 0] = np.nan
    # Eighths, so that box corners survive the way through width and height.
    corner = rng.integers(-80, 800, (people, 2)) / 8
    extent = rng.integers(0, 800, (people, 2)) / 8
    return Table(
        folder=Path("pictures"),
        names=[f"{i}.jpg" for i in range(len(counts))],
        sizes=rng.integers(1, 900, (len(counts), 2)),
        image_ids=rng.permutation(1000)[: len(counts)],
        first=offsets(counts),
        skeleton=bones,
        xy=xy,
        visible=visible,
        boxes=np.concatenate([corner, corner + extent], 1).astype(np.float32),
        area=rng.random(people).astype(np.float32) * 1e4,
        crowd=rng.random(people) < 0.3,
        ids=rng.permutation(5000)[:people],
        fully_annotated=rng.random(len(counts)) < 0.5,
        sources=[f"set{i % 2}" for i in range(len(counts))],
    )


def _equal(one: Table, two: Table) -> None:
    for name in ("sizes", "image_ids", "first", "xy", "visible", "boxes", "area", "crowd", "ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert (list(one.names), list(one.sources)) == (list(two.names), list(two.sources))
    np.testing.assert_array_equal(one.fully_annotated, two.fully_annotated)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SKELETONS),
    st.lists(st.integers(0, 3), max_size=5),
)
def test_coco_json_gives_back_every_flag_and_number(tmp_path_factory, seed, bones, people_of):
    table = _table(seed, bones, people_of)
    file = tmp_path_factory.mktemp("coco") / "labels.json"
    write_coco(table, file)
    again = coco_keypoints(file)
    check_table(again)
    _equal(table, again)
    assert again.skeleton == table.skeleton


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted({*SAMPLES} - {"flic", "lsp", "lspet"}))
def test_real_labels_survive_the_way_through_coco_json(name, shared, tmp_path):
    table = open_dataset(f"{name}:{shared}/{SAMPLES[name].format(shared)}")
    write_coco(table, tmp_path / "labels.json")
    again = coco_keypoints(tmp_path / "labels.json", table.folder)
    np.testing.assert_array_equal(again.xy, table.xy)
    np.testing.assert_array_equal(again.visible, table.visible)
    np.testing.assert_allclose(again.boxes, table.boxes, rtol=1e-6)
    assert again.skeleton.keypoints == table.skeleton.keypoints
