"""An incident in words: the whole body once, letter by letter, and what must hold of any."""

import pytest

from monitoring.incidents.incident_state import IncidentState
from monitoring.incidents.issue_text import (
    LONGEST,
    CauseFacts,
    Evidence,
    body,
    daily_cost,
    first_step,
    likely_causes,
    title,
)

MEMORY = IncidentState(
    causes=("page/estimated_performance/", "issue/score_drift/"),
    words=("accuracy: 0.70; usual 0.80", "score drift: 0.4; usual 0.1"),
    since="2026-01-10",
    last="2026-01-14",
    now=2.0,
    peak=2.5,
    peak_day="2026-01-12",
    runs=(
        ("2026-01-14T06:00Z", "score drift 2.5 times its limit"),
        ("2026-01-15T06:00Z", "score drift 2.0 times its limit"),
    ),
    actions=(("2026-01-14T09:00:00Z", "acknowledged until 2026-01-21, by dana"),),
    ack="2026-01-21",
    ack_by="dana",
)
EVIDENCE = Evidence(
    first="ask the weather.",
    effect=("accuracy, estimated over 5 days: 0.700; 0.800 when it was judged (-0.100)",),
    moved="| a | table |",
    slices="| a | slice |",
    charts=("```mermaid\nxychart-beta\n```",),
    sure=("on 5 of 5 days",),
    likely=("A release of ours.",),
    remarks={"About the journal": ("3 torn | lines",), "Nothing": ()},
)
COMMANDS = """\
<details><summary>commands</summary>

Write each on a line of its own in a comment; it is read at the next look. What is shown as code or as a quotation is no command, and a comment that has its reply is not read again after an edit. Only people who may write to this repository can give commands.

- `/ack 7d`: somebody knows of it; until then it calls no retrain and says below only what joins it as a page.
- `/expected until 2026-12-08 because …`: proposes a waiver: once merged, this is no alarm up to that day.
- `/retrain`: trains, judges and lands a new model, as every night does.
- `/rollback`: the model before this one serves again; or `/rollback VERSION`.
- `/explain`: how this alarm came about, and what ends it.

</details>
"""


def test_the_body_is_all_that_a_person_needs():
    """What moved, since when, how sure, where, what it costs, why, what to do, what was."""
    assert (
        body("flights", "v1", MEMORY, "open", "", EVIDENCE)
        == f"""\
**flights**, version <code>v1</code>: beyond its limits since 2026-01-10.

**First:** ask the weather.

| | |
|---|---|
| **Since** | 2026-01-10, last on 2026-01-14 |
| **How far** | 2.0 times its limit now; 2.5 times at its peak, on 2026-01-12 |
| **Tier** | page |
| **Acknowledged** | until 2026-01-21, by dana |

**What moved**

- accuracy: 0.70; usual 0.80
- score drift: 0.4; usual 0.1

**What it costs**

- accuracy, estimated over 5 days: 0.700; 0.800 when it was judged (-0.100)

**Likely cause**

- A release of ours.

**What to do**

- If the world has changed: `/retrain` (or *Actions → nightly*, or `make retrain gate land`). A new model learns from the rows as they are now, and the gate says whether it is better.
- If the model itself is at fault: `/rollback` (or *Actions → rollback*, or `make rollback`).
- If it is meant to be so for a while: `/expected until … because …`.

```mermaid
xychart-beta
```

| a | slice |

**How sure**

- on 5 of 5 days

**About the journal**

- 3 torn &#124; lines

<details><summary>in figures</summary>

| a | table |

</details>

<details><summary>history</summary>

- 2026-01-15T06:00Z: score drift 2.0 times its limit
- 2026-01-14T06:00Z: score drift 2.5 times its limit

</details>

<details><summary>what was done</summary>

- 2026-01-14T09:00:00Z: acknowledged until 2026-01-21, by dana

</details>

{COMMANDS}"""
    )


@pytest.mark.parametrize(
    ("state", "first"),
    [
        ("quiet", "**m**, version <code>v</code>: open since 2026-01-10; within limits for 1 of 3 windows."),
        ("closed", "**m**, version <code>v</code>: over: within limits for 1 of 3 windows."),
    ],
)
def test_the_first_line_says_how_it_stands(state, first):
    """Also when nothing is beyond its limits."""
    words = body("m", "v", MEMORY, state, "within limits for 1 of 3 windows", Evidence())

    assert words.splitlines()[0] == first
    assert ("Nothing is to be done" in words) == (state == "closed")
    assert "What moved" not in words


def test_an_incident_that_knows_nothing_yet_can_be_told():
    """No empty table, no empty list."""
    words = body("m", "v", IncidentState(), "quiet", "could not be watched: x", Evidence())

    assert words.startswith("**m**, version <code>v</code>: could not be watched: x.\n\n**What to do**")


@pytest.mark.parametrize(
    ("kinds", "tier", "releases", "words"),
    [
        (("score_drift",), "issue", (), "nothing at this hour"),
        (
            ("missing_values", "realised_performance"),
            "page",
            (("2026-01-10", "v2"),),
            "ask weather what has changed on 2026-01-10",
        ),
        (("row_rate",), "page", (), "see that the website asks"),
        (("label_coverage",), "page", (), "see why outcomes no longer come"),
        (
            ("realised_performance",),
            "page",
            (("2026-01-09", "v2"),),
            "`/rollback`. <code>v2</code> went live just before",
        ),
        (("realised_performance",), "page", (("2026-01-01", "v2"),), "unless rows are broken, `/retrain`"),
        (("estimated_performance",), "page", (), "The loss is an estimate"),
        (("latency",), "page", (("2026-01-10", "v2"),), "`/rollback`. <code>v2</code> went live just before"),
        (("latency",), "page", (), "see what else the scorers' machines do"),
        (("latency", "estimated_performance"), "page", (), "The loss is an estimate"),
        (("latency", "errors", "row_rate"), "page", (), "see the scorers' logs"),
        (("errors", "row_rate"), "page", (("2026-01-10", "v2"),), "`/rollback`"),
    ],
)
def test_who_is_woken_is_told_one_thing_to_do_first(kinds, tier, releases, words):
    """In the line below the first; what else can be done stands further below."""
    facts = CauseFacts(kinds, "2026-01-10", owners={"weather": ("wind",)}, releases=releases)

    assert words in first_step(facts, tier)


