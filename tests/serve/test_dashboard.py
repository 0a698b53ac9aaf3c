"""Grafana's dashboard and the alert rules name what the scorer exports."""

import json
import re
from pathlib import Path

import pytest

from serve.journal.service_counts import SCORING_ROUTES
from serve.metrics.metric_definitions import COUNTED, LOOKED_UP

FOLDER = Path(__file__).parents[2] / "serve/kubernetes/monitoring"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
#: Of Prometheus itself, which knows where a sample is from.
OF_PROMETHEUS = {"job", "instance"}


def labels_by_name():
    """Every name in the text of `/metrics`, with the labels of its samples."""
    found = {}
    for each in (*COUNTED, *LOOKED_UP):
        if each.kind == "histogram":
            for suffix, more in (("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
                found[each.exported + suffix] = {*each.labels, *more}
        else:
            found[each.exported] = {*each.labels}
    return found


def expressions():
    """Where it is, and the expression."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    rules = re.findall(r"alert: (\w+)\n +expr: (?:\|\n)?((?:.+\n)+?) +(?:for|labels):", rules_text())
    for name, expression in rules:
        yield pytest.param(expression, id=name)


def rules_text():
    return (FOLDER / "alerts.yaml").read_text()


@pytest.mark.parametrize("expression", [*expressions()])
def test_an_expression_names_metrics_and_labels_that_there_are(expression):
    """One that is misspelt is an empty panel, or an alert that never fires."""
    known = labels_by_name()
    names = re.findall(r"tidegate_\w+", expression)
    selected = re.findall(r"(tidegate_\w+)\{([^}]*)\}", expression)
    grouped = [name for some in re.findall(r"by \(([^)]*)\)", expression) for name in some.split(", ")]

    assert names
    assert set(names) <= set(known)
    for name, labels in selected:
        assert set(re.findall(r'(\w+)=~?"', labels)) <= known[name] | OF_PROMETHEUS
    assert set(grouped) <= set().union(*(known[name] for name in names)) | OF_PROMETHEUS
    assert expression.count("(") == expression.count(")")


def test_errors_are_those_of_requests_to_the_model(app):
    """As in the journal's counts: a probe that finds a scorer not ready is no failed request."""
    patterns = set(re.findall(r'route=~\\?"([^"\\]+)', rules_text() + json.dumps(DASHBOARD)))
    (pattern,) = patterns
    rules = {str(rule) for rule in app.url_map.iter_rules()}
    asked = {rule for rule in rules if re.fullmatch(pattern, rule)}

    assert asked == {rule for rule in rules if rule in SCORING_ROUTES or rule.endswith("/infer")}
    assert len(asked) > len(SCORING_ROUTES)


def test_every_alert_is_among_the_expressions():
    """Of the file, read with a pattern: this environment has no parser of YAML."""
    assert len([*expressions()]) == sum(len(panel["targets"]) for panel in PANELS) + len(
        re.findall("alert:", rules_text())
    )


def test_every_metric_is_drawn():
    """But two: the age of the agreement says more, and a full file is rare."""
    drawn = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    absent = {each.exported for each in (*COUNTED, *LOOKED_UP) if each.exported not in drawn}

    assert absent == {"tidegate_forge_agrees", "tidegate_uncounted_total"}


def test_the_dashboard_is_whole():
    """Numbered once, nothing overlaps, and the data source is a variable."""
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}

    assert len(set(numbers)) == len(numbers)
    assert len(set(places)) == len(places)
    assert {x for x, _ in places} <= set(range(24))
    assert variables["datasource"]["query"] == "prometheus"
    for panel in PANELS:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}
        assert set(re.findall(r"\$(\w+)", json.dumps(panel["targets"]))) <= {*variables, "__rate_interval"}
