"""A scorer as it runs, for the clients that people use.

The tests run in the environment `clients` (make test-clients). A client that is not installed skips
its tests, by name; with CLIENTS=required, as in .ci/run, it fails them.
"""

import json
import os
import shutil
import subprocess
import time
import warnings
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVE = ROOT / ".venv/serve/bin/python"
BUNDLE = min((ROOT / "tests/bundles/format-1/binary").iterdir())


def missing(name):
    if os.environ.get("CLIENTS") == "required":
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
def module():
    """The module of a name, or a skipped test."""

    def find(name):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what others warn of in their own code
                return import_module(name)
        except ImportError:
            return missing(name)

    return find


@pytest.fixture(scope="session")
def run():
    """Runs a command of a name, with what it writes; or a skipped test."""

    def start(name, *words, content=b""):
        path = shutil.which(name) or missing(name)
        done = subprocess.run([path, *map(str, words)], input=content, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return start


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where a scorer answers with the bundle of the binary recipe: http://127.0.0.1:PORT."""
    if not SERVE.exists():
        missing("the environment serve")
    folder = tmp_path_factory.mktemp("scorer")
    shutil.copytree(BUNDLE, folder / "store/bundles" / BUNDLE.name)
    digest = json.loads((BUNDLE / "manifest.json").read_text())["digest"]
    live = f'[champion]\nversion = "{BUNDLE.name}"\ndigest = "{digest}"\n'
    (folder / "store/live.toml").write_text(live)
    ready, log = folder / "address", folder / "log"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                SERVE,
                "-m",
                "serve",
                "--store",
                folder / "store",
                "--journal",
                folder / "journal",
                "--port",
                "0",
                "--ready-file",
                ready,
            ],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            end = time.monotonic() + 60
            while not ready.is_file():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield ready.read_text().strip()
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def row():
    """A visit that fits the contract, its features in the contract's order."""
    return {"country": "AT", "campaign": "search", "device": "phone", "returning": True, "age": 41.0, "pages": 3.0}


@pytest.fixture(scope="session")
def scores(address, module):
    """The scores of rows, by a plain request for `/score`."""

    def ask(rows):
        answer = module("requests").post(f"{address}/score", json=rows, timeout=30)
        assert answer.status_code == 200, answer.text
        return [one["score"] for one in answer.json()]

    return ask