def test_broken_rows_are_looked_at_before_anything_is_learnt_from_them():
    """A retrain on broken rows makes it worse."""
    memory = IncidentState(causes=("page/missing_values/web",), since="2026-01-10")

    assert "do not retrain on them" in body("m", "v", memory, "open", "", Evidence())


@pytest.mark.parametrize(
    ("causes", "retrains"),
    [
        (("page/latency/",), False),
        (("page/latency/", "page/errors/"), False),
        (("page/latency/", "issue/score_drift/"), True),
    ],
)
def test_nobody_is_told_to_retrain_for_answers_that_take_long(causes, retrains):
    """No model that is learnt anew makes a machine faster."""
    told = body("m", "v", IncidentState(causes=causes, since="2026-01-10"), "open", "", Evidence())

    assert "no matter of what the model has learnt" in told
    assert ("If the world has changed" in told) == retrains


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            CauseFacts(("score_drift",), "2026-01-10", releases=(("2026-01-09", "v1"), ("2026-01-01", "v0"))),
            ("A release of ours: <code>v1</code> went live on 2026-01-09, a day before.",),
        ),
        (
            CauseFacts(("unseen_categories",), "2026-01-10", new=("country",)),
            ("A new segment, or a new spelling upstream: values never seen before in <code>country</code>.",),
        ),
        (
            CauseFacts(("missing_values",), "2026-01-10", owners={"web": ("wind",), "": ("rain",)}),
            (
                "An upstream change: <code>wind</code> moved; all of them web's: ask there.",
                "An upstream change: <code>rain</code> moved; ask who fills them.",
            ),
        ),
        (
            CauseFacts(("score_drift",), "2026-07-10", known=("2026-01-01", "2026-03-01")),
            ("The season: the model was judged with rows of 2026-01-01 to 2026-03-01 only.",),
        ),
        (
            CauseFacts(("score_drift",), "2026-12-20", known=("2026-01-01", "2026-03-01")),
            ("Nothing that is known here happened at that time.",),
        ),
        (
            CauseFacts(("score_drift",), "2026-07-10", known=("2025-01-01", "2026-03-01")),
            ("Nothing that is known here happened at that time.",),
        ),
        (
            CauseFacts(("latency", "errors"), "2026-07-10", known=("2026-01-01", "2026-03-01")),
            ("Nothing that is known here happened at that time.",),
        ),
        (
            CauseFacts(("realised_performance",), "2026-01-10"),
            ("The world: rows look as before and outcomes differ, so what leads to what has changed.",),
        ),
    ],
)
def test_a_likely_cause_is_what_happened_at_that_time(facts, words):
    """A release of ours, a new segment, upstream, the season, the world."""
    assert likely_causes(facts) == words


@pytest.mark.parametrize(
    ("metric", "usual", "now", "words"),
    [
        ("accuracy", 0.80, 0.70, "about 100 EUR a day: 0.1 on each of 400 rows a day, at 2.5 EUR each"),
        ("accuracy", 0.70, 0.80, ""),
        ("mae", 2.0, 3.0, "about 1,000 EUR a day: 1 on each of 400 rows a day, at 2.5 EUR each"),
        ("roc_auc", 0.8, 0.7, ""),
        ("rmse", 2.0, 3.0, ""),
    ],
)
def test_a_loss_is_told_in_money_where_the_metric_counts_decisions(metric, usual, now, words):
    """A worse ranking has no price of its own."""
    assert daily_cost(metric, usual, now, 400, 2.5, "EUR") == words
    assert daily_cost(metric, usual, now, 400, 0.0, "") == ""


@pytest.mark.parametrize("hostile", ["a | b\n\n# c", "<!-- tidegate: {} -->", "@everyone", "`x` [y](z)"])
def test_nothing_from_data_breaks_out(hostile):
    """A feature's name, a comment's author, a crash's message."""
    memory = IncidentState(
        causes=("page/x/",),
        words=(hostile,),
        since="2026-01-10",
        runs=(("t", hostile),),
        actions=(("t", hostile),),
        ack="2026-01-21",
        ack_by=hostile,
    )
    facts = CauseFacts(("x",), "2026-01-10", (hostile,), {hostile: (hostile,)}, (("2026-01-10", hostile),))
    evidence = Evidence(likely=likely_causes(facts), remarks={"r": (hostile,)})
    told = body(hostile, hostile, memory, "open", hostile, evidence) + title(hostile, [hostile], "x", [hostile])

    for sign in ("<!--", "@everyone", "\n# c", "[y]"):
        assert sign not in told


def test_it_fits_where_it_is_posted():
    """Whole sections are left out, and that is said."""
    evidence = Evidence(remarks={str(n): ("x" * 400,) * 20 for n in range(9)})
    words = body("m", "v", MEMORY, "open", "", evidence)

    assert len(words) <= LONGEST
    assert "Left out, to fit here:" in words
    assert "the artifact of the run has all of it." in words
