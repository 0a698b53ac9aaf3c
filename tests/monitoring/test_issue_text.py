"""The text of an incident's issue: one body in full, and properties of all."""

import pytest

from monitoring.incidents.incident_state import IncidentState
from monitoring.incidents.issue_text import (
    MAX_LENGTH,
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
    effect=(
        "accuracy, estimated over 5 days: 0.700 (95 % interval 0.680 to 0.720); 0.800 in the reference period (-0.100)",
    ),
    moved="| a | table |",
    slices="| a | slice |",
    charts=("```mermaid\nxychart-beta\n```",),
    sure=("on 5 of 5 days",),
    likely=("A release of ours.",),
    remarks={"Journal": ("3 torn | lines",), "Nothing": ()},
)
COMMANDS = """\
<details><summary>Commands</summary>

Write each command on its own line of a comment; it is read at the next run. Text in code blocks and quotations is ignored, and so are edits of a comment that has a reply. Commands require write access to this repository.

- `/ack 7d`: acknowledge: until then no retrain starts automatically, and only new causes of severity page are announced.
- `/expected until 2026-12-08 because …`: propose a waiver; once merged, these causes raise no alert until then.
- `/retrain`: start the nightly workflow: train, gate and release a new model.
- `/rollback`: make the previous champion live again; or `/rollback VERSION`.
- `/online off`: stop online corrections: answers are the model's scores; or `/online shadow`, `/online on`.
- `/explain`: why this alert was raised, and how it is resolved.

</details>
"""


def test_the_body_in_full():
    """What is affected, how severe, what to do; then the evidence, folded."""
    assert (
        body("flights", "v1", MEMORY, "open", "", EVIDENCE)
        == f"""\
**flights**, version <code>v1</code>: outside control limits since 2026-01-10.

**Do now:** ask the weather.

| | |
|---|---|
| **Severity** | page |
| **Since** | 2026-01-10; last breach on 2026-01-14 |
| **Deviation** | 2.0 times the control limit now; peak 2.5 times on 2026-01-12 |
| **Acknowledged** | until 2026-01-21, by dana |

**Outside control limits**

- accuracy: 0.70; usual 0.80
- score drift: 0.4; usual 0.1

**Impact**

- accuracy, estimated over 5 days: 0.700 (95 % interval 0.680 to 0.720); 0.800 in the reference period (-0.100)

**Likely causes**

- A release of ours.

**Next steps**

- Data or concept drift: `/retrain` (*Actions → nightly*, `make retrain gate land`). The gate compares the new model.
- Faulty model: `/rollback` (*Actions → rollback*, `make rollback`).
- Expected, temporary change: `/expected until … because …`.

<details><summary>Signals in figures</summary>

| a | table |

```mermaid
xychart-beta
```

</details>

<details><summary>Slices</summary>

| a | slice |

</details>

<details><summary>False alarm rate</summary>

- on 5 of 5 days

</details>

<details><summary>Journal</summary>

- 3 torn &#124; lines

</details>

<details><summary>History</summary>

- 2026-01-15T06:00Z: score drift 2.0 times its limit
- 2026-01-14T06:00Z: score drift 2.5 times its limit

</details>

<details><summary>Actions taken</summary>

- 2026-01-14T09:00:00Z: acknowledged until 2026-01-21, by dana

</details>

{COMMANDS}"""
    )


@pytest.mark.parametrize(
    ("state", "first"),
    [
        ("inactive", "**m**, version <code>v</code>: open since 2026-01-10; within control limits."),
        ("resolved", "**m**, version <code>v</code>: resolved: within control limits."),
    ],
)
def test_the_first_line_is_the_state(state, first):
    """Also without a current breach."""
    words = body("m", "v", MEMORY, state, "within control limits", Evidence())

    assert words.splitlines()[0] == first
    assert ("No action needed" in words) == (state == "resolved")
    assert "**Outside" not in words


def test_an_incident_without_recorded_state_has_a_body():
    """No empty table, no empty list."""
    words = body("m", "v", IncidentState(), "inactive", "could not be monitored: x", Evidence())

    assert words.startswith("**m**, version <code>v</code>: could not be monitored: x.\n\n**Next steps**")


