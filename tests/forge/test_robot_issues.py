"""An alert that people edited is still the one alert: found, put back, answered; a copy of it is not."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from forge.github.robot_issues import ACTIONS, recognise
from forge.interface import Schedule
from forge.maintenance import overdue
from forge.releases.landing import Policy, Verdict, reason_to_wait
from forge.releases.quarantine import changed
from monitoring.experiment.experiment_report import title as experiment
from monitoring.incidents.issue_text import title as drift
from monitoring.incidents.self_check import MonitoringFault, fault_issues
from tests.forge.conftest import on_github, person
from tests.forge.test_terminal import CAUSE, NOW, answers, run

pytestmark = pytest.mark.slow

VERSION = "2026-02-28-0a1b2c3d4e5f"
INCIDENT = (f"incident:{VERSION}", f"Rolled back from {VERSION}")
TEXT = f"`{VERSION}` was live from Monday to Friday. `v1` serves again.\n\nmore\n"
GOOD = Verdict("PROMOTE", "good", ("v", "sha256:0"), None)


def unlabelled(issue):
    issue["labels"] = [{"name": "looked at"}]


def without_line(issue):
    issue["body"] = issue["body"].partition("\n")[2]


def without_line_in_a_browser(issue):
    issue["body"] = issue["body"].partition("\n")[2].replace("\n", "\r\n")


def emptied(issue):
    issue["body"] = ""


def gone(issue):
    issue["body"] = None


def half_a_line(issue):
    issue["body"] = issue["body"].replace('"history": [', '"history": ', 1)


def no_end(issue):
    issue["body"] = issue["body"].replace(" -->", "", 1)


def no_beginning(issue):
    issue["body"] = issue["body"].replace("<!-- ", "", 1)


def below_a_remark(issue):
    issue["body"] = f"We look into this.\r\n\r\n{issue['body']}"


def other_json(issue):
    issue["body"] = "<!-- tidegate: 5 -->\n" + issue["body"].partition("\n")[2]


def without_values(issue):
    issue["body"] = "<!-- tidegate: {} -->\n" + issue["body"].partition("\n")[2]


def without_marker(issue):
    issue["body"] = issue["body"].replace('"marker"', '"mark"', 1)


def other_types(issue):
    line = {"marker": 7, "history": "x", "memory": [1], "left": 3}
    issue["body"] = f"<!-- tidegate: {json.dumps(line)} -->\n" + issue["body"].partition("\n")[2]


def over_several_lines(issue):
    line, _, rest = issue["body"].partition("\n")
    meta = json.loads(line.removeprefix("<!-- tidegate: ").removesuffix(" -->"))
    issue["body"] = f"<!-- tidegate: {json.dumps(meta, indent=1)} -->\n{rest}"


def retitled(issue):
    issue["title"] = "Friday's trouble"


def locked(issue):
    issue["locked"] = True


EDITS = [
    without_line,
    without_line_in_a_browser,
    emptied,
    gone,
    half_a_line,
    no_end,
    no_beginning,
    below_a_remark,
    other_json,
    without_values,
    without_marker,
    other_types,
    over_several_lines,
]
#: What people did -> it is found under its marker
LOST = {
    "+".join(edit.__name__ for edit in edits): edits
    for edits in [
        (unlabelled,),
        (retitled,),
        (locked, unlabelled),
        (unlabelled, retitled),
        *((edit,) for edit in EDITS),
        *((unlabelled, edit) for edit in EDITS),
        *((retitled, edit) for edit in EDITS if edit not in (emptied, gone)),
    ]
}


def incident(fake, robot=ACTIONS):
    """An incident that a robot opened."""
    fake.tokens["secret"] = (None, {"login": robot, "type": "Bot"}, "NONE")
    github = on_github(fake)
    github.alert(*INCIDENT, TEXT, {"change": "c0ffee"})
    return github, fake.issues[1]


@pytest.mark.parametrize("name", LOST)
def test_an_incident_that_lost_traces_is_the_same_and_gets_them_back(fake, name):
    """Nothing lands, nothing is opened twice, and afterwards it is as it was."""
    github, issue = incident(fake)
    for edit in LOST[name]:
        edit(issue)
    (alert,) = github.alerts()

    assert (alert.number, alert.marker, alert.state) == (1, INCIDENT[0], "open")
    assert "incident 1 is open" in reason_to_wait(GOOD, Policy("always", 0), (), [alert])
    github.put_back()
    assert {"name": "alert"} in issue["labels"]
    assert issue["body"].startswith('<!-- tidegate: {"')
    assert INCIDENT[0] in issue["body"]
    fake.calls.clear()
    assert github.put_back() == []
    assert {method for method, *_ in fake.calls} == {"GET"}
    assert github.alert(*INCIDENT, TEXT).number == 1
    assert (len(fake.issues), github.alerts()[0].body, issue["title"]) == (1, TEXT, INCIDENT[1])


@pytest.mark.parametrize("name", LOST)
def test_a_robot_that_raises_it_or_closes_it_finds_it_without_the_look(fake, name):
    """And leaves it whole."""
    for operation in ("alert", "resolve"):
        fake.issues.clear()
        github, issue = incident(fake)
        for edit in LOST[name]:
            edit(issue)
        if operation == "alert":
            github.alert(*INCIDENT, TEXT)
        else:
            assert github.resolve(INCIDENT[0], "over").number == 1

        assert {"name": "alert"} in issue["labels"]
        assert (len(fake.issues), github.put_back()) == (1, [])
        assert issue["state"] == ("open" if operation == "alert" else "closed")


@pytest.mark.parametrize("name", LOST)
def test_one_that_a_person_closed_stays_one(fake, name):
    """Whatever else was done to it."""
    github, issue = incident(fake)
    person(fake).set_state(1, "closed")
    for edit in LOST[name]:
        edit(issue)

    assert [(a.marker, a.state) for a in github.alerts()] == [(INCIDENT[0], "closed")]
    github.put_back()
    assert (issue["state"], len(fake.issues)) == ("closed", 1)
    assert github.alert(*INCIDENT, TEXT).number == 1


@pytest.mark.parametrize("edit", [emptied, gone])
def test_where_only_label_and_robot_are_left_nothing_lands(fake, edit):
    """It counts as an incident, and the next robot that raises one gives it its text again."""
    github, issue = incident(fake)
    edit(issue)
    retitled(issue)
    assert reason_to_wait(GOOD, Policy("always", 0), (), github.alerts())
    github.put_back()
    assert reason_to_wait(GOOD, Policy("always", 0), (), github.alerts())

    assert github.alert(*INCIDENT, TEXT).number == 1
    assert [alert.marker for alert in github.alerts()] == [INCIDENT[0]]


@pytest.mark.parametrize("robot", [ACTIONS, "our-app[bot]"])
def test_a_watch_s_incident_goes_on_and_its_commands_are_answered(fake, robot):
    """Without its label, and with a body that says nothing of what it knew."""
    fake.tokens["secret"] = (None, {"login": robot, "type": "Bot"}, "NONE")
    github, dana = on_github(fake), person(fake)
    cause = replace(CAUSE)
    run(github, cause)
    fake.issues[1]["title"] = "flights: score drift since 2026-02-20"
    for edit in (unlabelled, emptied) if robot == ACTIONS else (unlabelled,):
        edit(fake.issues[1])
    dana.say(1, "/ack 7d")
    answers(github)
    run(github, cause, on=NOW + timedelta(hours=1))

    assert github.comments(1)[0].reply.startswith("Acknowledged until")
    assert [(a.number, a.state) for a in github.alerts()] == [(1, "open")]
    assert len(fake.issues) == 1


def test_an_app_is_known_by_another_of_its_alerts(fake):
    """Which has its hidden line; before that, its bare issue could be any robot's."""
    github, issue = incident(fake, "our-app[bot]")
    unlabelled(issue)
    without_line(issue)
    assert github.alerts() == []
    github.alert("service", "Scorers: errors beyond limits", "")

    assert [alert.marker for alert in github.alerts()] == ["service", INCIDENT[0]]


