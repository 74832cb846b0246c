import time

import pytest

from vitruvian.runtime.stopwatch import Stopwatch


def test_times_of_a_stage_add_up():
    watch = Stopwatch()
    for _ in range(2):
        with watch("wait"):
            time.sleep(0.01)
    with watch("nothing"):
        pass
    assert list(watch.seconds) == ["wait", "nothing"]
    assert watch.seconds["wait"] >= 0.02
    assert watch.seconds["nothing"] < 0.01


def test_a_stage_that_fails_is_timed_too():
    watch = Stopwatch()
    with pytest.raises(ValueError), watch("fail"):
        raise ValueError
    assert "fail" in watch.seconds
    watch.reset()
    assert watch.seconds == {}
