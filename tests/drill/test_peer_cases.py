"""The peers' cases: each has a result, and a worker that does not end by itself is ended."""

import json
import threading

from drill.peers.peer_cases import judge_all


def _leaves_a_thread(case):
    """A thread that never ends, for which a process waits at its end, as some libraries leave."""
    threading.Thread(target=threading.Event().wait).start()
    if case["name"] == "unreadable":
        raise ValueError("no such rows")
    return {"one condition", "another"}


def _never_ends(case):
    if case["name"] == "hangs":
        threading.Event().wait()
    return {"a condition"}


def test_a_worker_with_a_thread_that_never_ends_does_not_stop_the_run(tmp_path, capsys):
    """Deepchecks leaves such threads; what a case raises is its result."""
    cases, out = tmp_path / "cases.json", tmp_path / "out.json"
    cases.write_text(json.dumps([{"name": "a"}, {"name": "unreadable"}, {"name": "b"}]))
    judge_all(cases, out, _leaves_a_thread)

    found = ["another", "one condition"]
    assert json.loads(out.read_text()) == {"a": found, "unreadable": ["crashed: ValueError"], "b": found}
    assert "[  3 of 3] b" in capsys.readouterr().out


def test_a_case_that_hangs_has_crashed(tmp_path):
    """The others go on in the other process."""
    cases, out = tmp_path / "cases.json", tmp_path / "out.json"
    cases.write_text(json.dumps([{"name": "hangs"}, {"name": "b"}]))
    judge_all(cases, out, _never_ends, patience=0.5)

    assert json.loads(out.read_text()) == {"hangs": ["crashed: no result"], "b": ["a condition"]}
