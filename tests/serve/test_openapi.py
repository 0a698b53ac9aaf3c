"""The description of the routes: all of them, true to the contract, and kept."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from serve.app import create_app
from serve.routes import response_bodies as bodies
from serve.routes.openapi import EXTENSION, ROUTES

pytestmark = pytest.mark.slow

REF = "#/components/schemas/"


def references(found):
    if isinstance(found, dict):
        if isinstance(found.get("$ref"), str):
            yield found["$ref"]
        for value in found.values():
            yield from references(value)
    elif isinstance(found, list):
        for value in found:
            yield from references(value)


def test_every_route_is_described_and_nothing_else(client, app):
    """With its statuses, and in a sentence."""
    document = client.get("/openapi.json").json
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    paths = {rule.replace("<", "{").replace(">", "}") for rule in rules}

    assert document["openapi"] == "3.1.0"
    assert document["paths"].keys() == paths
    assert set(ROUTES) == {rule.replace("/versions/<version>", "") for rule in rules}
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert all(one["summary"].strip() for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


def test_the_reference_explains_every_status(root):
    """That a route may answer with, and those of the server before any route."""
    found = re.findall(r"^\| (\d{3})(?:, (\d{3}))? \|", (root / "docs/reference/http-api.md").read_text(), re.MULTILINE)
    described = {status for route in ROUTES.values() for status in route.errors}

    assert {int(status) for pair in found for status in pair if status} == described | {405, 408}


def test_every_reference_leads_somewhere(client):
    """And every schema is led to."""
    document = client.get("/openapi.json").json
    found = set(references(document))

    assert found == {REF + name for name in document["components"]["schemas"]}


def test_a_row_is_described_as_the_contract_has_it(client):
    """Ranges, choices, what may be missing, in words too."""
    document = client.get("/openapi.json").json
    row = document["components"]["schemas"]["Row"]

    assert row["required"] == ["country", "device", "pages"]
    assert row["properties"]["age"] == {
        "type": ["number", "null"], "minimum": 0, "maximum": 120,
        "description": "age in years (years)",
    }  # fmt: skip
    assert row["properties"]["device"]["enum"] == ["phone", "tablet", "desk"]
    assert row["properties"]["returning"]["type"] == ["boolean", "null"]
    assert {"visitor", "at", "id"} <= row["properties"].keys()
    assert document["components"]["schemas"]["Outcome"]["properties"]["outcome"]["enum"] == ["no", "yes"]


def test_each_task_describes_its_own_answer(store, journal, clock, each_task, row):
    """What is promised is what comes."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    schema = client.get("/openapi.json").json["components"]["schemas"]["Answer"]

    assert set(schema["required"]) == client.post("/score", json=row).json.keys()


def test_what_is_the_same_for_every_model_is_answered_as_it_is_described(client, row):
    """The description is made from these structs."""
    document = client.get("/openapi.json").json
    infer = document["paths"]["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]
    (answer,) = client.post("/score", json=[row]).json
    outcome = {"id": answer["id"], "outcome": "yes"}
    model = "/v2/models/" + document["info"]["title"].removeprefix("Tidegate: ")
    answers = {
        bodies.Accepted: client.post("/outcome", json=outcome),
        bodies.Inferred: client.post(model + "/infer", json=infer["application/json"]["example"]),
        bodies.Live: client.get("/v2/health/live"),
        bodies.Model: client.get(model),
        bodies.ModelReady: client.get(model + "/ready"),
        bodies.Ok: client.get("/health"),
        bodies.Problem: client.post("/score", json=[row, row | {"pages": "many"}]),
        bodies.Ready: client.get("/v2/health/ready"),
        bodies.Server: client.get("/v2"),
        bodies.State: client.get("/ready"),
    }

    assert set(answers) == set(bodies.FIXED)
    for kind, answered in answers.items():
        assert msgspec.json.decode(answered.data, type=kind)
    assert answers[bodies.Problem].json["problems"][0]["row"] == 1


def test_the_description_is_made_once_for_what_is_live(app, client, store, bundles):
    """Under whatever prefix it is asked for; the next release has another."""
    first = client.get("/openapi.json").json
    made = app.extensions[EXTENSION]
    again = client.get("/openapi.json", headers={"X-Forwarded-Prefix": "/model"}).json

    assert app.extensions[EXTENSION] is made
    assert again == first | {"servers": [{"url": "/model"}]}

    version = store.serve(bundles[1])
    app.extensions["tidegate"].follower.refresh()

    assert first["info"]["version"] != version
    assert client.get("/openapi.json").json["info"]["version"] == version


def test_the_examples_are_answered(store, journal, clock, each_task):
    """Whoever copies one begins with a success."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    paths = client.get("/openapi.json").json["paths"]
    name = client.get("/openapi.json").json["info"]["title"].removeprefix("Tidegate: ")
    for path in ("/score", "/invocations", "/v2/models/{model}/infer"):
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]

        assert client.post(path.format(model=name), json=body).status_code == 200


def test_before_the_first_release_the_routes_are_described_without_a_contract(store, journal):
    """A client may be written before a model is live."""
    document = create_app(store.folder, journal, follow_every=None).test_client()
    document = document.get("/openapi.json").json

    assert document["info"]["title"] == "Tidegate: no model is live yet"
    assert "/score" in document["paths"]


def schemathesis():
    """The command, wherever it is installed."""
    if importlib.util.find_spec("schemathesis"):
        return [sys.executable, "-m", "schemathesis.cli"]
    here = Path(__file__).parents[2] / ".venv/extra/bin"
    found = shutil.which("schemathesis", path=f"{here}:{os.environ['PATH']}")
    return [found] if found else None


@pytest.mark.skipif(schemathesis() is None, reason="schemathesis is not installed; type: make extra")
def test_schemathesis_finds_no_failure_and_no_undocumented_answer(root, store, journal, tmp_path, bundles):
    """From the server's own description, good and bad requests alike.

    One check is left out: a schema cannot say that ids differ, nor that tensors are of one length,
    so some of what it allows is refused (with a documented 422).
    """
    store.serve(bundles[0])
    ready = tmp_path / "address"
    command = [sys.executable, "-m", "serve", "--store", str(store.folder)]
    command += ["--journal", str(journal), "--port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=root) as server:
        try:
            while not ready.exists():
                assert server.poll() is None
                time.sleep(0.02)
            command = [*schemathesis(), "run", ready.read_text().strip() + "/openapi.json"]
            command += ["--exclude-checks", "positive_data_acceptance", "--max-examples", "20"]
            command += ["--phases", "examples,coverage,fuzzing", "--generation-deterministic"]
            found = subprocess.run([*command, "--no-color"], cwd=tmp_path, capture_output=True, text=True, check=False)
        finally:
            server.terminate()

    assert found.returncode == 0, found.stdout + found.stderr
