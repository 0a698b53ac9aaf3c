"""What is done with a closed journal, beside serving: `python -m serve ship` and `prune`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

#: A command's word -> the module whose `main` it is; loaded when it is asked for.
COMMANDS = {"ship": "serve.ship", "prune": "serve.retention"}
#: What the scorer's environment does without, and a command may need.
ELSEWHERE = {"fsspec", "pyarrow"}
USAGE = 2


def run(words: Sequence[str]) -> int | None:
    """The exit code of the command that *words* begin with; None if they are for the server."""
    if not words or words[0] not in COMMANDS:
        return None
    try:
        module = importlib.import_module(COMMANDS[words[0]])
    except ModuleNotFoundError as error:
        if error.name not in ELSEWHERE:
            raise
        print(
            f"error: {words[0]} needs {error.name}, which the scorer's environment does without;"
            f" type .venv/work/bin/python -m serve {words[0]}",
            file=sys.stderr,
        )
        return USAGE
    code: int = module.main(words[1:])
    return code
