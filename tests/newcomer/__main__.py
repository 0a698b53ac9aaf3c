"""Play a newcomer: for each table a clone, a recipe by `init`, a check, a first model, and an answer of the scorer.

    python -m tests.newcomer [--folder build/newcomer] [--seed 7] [--only repairs]

The commands are those of docs/tutorials/your-own-table.md, and the one that `init` prints. What is committed is tried.
The environments are those of this checkout, since a package index is no part of the question.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.newcomer.unseen_tables import CASES, Case

ROOT = Path(__file__).parents[2]
#: What `init` names as the next commands.
CHECK, NEXT = "after a change: ", "next: "


class StumbledError(Exception):
    """A command did something else than a newcomer expects. The message has its output."""


class Newcomer:
    """Types commands in the folder of a *clone*, and counts them."""

    def __init__(self, clone: Path) -> None:
        self.clone, self.commands = clone, 0
        self.lines: list[str] = []
        self.environment = {name: value for name, value in os.environ.items() if name not in ("RECIPE", "FORGE")}

    def type(self, command: str, seconds: float = 300) -> str:
        """What the *command* prints. Raises `StumbledError` if it fails, or takes longer than *seconds*."""
        self._note(command)
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise StumbledError(f"exit code {done.returncode} of {command}\n{done.stdout}")
        self.lines.append(f"    {time.monotonic() - began:.0f} s")
        return done.stdout

    def play(self, case: Case) -> None:
        """From the table to the answer for a typical row. Raises `StumbledError`."""
        said = self.type(f".venv/work/bin/python -m model init {shlex.join(case.words)}")
        if "--sql" in case.words:
            self.environment["DATABASE_URL"] = case.words[case.words.index("--sql") + 1]
        self.type(_line(said, CHECK))
        if case.is_recipe_alone:
            return
        self.type(_line(said, NEXT))
        with self.serving() as address:
            described = _json(address + "/openapi.json")
            row = described["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["example"]
            self._note(f"curl {address}/score --json {shlex.quote(json.dumps(row, ensure_ascii=False))}")
            answer = _json(address + "/score", row)
        self.lines.append(f"    {json.dumps(answer, ensure_ascii=False)}")
        if "score" not in answer and "scores" not in answer:
            raise StumbledError(f"the answer has no score: {answer}")

    def _note(self, command: str) -> None:
        self.commands += 1
        self.lines.append(f"  $ {command}")

    @contextmanager
    def serving(self) -> Iterator[str]:
        """`make serve`, up to the end of the block: the scorer's address, once a model answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._note(f"make serve PORT={port}")
        with (self.clone / "build/serve.log").open("w") as log:
            server = subprocess.Popen(
                ["make", "serve", f"PORT={port}"],
                cwd=self.clone,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield _ready(f"http://127.0.0.1:{port}", self.clone / "build/serve.log")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def cloned(folder: Path) -> Path:
    """A clone of this checkout in *folder*, with its environments."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
    for each in (folder / "requirements").iterdir():
        os.utime(each, (0, 0))  # the environments are not older than what they are made of
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / "build").mkdir(exist_ok=True)
    return folder


def main() -> int:
    """Play each table, two at a time; returns 1 if a newcomer stumbles."""
    parser = argparse.ArgumentParser("python -m tests.newcomer", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/newcomer"), help="where the clones are made")
    parser.add_argument("--seed", type=int, default=7, help="of the tables' values")
    parser.add_argument("--only", default="", help="one table by name")
    args = parser.parse_args()
    chosen = [make for make in CASES if args.only in ("", make.__name__)]
    with ThreadPoolExecutor(2) as pool:
        ended = [*pool.map(lambda make: tried(make, args.folder.resolve() / make.__name__, args.seed), chosen)]
    print("\n" + "\n".join(line for line, _ in ended))
    return 0 if ended and all(well for _, well in ended) else 1


def tried(make: Callable[[Path, int], Case], folder: Path, seed: int) -> tuple[str, bool]:
    """What a newcomer with the table of *make* needs, in a line, and whether there is an answer in the end."""
    case = make(cloned(folder), seed)
    newcomer, began = Newcomer(folder), time.monotonic()
    trouble = ""
    try:
        newcomer.play(case)
    except (StumbledError, subprocess.TimeoutExpired, OSError) as error:
        trouble = f"; error: {error}"
    minutes = f"{make.__name__}: {(time.monotonic() - began) / 60:.1f} minutes, {newcomer.commands} commands{trouble}"
    print("\n".join(["", f"{make.__name__}: {case.what}", *newcomer.lines]), flush=True)
    return minutes, not trouble


def _line(said: str, begins: str) -> str:
    """The command in the line of *said* that *begins* so; a database's URL is in the environment already."""
    found = [line.removeprefix(begins) for line in said.splitlines() if line.startswith(begins)]
    if len(found) != 1:
        raise StumbledError(f"init names no command after {begins!r}:\n{said}")
    return found[0].removeprefix("DATABASE_URL=... ")


def _ready(address: str, log: Path) -> str:
    for _ in range(600):
        try:
            if _json(address + "/ready").get("version"):
                return address
        except OSError:
            time.sleep(0.1)
    raise StumbledError(f"no model answers at {address}:\n{log.read_text()}")


def _json(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data, {"Content-Type": "application/json"})) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
