"""What is due by the clock, in seconds and with the standard library alone.

python3 -m forge.clock        print it; in a workflow, write the step's outputs

The workflow monitor asks every two hours. Each job that it starts costs a private repository a minute or more.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forge.clock.due import due, found, outputs
from forge.closed_pipes import ignore_closed_pipes


def main() -> int:
    """Print what is due, and write the step's outputs. A run by hand wants every job that may do something."""
    if os.environ.get("GITHUB_EVENT_NAME") == "schedule":
        now = datetime.now(UTC)
        names = due(now, found(_github, now, _live(), os.environ))
    else:
        names = ["answer", "robots", "drill", *(["watch", "experiment"] if os.environ.get("JOURNAL") else [])]
    print(f"due: {', '.join(names) or 'nothing'}")
    if "GITHUB_OUTPUT" in os.environ:
        with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
            file.write(outputs(names))
    return 0


def _live() -> Mapping[str, Any]:
    """What live.toml says; if it cannot be read, that there is a challenger."""
    try:
        return tomllib.loads(Path("serve/live.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"::warning::serve/live.toml could not be read, so what depends on it is due: {error}")
        return {"challenger": {}}


def _github(path: str) -> Any:
    address = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    head = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=head), timeout=30) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
