"""The alert rules and the scrape configuration beside the Kubernetes manifests, as YAML."""

import re
from pathlib import Path

import pytest
import yaml

KUBERNETES = Path(__file__).parents[1] / "serve/kubernetes"
(ALERTS,) = yaml.safe_load_all((KUBERNETES / "monitoring/alerts.yaml").read_text())
RULES = [rule for group in ALERTS["spec"]["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_each_manifest_is_one_named_object(path):
    """With the labels that select it."""
    (found,) = yaml.safe_load_all(path.read_text())

    assert found["apiVersion"]
    assert found["kind"]
    assert found["metadata"]["name"] == "tidegate-scorer"
    assert found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "tidegate"


def test_kubectl_applies_the_folder_as_it_is():
    """`kubectl apply -f FOLDER` reads JSON, too, and a cluster without the operator has no such kinds."""
    for path in KUBERNETES.iterdir():
        if path.is_file():
            assert path.suffix == ".yaml"
            (found,) = yaml.safe_load_all(path.read_text())
            assert "monitoring.coreos.com" not in found["apiVersion"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_is_wrong_and_where_to_look(rule):
    """An expression that compares, a severity, a summary and a description."""
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.search(r" (==|>|<) |^absent\(", rule["expr"])
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert rule["labels"]["severity"] in {"page", "issue"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_the_rules_watch_what_may_go_wrong():
    """Each alert once."""
    assert [rule["alert"] for rule in RULES] == [
        "TidegateScorerNotReady",
        "TidegateScorerAbsent",
        "TidegateErrors",
        "TidegateLatency",
        "TidegateReleaseRefused",
        "TidegateForgeDisagreement",
        "TidegateJournalLost",
        "TidegateJournalFailing",
        "TidegateJournalBacklog",
        "TidegateModelOld",
    ]


def test_prometheus_scrapes_the_port_of_each_replica():
    """A Service would give it one of them at random."""
    (scraped,) = yaml.safe_load_all((KUBERNETES / "monitoring/scrape.yaml").read_text())
    (deployed,) = yaml.safe_load_all((KUBERNETES / "deployment.yaml").read_text())
    (scorer,) = deployed["spec"]["template"]["spec"]["containers"]
    (endpoint,) = scraped["spec"]["podMetricsEndpoints"]

    assert endpoint["port"] in [port["name"] for port in scorer["ports"]]
    assert (
        scraped["spec"]["selector"]["matchLabels"].items() <= deployed["spec"]["template"]["metadata"]["labels"].items()
    )
