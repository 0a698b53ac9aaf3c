"""Draw the packages of docs/explanation/architecture.md: one picture each, boxes in rows that call the row below.

python -m docs.generate.package_pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reporting import svg

PICTURES = Path(__file__).parents[1] / "pictures"
#: What a box is called (a folder, or a module without its ending), and what it is for.
Box = tuple[str, str]
WIDTH, BOX_HEIGHT, GAP, ROW = 640, 44, 10, 70

PACKAGES: dict[str, list[list[Box]]] = {
    "contracts": [
        [("row_contract", "fields of a row"), ("thresholds", "every limit"), ("live_config", "what is live")],
        [("journal_format", "files of the journal"), ("bundle_content", "digests"), ("tolerance", "equal scores")],
    ],
    "bundles": [
        [("bundle", "verified, with its model")],
        [("manifest", "form and digests"), ("onnx_session", "full graph or core")],
        [("onnx_core", "rows as one matrix")],
    ],
    "reporting": [
        [("html", "pages and tables, from templates/"), ("markdown", "text for issues and reports")],
        [("svg", "scales, axes, lines, bars, marks")],
    ],
    "model": [
        [("__main__", "init, check, train, propose, retrain, feature")],
        [("new_recipe", "from a table"), ("features", "add, drop, prune"), ("proposals", "pull request, card")],
        [("train", "recipe to estimators")],
        [("onnx_export", "ONNX, parity"), ("tree_libraries", "LightGBM, XGBoost"), ("source_profile", "fingerprint")],
        [("data", "rows, holdout"), ("label_delay", "outcomes that come late"), ("sources", "the journal")],
    ],
    "checks": [
        [
            ("__main__", "gate, anchor, score, debt"),
            ("ml_test_score", "what ran here, and when"),
            ("debt", "to remove"),
        ],
        [("gate_inputs", "candidate, champion, anchor"), ("gate", "the steps"), ("reports", "for reviewers")],
        [("measurements", "what takes time"), ("rules", "the table of rules"), ("verdict", "findings to decision")],
        [
            ("decision", "expected gain"),
            ("comparison", "paired intervals"),
            ("insights", "churn, importance"),
            ("late_outcomes", "bounds, newest rows, second looks"),
            ("evidence", "rows and scores"),
        ],
    ],
    "serve": [
        [("__main__", "listens, starts"), ("http", "granian, hot path, tokens")],
        [("routes", "HTTP API, status page"), ("app", "Flask application")],
        [("scoring", "rows to answers"), ("traffic", "split, shadow")],
        [("release", "follower, copies"), ("journal", "lines, segments"), ("metrics", "Prometheus")],
    ],
    "audit": [
        [("__main__", "at, explain, forget")],
        [("moment", "what served then"), ("explanation", "an answer again"), ("erasure", "of a key's rows")],
        [("answer_spans", "who answered when"), ("repository_record", "what was decided")],
        [("journal_lines", "segments and Parquet"), ("asked_time", "a time as typed")],
    ],
    "monitoring": [
        [("__main__", "watch, experiment, answer, site")],
        [("run", "read, measure, decide, act")],
        [("incidents", "rules, issues, commands"), ("experiment", "who wins"), ("dashboard", "one page")],
        [("charts", "control limits"), ("metrics", "values of a day"), ("corrections", "slices that stay moved")],
        [("journal", "files to days, cached")],
    ],
    "forge": [
        [("__main__", "land, merge, rollback, sync, ...")],
        [
            ("releases", "pure decisions"),
            ("bundles", "files, sync"),
            ("upgrades", "of Tidegate"),
            ("clock", "what is due"),
            ("drills", "of a rollback"),
        ],
        [("interface", "what a forge can do")],
        [("local", "a folder with git"), ("github", "the REST API")],
    ],
    "drill": [
        [("__main__", "make, judge, peers")],
        [("faults", "faults to inject"), ("clean_candidates", "no fault"), ("nights", "over a year")],
        [("streams", "recipes to try"), ("harm_score", "next month's loss"), ("peers", "other tools")],
    ],
}


def picture(package: str, rows: Sequence[Sequence[Box]]) -> str:
    """An SVG of the *rows* of boxes; its title names the *package*."""
    parts = []
    for place, row in enumerate(rows):
        width = (WIDTH - 2 - GAP * (len(row) - 1)) / len(row)
        top = 1 + place * ROW
        for column, (name, words) in enumerate(row):
            left = 1 + column * (width + GAP)
            parts.append(svg.rect("box", left, top, width, BOX_HEIGHT, 6))
            parts.append(svg.text(left + width / 2, top + 18, name, "word", "middle"))
            parts.append(svg.text(left + width / 2, top + 34, words, anchor="middle"))
        if place + 1 < len(rows):
            parts.append(svg.path("arrow", f"M{WIDTH / 2} {top + BOX_HEIGHT + 4}V{top + ROW - 5}m-5 -6l5 6l5 -6"))
    return svg.document(f"Package {package}", (WIDTH, len(rows) * ROW - (ROW - BOX_HEIGHT) + 2), parts)


def main() -> None:
    """Write every picture."""
    for package, rows in PACKAGES.items():
        (PICTURES / f"package-{package}.svg").write_text(picture(package, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