@pytest.mark.parametrize(
    ("kinds", "severity", "releases", "words"),
    [
        (("score_drift",), "issue", (), "nothing urgent"),
        (
            ("missing_values", "realised_performance"),
            "page",
            (("2026-01-10", "v2"),),
            "ask weather what changed on 2026-01-10",
        ),
        (("row_rate",), "page", (), "check that the website calls"),
        (("label_coverage",), "page", (), "check why outcomes no longer arrive"),
        (
            ("realised_performance",),
            "page",
            (("2026-01-09", "v2"),),
            "`/rollback`. <code>v2</code> went live just before",
        ),
        (("realised_performance",), "page", (("2026-01-01", "v2"),), "unless the data is broken, `/retrain`"),
        (("estimated_performance",), "page", (), "The loss is an estimate"),
        (("latency",), "page", (("2026-01-10", "v2"),), "`/rollback`. <code>v2</code> went live just before"),
        (("latency",), "page", (), "check load and other processes"),
        (("latency", "estimated_performance"), "page", (), "The loss is an estimate"),
        (("latency", "errors", "row_rate"), "page", (), "check the scorers' logs"),
        (("errors", "row_rate"), "page", (("2026-01-10", "v2"),), "`/rollback`"),
    ],
)
def test_the_first_step_follows_from_kinds_and_releases(kinds, severity, releases, words):
    """One step for whoever is paged; the others are below."""
    facts = CauseFacts(kinds, "2026-01-10", owners={"weather": ("wind",)}, releases=releases)

    assert words in first_step(facts, severity)


def test_broken_data_is_checked_before_a_retrain():
    """A retrain on broken data makes it worse."""
    memory = IncidentState(causes=("page/missing_values/web",), since="2026-01-10")

    assert "do not retrain on it" in body("m", "v", memory, "open", "", Evidence())


@pytest.mark.parametrize(
    ("causes", "retrains"),
    [
        (("page/latency/",), False),
        (("page/latency/", "page/errors/"), False),
        (("page/latency/", "issue/score_drift/"), True),
    ],
)
def test_a_retrain_is_not_proposed_for_latency_and_errors(causes, retrains):
    """A new model makes no machine faster."""
    words = body("m", "v", IncidentState(causes=causes, since="2026-01-10"), "open", "", Evidence())

    assert "Errors and latency do not depend on the training data" in words
    assert ("Data or concept drift" in words) == retrains


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            CauseFacts(("score_drift",), "2026-01-10", releases=(("2026-01-09", "v1"), ("2026-01-01", "v0"))),
            ("Release: <code>v1</code> went live on 2026-01-09, 1 day before.",),
        ),
        (
            CauseFacts(("unseen_categories",), "2026-01-10", new=("country",)),
            ("New segment, or changed encoding upstream: categories not seen in training in <code>country</code>.",),
        ),
        (
            CauseFacts(("missing_values",), "2026-01-10", owners={"web": ("wind",), "": ("rain",)}),
            (
                "Upstream change: <code>wind</code> drifted; owner: web.",
                "Upstream change: <code>rain</code> drifted; owner: not recorded in the recipe.",
            ),
        ),
        (
            CauseFacts(("score_drift",), "2026-07-10", known=("2026-01-01", "2026-03-01")),
            ("Seasonality: the reference period is 2026-01-01 to 2026-03-01, another time of the year.",),
        ),
        (
            CauseFacts(("score_drift",), "2026-12-20", known=("2026-01-01", "2026-03-01")),
            ("Unknown: no release, upstream change or season matches the start of the breach.",),
        ),
        (
            CauseFacts(("score_drift",), "2026-07-10", known=("2025-01-01", "2026-03-01")),
            ("Unknown: no release, upstream change or season matches the start of the breach.",),
        ),
        (
            CauseFacts(("latency", "errors"), "2026-07-10", known=("2026-01-01", "2026-03-01")),
            ("Unknown: no release, upstream change or season matches the start of the breach.",),
        ),
        (
            CauseFacts(("realised_performance",), "2026-01-10"),
            ("Concept drift: no feature or score drifted, so the relation between features and target has changed.",),
        ),
    ],
)
def test_likely_causes_follow_from_the_facts(facts, words):
    """A release, a new segment, an upstream change, seasonality, concept drift."""
    assert likely_causes(facts) == words


@pytest.mark.parametrize(
    ("metric", "usual", "now", "words"),
    [
        ("accuracy", 0.80, 0.70, "about 100 EUR a day (0.1 a row, 400 rows a day, 2.5 EUR each)"),
        ("accuracy", 0.70, 0.80, ""),
        ("mae", 2.0, 3.0, "about 1,000 EUR a day (1 a row, 400 rows a day, 2.5 EUR each)"),
        ("roc_auc", 0.8, 0.7, ""),
        ("rmse", 2.0, 3.0, ""),
    ],
)
def test_a_loss_has_a_cost_where_the_metric_counts_decisions(metric, usual, now, words):
    """A worse ranking has none."""
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
    words = body(hostile, hostile, memory, "open", hostile, evidence) + title(hostile, [hostile], "x", [hostile])

    for sign in ("<!--", "@everyone", "\n# c", "[y]"):
        assert sign not in words


def test_a_body_that_is_too_long_leaves_out_sections():
    """And names them."""
    evidence = Evidence(remarks={str(n): ("x" * 400,) * 20 for n in range(9)})
    words = body("m", "v", MEMORY, "open", "", evidence)

    assert len(words) <= MAX_LENGTH
    assert "Left out, to fit here:" in words
    assert "the run's artifact has all of it." in words
