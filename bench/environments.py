"""Temporary environments for the peers, in a folder that `make clean` removes."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from bench.scorer.benchmark_model import ROOT

UV, TOOLS = ROOT / ".venv/tools/bin/uv", ROOT / ".venv/tools/bin/python"
#: The pickled pipeline needs the same versions; the graph is run by the scorer's version of ONNX Runtime.
SHARED = ("scikit-learn", "numpy", "onnxruntime")
MAX_SECONDS = 300
#: Two servers may need one environment at the same time.
_ONE_AT_A_TIME = threading.Lock()


class InstallError(Exception):
    """An environment cannot be made. The message says why."""


def install(folder: Path, packages: Sequence[str], python: Path) -> Path:
    """The Python of an environment in *folder* with *packages*, which is created if needed."""
    with _ONE_AT_A_TIME:
        return _install(folder, packages, python)


def _install(folder: Path, packages: Sequence[str], python: Path) -> Path:
    wanted = "\n".join(name.format_map(_versions(python)) for name in packages) + "\n"
    stamp, own = folder / "installed", folder / "bin/python"
    if stamp.is_file() and stamp.read_text() == wanted:
        return own
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **_index()}
    for command in (
        [UV, "venv", "--quiet", "--clear", "--python", python, folder],
        [UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", own, *wanted.split()],
    ):
        try:
            done = subprocess.run(
                [str(word) for word in command],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=MAX_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InstallError(f"{type(error).__name__}: {str(error)[-300:]}") from error
        if done.returncode:
            raise InstallError(done.stderr.strip()[-300:])
    stamp.write_text(wanted)
    return own


def versions_in(python: Path, names: Sequence[str]) -> dict[str, str]:
    """The installed versions of *names* in the environment of *python*."""
    script = (
        "import sys\nfrom importlib.metadata import PackageNotFoundError, version\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, version(name))\n"
        "    except PackageNotFoundError: pass\n"
    )
    done = subprocess.run([str(python), "-c", script, *names], check=True, capture_output=True, text=True)
    return {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}


def _versions(python: Path) -> dict[str, str]:
    return versions_in(python, SHARED)


def _index() -> dict[str, str]:
    """uv does not read pip's settings: pass the index of pip's configuration on."""
    if os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL"):
        return {}
    index = os.environ.get("PIP_INDEX_URL")
    if not index:
        done = subprocess.run(
            [str(TOOLS), "-m", "pip", "config", "get", "global.index-url"], check=False, capture_output=True, text=True
        )
        index = done.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index else {}
