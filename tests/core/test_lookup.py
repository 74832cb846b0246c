"""Names are found by file name, without importing what is not asked for."""

import sys

import pytest

from vitruvian.core.errors import MissingExtra, UnknownName
from vitruvian.core.lookup import find, names

PAGES = {
    "__init__.py": "",
    "hrnet.py": "def hrnet_w32(): return 'w32'\ndef _hidden(): ...\ndef other(): return 'other'\n",
    "higher_hrnet.py": "def higher_hrnet_w32(): return 'higher'\n",
    "hrnet_lite.py": "def hrnet_lite_18(): return 'lite'\n",
    "spec.py": "class System: ...\n",
    "heavy.py": "import not_installed\ndef heavy_one(): ...\n",
    "learn.py": "import torch\ndef learn_one(): ...\n",
}


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A package ``pages`` with a few files."""
    (tmp_path / "pages").mkdir()
    for name, text in PAGES.items():
        (tmp_path / "pages" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield "pages"
    for module in [m for m in sys.modules if m.partition(".")[0] == "pages"]:
        del sys.modules[module]


def test_a_function_is_found_in_the_file_its_name_begins_with(pages):
    assert find(pages, "hrnet_w32")() == "w32"
    assert find(pages, "higher_hrnet_w32")() == "higher"


def test_the_longest_file_name_wins(pages):
    assert find(pages, "hrnet_lite_18")() == "lite"


def test_a_file_and_a_name_reach_any_function(pages):
    assert find(pages, "hrnet:other")() == "other"


def test_names_lists_public_functions_and_imports_nothing(pages):
    assert names(pages) == [
        "heavy_one", "higher_hrnet_w32", "hrnet_lite_18", "hrnet_w32", "learn_one"
    ]  # fmt: skip
    assert not any(m.startswith("pages.") for m in sys.modules)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hrnet_w33", "no page named 'hrnet_w33'; did you mean 'hrnet_w32'?"),
        ("hrnet:hrnet_w33", "did you mean 'hrnet_w32'?"),
        ("unet", "no page named 'unet'; known: heavy_one, "),
        ("hrnet:_missing", "no page named"),
        ("hrnet", "no page named 'hrnet'"),
        ("", "no page named ''"),
        ("spec:nothing", "no page named"),
        ("not_installed.module:name", "no page named 'not_installed.module:name'"),
        ("os.path:nothing", "no page named"),
        ("os.path:sep", "no page named"),
    ],
)
def test_an_unknown_name_is_met_with_a_suggestion(pages, name, message):
    with pytest.raises(UnknownName) as caught:
        find(pages, name)
    assert message in str(caught.value)


def test_a_plug_in_is_any_importable_function(pages):
    assert find(pages, "os.path:basename")("a/b") == "b"


def test_a_fault_inside_a_found_file_is_not_hidden(pages):
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        find(pages, "heavy_one")


def test_what_needs_torch_names_the_extra_when_it_is_missing(pages, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"page 'learn_one' needs 'torch'.*vitruvian\[train\]"):
        find(pages, "learn_one")


def test_a_codec_is_the_camel_case_class_of_its_file():
    from vitruvian.codecs.heatmap import Heatmap

    assert find("vitruvian.codecs", "heatmap") is Heatmap
    assert "heatmap" in names("vitruvian.codecs")
    with pytest.raises(UnknownName, match="no codec named 'heatmaps'; did you mean 'heatmap'"):
        find("vitruvian.codecs", "heatmaps")


def test_a_metric_is_the_function_of_its_file():
    from vitruvian.metrics.pck import pck

    assert find("vitruvian.metrics", "pck") is pck
    assert {"pck", "pckh", "oks_ap"} <= set(names("vitruvian.metrics"))
    assert "bootstrap" not in names("vitruvian.metrics")


def test_a_data_set_is_the_function_of_its_file():
    assert "coco" in names("vitruvian.datasets")
    assert not {"table", "matlab", "coco_keypoints"} & set(names("vitruvian.datasets"))
