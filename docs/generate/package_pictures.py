"""Draw the packages of docs/explanation/architecture.md: one picture each, boxes in rows that call the row below.

python -m docs.generate.package_pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "pictures"
#: What a box is called (a folder, or a module without its ending), and what it is for.
Box = tuple[str, str]
WIDTH, BOX_HEIGHT, GAP, ROW = 760, 52, 12, 84
STYLE = """text{font:14px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}.small{font-size:12px;fill:#59636e}
rect{fill:#f6f8fa;stroke:#8c959f}path{stroke:#8c959f;fill:none}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}rect{fill:#212830;stroke:#656c76}path{stroke:#656c76}}"""

PACKAGES: dict[str, list[list[Box]]] = {
    "contracts": [
        [("row_contract", "fields of a row"), ("thresholds", "every limit"), ("live_config", "what is live")],
        [
            ("journal_format", "files of the journal"),
            ("onnx_core", "inputs of the core"),
            ("tolerance", "equal scores"),
        ],
    ],
    "reporting": [[("markdown", "text for issues and reports"), ("html", "pages from templates"), ("svg", "charts")]],
    "model": [
        [("__main__", "train, propose, retrain, feature")],
        [("train", "recipe to estimator"), ("features", "add, drop, prune"), ("card", "text of a proposal")],
        [("data", "rows, holdout"), ("onnx_export", "ONNX, parity"), ("source_profile", "fingerprint")],
    ],
    "checks": [
        [("__main__", "gate, anchor")],
        [("gate_inputs", "candidate, champion, anchor"), ("gate", "the steps"), ("reports", "for reviewers")],
        [("measurements", "what takes time"), ("rules", "the table of rules"), ("verdict", "findings to decision")],
        [("comparison", "paired intervals"), ("insights", "churn, importance"), ("evidence", "rows and scores")],
    ],
    "serve": [
        [("__main__", "options, ship, prune"), ("http", "granian, hot path, tokens")],
        [("routes", "HTTP API, status page"), ("app", "Flask application")],
        [("scoring", "rows to answers"), ("traffic", "split, shadow")],
        [("release", "bundle, follower"), ("journal", "lines, upload"), ("metrics", "Prometheus")],
    ],
    "monitoring": [
        [("__main__", "watch, experiment, answer, site")],
        [("run", "read, measure, decide, act")],
        [("incidents", "rules, issues, commands"), ("experiment", "who wins"), ("dashboard", "one page")],
        [("charts", "control limits"), ("metrics", "values of a day")],
        [("journal", "files to days, cached")],
    ],
    "forge": [
        [("__main__", "land, merge, rollback, sync, ...")],
        [("releases", "pure decisions"), ("bundles", "files, sync")],
        [("interface", "what a forge can do")],
        [("local", "a folder with git"), ("github", "the REST API")],
    ],
    "drill": [
        [("__main__", "make, judge, peers")],
        [("faults", "faults to inject"), ("clean_candidates", "no fault"), ("peers", "other tools")],
    ],
}


def picture(package: str, rows: Sequence[Sequence[Box]]) -> str:
    """An SVG of the *rows* of boxes; its title names the *package*."""
    height = len(rows) * ROW - (ROW - BOX_HEIGHT) + 2
    parts = []
    for place, row in enumerate(rows):
        width = (WIDTH - 2 - GAP * (len(row) - 1)) / len(row)
        top = 1 + place * ROW
        for column, (name, words) in enumerate(row):
            left, middle = 1 + column * (width + GAP), 1 + column * (width + GAP) + width / 2
            parts.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="6"/>')
            parts.append(f'<text x="{middle:.1f}" y="{top + 22}">{escape(name)}</text>')
            parts.append(f'<text class="small" x="{middle:.1f}" y="{top + 41}">{escape(words)}</text>')
        if place + 1 < len(rows):
            x, y, end = WIDTH / 2, top + BOX_HEIGHT + 4, top + ROW - 5
            parts.append(f'<path d="M{x} {y}V{end}m-5 -6l5 6l5 -6"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>Package {package}</title>\n<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Write every picture."""
    for package, rows in PACKAGES.items():
        (PICTURES / f"package-{package}.svg").write_text(picture(package, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
