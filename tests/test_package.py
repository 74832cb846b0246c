import ast
import inspect
import subprocess
import sys

import pytest

import vitruvian


def test_every_public_name_is_found_where_it_is_said_to_be():
    for name in vitruvian.__all__:
        assert getattr(vitruvian, name) is not None
    assert set(vitruvian.__all__) <= set(dir(vitruvian))


def test_type_checkers_see_the_same_names():
    tree = ast.parse(inspect.getsource(vitruvian))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body for alias in node.names}
    assert seen == set(vitruvian.__all__) - {"__version__"}
    for node in block.body:
        for alias in node.names:
            assert node.module == f"vitruvian.{vitruvian._HOME[alias.name]}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = vitruvian.lod


def test_loading_and_reading_need_neither_torch_nor_video():
    code = (
        "import sys, vitruvian; vitruvian.load, vitruvian.draw, vitruvian.read\n"
        "print(*sorted({'torch', 'av', 'rich', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", ["runtime.video", "outputs.video"])
def test_videos_without_pyav_name_the_extra(module):
    code = f"import sys; sys.modules['av'] = None\nimport vitruvian.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'vitruvian[video]'" in done.stderr
