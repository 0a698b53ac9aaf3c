"""Parts of the reference that are made in the environment `serve`: settings, metrics, routes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from bundles.manifest import read_manifest
from docs.generate.markdown_table import table
from serve.app import create_app
from serve.metrics.metric_definitions import COUNTED, LOOKED_UP
from serve.settings import table as settings

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "tests/bundles/with-core/binary"
KINDS = {
    "application/json": "JSON",
    "application/octet-stream": "binary tensors",
    "text/csv": "CSV",
    "text/html": "HTML",
    "text/css": "CSS",
    "text/javascript": "JavaScript",
    "text/plain": "text",
}


def metrics() -> str:
    """Every metric that Prometheus can scrape."""
    rows = [
        [f"`{each.exported}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.says]
        for each in (*COUNTED, *LOOKED_UP)
    ]
    return table(["Metric", "Type", "Labels", "Meaning"], rows)


def routes() -> str:
    """Every route of a scorer whose model is live, from its OpenAPI document."""
    rows = []
    for path, methods in _document()["paths"].items():
        for method, operation in methods.items():
            good, *bad = sorted(operation["responses"])
            takes = _kinds(operation.get("requestBody", {}))
            gives = f"{good}: {_kinds(operation['responses'][good])}"
            token = "yes" if "security" in operation else ""
            rows.append([f"`{method.upper()} {path}`", operation["summary"], takes, gives, ", ".join(bad), token])
    return table(["Route", "Purpose", "Takes", "Returns", "Errors", "Token"], rows)


def _kinds(body: Mapping[str, Any]) -> str:
    """The media types of a body, as people call them."""
    return ", ".join(KINDS[kind.partition(";")[0]] for kind in body.get("content", {}))


def _document() -> dict[str, Any]:
    (bundle,) = BUNDLES.iterdir()
    digest = read_manifest(bundle)["digest"]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        (store / "bundles").mkdir()
        (store / "bundles" / bundle.name).symlink_to(bundle)
        (store / "live.toml").write_text(f'[champion]\nversion = "{bundle.name}"\ndigest = "{digest}"\n')
        with Path(os.devnull).open("w") as log, redirect_stderr(log):
            app = create_app(store, store / "journal", follow_every=None)
        return dict(app.test_client().get("/openapi.json").json or {})


PARTS = {"settings": settings, "metrics": metrics, "routes": routes}