@pytest.mark.parametrize("association", ["NONE", "CONTRIBUTOR", "MEMBER", "COLLABORATOR", "OWNER"])
@pytest.mark.parametrize("line", [True, False])
def test_a_copy_by_a_person_is_not_believed(fake, association, line):
    """A member may be one who only reads."""
    github, issue = incident(fake)
    copy = issue["body"] if line else TEXT
    github.resolve(INCIDENT[0], "over")
    fake.tokens["mallory"] = (None, {"login": "mallory", "type": "User"}, association)
    on_github(fake, "mallory")._rest.write("POST", "issues", {"title": INCIDENT[1], "body": copy})
    before = deepcopy(fake.issues[2])
    github.put_back()

    assert [(alert.number, alert.state) for alert in github.alerts()] == [(1, "closed")]
    assert fake.issues[2] == before


def test_a_robot_of_another_kind_opens_no_alert(fake):
    """Neither by its own title, nor by the title of one of ours."""
    github, _ = incident(fake)
    fake.tokens["other"] = (None, {"login": "helpful[bot]", "type": "Bot"}, "NONE")
    for title in ("Update numpy", "Rolled back from x", "Scorers: errors beyond limits"):
        on_github(fake, "other")._rest.write("POST", "issues", {"title": title, "body": "words"})
    github._rest.write("POST", "issues", {"title": "Weekly report", "body": "words"})
    person(fake)._rest.write("POST", "issues", {"title": "x", "body": "", "labels": ["alert"]})

    assert [alert.number for alert in github.alerts()] == [1]


