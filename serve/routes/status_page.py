"""`GET /`: what is live, what is refused, and a form to try a row; for people.

Plain HTML that needs no script to be read. The script and the style are files of their own, so that
the page can forbid every other. Links are relative, or begin with the prefix that a proxy names.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request

from contracts.row_contract import Contract, Feature
from serve.http.forwarded import address, prefix
from serve.routes.live_models import age, live_variants, scorer_here
from serve.routes.typical_row import categories, typical_row
from serve.scoring.validation import takes_ids
from serve.traffic.split import Variant

HERE = Path(__file__).parent
#: Only content of this server is loaded, and no other page may embed this one in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}

routes = Blueprint("page", __name__, template_folder="templates")


@routes.get("/")
def page() -> Response:
    """The status page."""
    scorer = scorer_here()
    variants = live_variants(scorer)
    contract = variants[0].bundle.contract if variants else None
    row = typical_row(contract, variants[0].bundle.manifest) if contract else {}
    path = prefix(request.headers)
    text = render_template(
        "page.html",
        state=scorer.state(),
        variants=[_described(variant, scorer.clock()) for variant in variants],
        contract=contract,
        fields=_fields(contract, variants[0], row) if contract else [],
        row=shlex.quote(json.dumps(row, ensure_ascii=False, separators=(",", ":"))),
        needs_token=current_app.extensions["tidegate.access"].needs_token("/score"),
        now=scorer.clock().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        address=address(request.headers, request.scheme),
        root=f"{path}/" if path else "",
    )
    return _sent(text, ".html", "no-store")


def _route(endpoint: str, name: str, words: str) -> None:
    """A route for the file *name* in this folder; *words* describe it in `/openapi.json`."""

    def view() -> Response:
        return _sent((HERE / name).read_text(encoding="utf-8"), Path(name).suffix, "no-cache")

    view.__doc__ = words
    routes.add_url_rule(f"/{name}", endpoint, view)


_route("script", "page.js", "The script of the status page.")
_route("style", "page.css", "The style of the status page and of the example.")
_route("snippet", "snippet.js", "What a website asks with: a time limit, and a value to fall back on.")
_route("example_page", "example.html", "A small page that uses the snippet.")
_route("example_script", "example.js", "The script of the example.")


def _sent(text: str, suffix: str, cached: str) -> Response:
    kind = f"{KINDS[suffix]}; charset=utf-8"
    return Response(text, headers={**HEADERS, "Cache-Control": cached}, content_type=kind)


def _described(variant: Variant, now: datetime) -> dict[str, Any]:
    manifest = variant.bundle.manifest
    seconds = age(variant.bundle, now)
    window = [str(day)[:10] for day in manifest.get("data", {}).get("window", [])]
    return {
        "name": variant.name,
        "version": variant.bundle.version,
        "share": "no answers" if variant.name == "shadow" else f"{variant.share:.3%}".replace(".000", ""),
        "since": variant.since,
        "since_words": variant.since.replace("T", " ").replace("Z", " UTC"),
        "ago": _ago(_seconds_since(variant.since, now)),
        "made": "" if seconds is None else f"{_ago(seconds)} ago",
        "digest": variant.bundle.digest,
        "correction": variant.correction.digest if variant.correction else "",
        "commit": str(manifest.get("build", {}).get("commit", ""))[:12],
        "window": window,
    }


def _fields(contract: Contract, champion: Variant, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of the form: each feature, filled in from *row*, then optional fields."""
    seen = categories(contract, champion.bundle.manifest)
    found = [_field(feature, seen[feature.name], row[feature.name]) for feature in contract.features]
    more = [(contract.key, "whose row it is"), (contract.time, "the moment it is about")]
    if takes_ids(contract):
        more.append(("id", "an id of your own"))
    return found + [{"name": name, "kind": "text", "says": says, "needed": False, "value": ""} for name, says in more]


def _field(feature: Feature, seen: Sequence[str], value: Any) -> dict[str, Any]:
    options = ("true", "false") if feature.kind == "boolean" else feature.choices
    return {
        "name": feature.name,
        "kind": feature.kind,
        "says": feature.description,
        "expects": feature.expects().removesuffix(" or null"),
        "options": options,
        "seen": () if options else seen,
        "needed": not feature.nullable,
        "value": value if isinstance(value, str) else json.dumps(value),
    }


def _seconds_since(moment: str, now: datetime) -> float:
    try:
        return max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())
    except ValueError:
        return 0.0


def _ago(seconds: float) -> str:
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count:
            return f"{count:,} {word}{'s' if count > 1 else ''}"
    return "less than a minute"
