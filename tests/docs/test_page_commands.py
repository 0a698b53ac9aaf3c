"""Each command on a page fits the Makefile's targets and variables, or the arguments of its package."""

import json
import re
import shlex
from pathlib import Path

import pytest

from docs.generate.work_environment import parsers
from tests.docs.shell_commands import commands_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / ".github/CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = {name for line in re.findall(r"^([a-z][a-z -]*):", MAKEFILE, re.MULTILINE) for name in line.split()}
#: What the Makefile reads, and what programs that it starts read.
VARIABLES = {*re.findall(r"\b[A-Z]{2,}\b", MAKEFILE), "GITHUB_TOKEN", "NOTIFY_URL", "PYTHONPATH"}
PARSERS = {parser.prog.split()[-1]: parser for parser in parsers()}
COMMANDS = dict.fromkeys(
    (page.relative_to(ROOT).as_posix(), command) for page in PAGES for command in commands_of(page.read_text())
)


def problems(command):
    """What is wrong with *command*."""
    words = shlex.split(command)
    variables = [words.pop(0).partition("=")[0] for word in [*words] if re.match(r"[A-Z_]+=", words[0])]
    unknown = [name for name in variables if name not in VARIABLES]
    if words[0] == "make":
        given = [word.partition("=")[0] for word in words[1:] if "=" in word]
        unknown += [name for name in given if name not in VARIABLES]
        unknown += [word for word in words[1:] if "=" not in word and word not in TARGETS]
    elif found := re.fullmatch(r"\.venv/(\w+)/bin/python -m (\w+)", " ".join(words[:3])):
        environment, package = found.groups()
        unknown += [] if (ROOT / f"requirements/{environment}.txt").is_file() else [environment]
        try:
            PARSERS[package].parse_args(words[3:])
        except (KeyError, SystemExit) as error:
            unknown.append(f"{package}: {error!r}")
    elif words[0] == "requirements/install.sh":
        unknown += [name for name in words[1:] if not (ROOT / f"requirements/{name}.txt").is_file()]
    elif words[0] == "git":
        unknown += [] if words[1] in {"clone", "commit", "config", "remote", "switch"} else [words[1]]
    elif words[0] == "curl":
        json.loads(words[words.index("-d") + 1])
    else:
        unknown.append(words[0])
    return unknown


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: value[:60])
def test_a_command_on_a_page_can_be_typed(page, command):
    """Its target or its arguments are there."""
    assert problems(command) == [], page


@pytest.mark.parametrize(
    "command",
    [
        "make no-such-target",
        "make watch NOSUCHVARIABLE=1",
        "NO_SUCH_VARIABLE=1 make watch",
        ".venv/work/bin/python -m forge rollback --no-such-option --reason why",
        ".venv/work/bin/python -m forge rollback",
        ".venv/nowhere/bin/python -m forge status",
        "requirements/install.sh nothing",
        "tidegate retrain",
    ],
)
def test_a_command_that_cannot_be_typed_is_found(command):
    """Whatever part of it is wrong."""
    assert problems(command) != []


def test_commands_are_read_from_blocks_and_sentences():
    """A comment is not typed, and neither is text in a block without `sh`."""
    page = "Type `TODAY=2026-03-01 make watch`.\n```sh\nmake demo   # it\n\ncd there\n```\n```text\nno\n```\n```sh\ncurl -s a \\\n  -d '{}'\n```\n"

    assert commands_of(page) == ["make demo", "cd there", "curl -s a \\\n  -d '{}'", "TODAY=2026-03-01 make watch"]
