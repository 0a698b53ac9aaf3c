"""Parts of the reference that are made in the environment `serve`: settings, metrics, routes."""

from __future__ import annotations

import os
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from docs.generate.markdown_table import table
from serve.app import create_app
from serve.definitions import COUNTED, LOOKED_UP
from serve.manifest import read_manifest
from serve.settings import table as settings

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "tests/bundles/with-core/binary"


def metrics() -> str:
    """Every metric that Prometheus can scrape."""
    rows = [
        [
            f"`{each.exported}`",
            each.kind,
            ", ".join(f"`{label}`" for label in each.labels),
            each.says,
        ]
        for each in (*COUNTED, *LOOKED_UP)
    ]
    return table(["Metric", "Type", "Labels", "Meaning"], rows)


def routes() -> str:
    """Every route of a scorer whose model is live, from its OpenAPI document."""
    rows = []
    for path, methods in _document()["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            good, *bad = sorted(answers)
            body = ", ".join(operation.get("requestBody", {}).get("content", {}))
            given = ", ".join(kind.split(";")[0] for kind in answers[good]["content"])
            token = "yes" if "security" in operation else ""
            rows.append(
                [
                    f"`{method.upper()} {path}`",
                    operation["summary"],
                    body,
                    f"{good}: {given}",
                    ", ".join(bad),
                    token,
                ]
            )
    return table(["Route", "Purpose", "Request body", "Response", "Errors", "Token"], rows)


def _document() -> dict[str, Any]:
    (bundle,) = BUNDLES.iterdir()
    digest = read_manifest(bundle)["digest"]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        (store / "bundles").mkdir()
        (store / "bundles" / bundle.name).symlink_to(bundle)
        (store / "live.toml").write_text(
            f'[champion]\nversion = "{bundle.name}"\ndigest = "{digest}"\n'
        )
        with Path(os.devnull).open("w") as log, redirect_stderr(log):
            app = create_app(store, store / "journal", follow_every=None)
        return dict(app.test_client().get("/openapi.json").json or {})


PARTS = {"settings": settings, "metrics": metrics, "routes": routes}
