import subprocess
import sys

import pytest

import vitruvian as package


def test_the_overview_lists_every_verb_with_its_headline(vitruvian):
    done = vitruvian("--help")
    assert done.code == 0
    for verb in ("predict", "train", "evaluate", "export", "list", "info", "doctor"):
        assert f"  {verb} " in done.out
    assert "Find people and their keypoints in pictures" in done.out


def test_no_verb_shows_the_overview_and_is_wrong_usage(vitruvian):
    assert vitruvian().code == 2


def test_a_mistyped_verb_is_guessed(vitruvian):
    done = vitruvian("predcit")
    assert done.code == 2
    assert done.errors == ["vitruvian: error: no command named 'predcit'; did you mean 'predict'?"]


def test_the_version_is_that_of_the_package(vitruvian):
    assert vitruvian("--version").out == f"vitruvian {package.__version__}\n"


@pytest.mark.parametrize("verb", ["predict", "list", "info", "doctor"])
def test_help_loads_nothing_heavy(verb):
    code = (
        "import sys\nfrom vitruvian.cli.main import main\n"
        f"try: main(['{verb}', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'openvino', 'torch', 'av', 'PIL', 'rich', 'jaxtyping'}\n"
        "print('loaded:', *sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert "usage: vitruvian " + verb in done.stdout


def test_a_reader_that_goes_away_is_no_error():
    code = "from vitruvian.cli.main import main; import sys; sys.exit(main(['list']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(60)