def test_of_two_with_one_marker_the_older_is_carried_on(fake):
    """A duplicate that was opened while it was hidden is closed, and says where it goes on."""
    github, _ = incident(fake)
    hidden = fake.issues.pop(1)
    github.alert(*INCIDENT, TEXT)
    fake.issues[2] = fake.issues.pop(1) | {"number": 2}
    fake.issues[1] = hidden
    unlabelled(hidden)
    assert [alert.number for alert in github.alerts()] == [1]
    assert github.put_back() == [1, 2]
    assert github.put_back() == []
    assert github.alert(*INCIDENT, "worse").number == 1

    assert [fake.issues[number]["state"] for number in (1, 2)] == ["open", "closed"]
    assert "#1" in next(iter(fake.comments.values()))["body"]
    assert len(fake.issues) == 2


def titles():
    """Every title that a robot gives an alert -> what its marker begins with."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    shown = SimpleNamespace(
        split=SimpleNamespace(shadow=False, challenger="v9"), decision=SimpleNamespace(state="running")
    )
    found = {
        INCIDENT[1]: INCIDENT[0],
        changed("v9", ["a"], ["b"]).title: "incident:changed:v9",
        "v9 is live, its release is gone, and there is none to go back to": "incident:stuck:v9",
        drift("flight-late", ["score_drift"], "2026-02-20", ["age"]): "watch:flight-late:lost-",
        drift("a_b*c", ["score_drift"], "2026-02-20", []): "watch:a_b*c:lost-",
        "flight-late: age outside control limits in the week of 2026-02-23": "digest:flight-late",
        "Scorers: errors and latency above limits": "service",
        # The titles of earlier versions.
        "flight-late: score drift since 2026-02-20 (age)": "watch:flight-late:lost-",
        "flight-late: age moved in the week of 2026-02-23": "digest:flight-late",
        "Scorers: errors and latency beyond limits": "service",
        "The watch: no rows arrive": "monitor:lost-",
        experiment(shown): "experiment:v9:lost-",
        overdue("retrain.yml", Schedule(False, ""), now, 2): "robot:retrain.yml",
        overdue("retrain.yml", Schedule(True, "2026-01-01T00:00:00Z"), now, 2): "robot:retrain.yml",
    }
    return found | {
        act.title: "monitor:lost-"
        for kind in ("journal", "rows", "days", "run")
        for act in fault_issues([MonitoringFault(kind, ("words",))], (), now, 7)
    }


@pytest.mark.parametrize(("title", "marker"), titles().items())
def test_a_title_leads_to_the_marker(title, marker):
    """Of an issue without label and hidden line."""
    issue = {
        "number": 4,
        "title": title,
        "body": "words",
        "labels": [],
        "state": "open",
        "user": {"login": ACTIONS, "type": "Bot"},
        "author_association": "NONE",
    }
    (found,) = recognise([issue], lambda: "")

    assert found.meta["marker"] == (f"{marker}4" if marker.endswith("lost-") else marker)


@pytest.mark.parametrize(
    ("marker", "title"),
    [
        ("monitor:rows", "Monitoring: no rows arrive"),
        ("experiment:v9:2026-02-20", "Experiment: challenger v9: running"),
        ("robot:retrain.yml", "retrain.yml is switched off, or is not there"),
        ("service", "Scorers: errors beyond limits"),
    ],
)
def test_an_alert_of_any_kind_is_opened_once(fake, marker, title):
    """Label and hidden line are gone; then it is raised again."""
    github, _ = incident(fake)
    github.alert(marker, title, "words")
    for edit in (unlabelled, emptied):
        edit(fake.issues[2])
    github.put_back()

    assert github.alert(marker, title, "words").number == 2
    assert [alert.marker for alert in github.alerts()] == [marker, INCIDENT[0]]


@pytest.mark.parametrize("robot", [ACTIONS, "our-app[bot]"])
@pytest.mark.parametrize("left", ["", "Acknowledged.", None])
def test_a_command_whose_answer_was_edited_is_not_carried_out_twice(fake, robot, left):
    """The answer lost its hidden line; what is written after it is still answered."""
    fake.tokens["secret"] = (None, {"login": robot, "type": "Bot"}, "NONE")
    github, dana = on_github(fake), person(fake)
    run(github, CAUSE)
    dana.say(1, "/ack 7d")
    answers(github)
    answer = list(fake.comments.values())[-1]
    answer |= {"body": left, "updated_at": fake.at()}
    dana.say(1, "/ack 3d")
    answers(github)
    answers(github)

    assert [comment.reply is None for comment in github.comments(1)] == [False, False]
    assert len(fake.comments) == 4


def test_a_proposal_whose_hidden_line_was_removed_is_still_one(fake):
    """Open or closed: a robot opened it on a branch of the robots."""
    github = on_github(fake)
    for number in (1, 2):
        github.propose("retrain", f"model {number}", "card", {"file": str(number)})
        if number == 1:
            github.close("retrain", "worse")
            without_line(fake.issues[1])

    assert [(each.number, each.state) for each in github.proposals()] == [(2, "open"), (1, "closed")]
    without_line(fake.issues[2])
    assert github.proposal("retrain").number == 2
    assert github.propose("retrain", "model 3", "card", {"file": "3"}).number == 2


@pytest.mark.parametrize("name", ["helpful[bot]", ACTIONS])
def test_another_robot_s_words_are_no_answer(fake, name):
    """Of a robot that is not ours, or that was never edited."""
    github, dana = on_github(fake), person(fake)
    run(github, CAUSE)
    dana.say(1, "/ack 7d")
    fake.tokens["other"] = (None, {"login": name, "type": "Bot"}, "NONE")
    on_github(fake, "other")._rest.write("POST", "issues/1/comments", {"body": "Hello"})
    if name != ACTIONS:
        list(fake.comments.values())[-1]["updated_at"] = fake.at()
    answers(github)

    assert github.comments(1)[0].reply.startswith("Acknowledged until")
