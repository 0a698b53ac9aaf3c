"""`python -m forge online`: the mode of online corrections changes by a command, and a revert undoes it."""

import pytest

from contracts.live_config import LIVE, parse_live
from contracts.live_tables import MODES, Online
from forge.__main__ import FORGE, OK
from tests.forge.test_commands import Bench


@pytest.fixture
def bench(tmp_path, bundles):
    """A champion."""
    bench = Bench(tmp_path, bundles)
    bench.merge(bench.slots[0])
    return bench


def live(bench):
    return parse_live(bench.forge.read(LIVE))


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_is_set_once_and_all_else_stays(bench, capsys, mode):
    """Typed again, it makes no commit."""
    bench.type("online", "off" if mode != "off" else "on")
    before = live(bench)
    for _ in range(2):
        assert bench.type("online", mode, "--reason", "the feed is broken") == OK
    assert live(bench).online == Online(mode)
    assert live(bench).champion == before.champion
    assert [each.message for each in bench.forge.history(LIVE)][:1] == [f"Online corrections: {mode}"]
    assert len(bench.forge.history(LIVE)) == 4  # the empty file, the champion, two modes
    assert f"the mode of online corrections is {mode} already" in capsys.readouterr().out


def test_limits_stay_and_a_rollback_keeps_the_mode(bench):
    """The correction itself belongs to a version, and is reset by it."""
    text = bench.forge.read(LIVE) + '\n[online]\nmode = "on"\nmax_shift = 0.25\n'
    bench.forge.propose("limits", "limits", "", {LIVE: text})
    bench.forge.status("limits", True, "good")
    bench.forge.merge("limits", "limits")
    bench.type("online", "shadow")
    bench.merge(bench.slots[1])
    bench.type("release")
    assert bench.type("rollback", "--reason", "it is bad") == OK

    assert live(bench).champion == bench.slots[0]
    assert live(bench).online == Online("shadow", 0.25)


def test_a_wrong_table_is_replaced(bench):
    """Scorers read it as off until then."""
    text = bench.forge.read(LIVE) + '\n[online]\nmode = "yes"\n'
    bench.forge.propose("wrong", "wrong", "", {LIVE: text})
    bench.forge.status("wrong", True, "good")
    bench.forge.merge("wrong", "wrong")

    assert bench.type("online", "off") == OK
    assert live(bench).online == Online("off")


def test_nothing_live_has_nothing_to_correct(tmp_path, bundles, capsys):
    """With a sentence."""
    assert Bench(tmp_path, bundles).type("online", "on") == FORGE
    assert "no model is live: there is nothing to correct" in capsys.readouterr().err
