"""A command whose output is no longer read goes on to its end, without an error."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: What people run: each package's command line, and modules with options.
COMMANDS = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ROOT.glob("*/__init__.py")
    for path in package.parent.rglob("*.py")
    if path.name == "__main__.py"
    or all(part in path.read_text() for part in ('if __name__ == "__main__":', "argparse.ArgumentParser("))
)


def run(python, words, closed=("stdout",)):
    """The exit code and standard error of a command whose streams *closed* have no reader."""
    read, write = os.pipe()
    os.close(read)
    streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | dict.fromkeys(closed, write)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, *words], cwd=ROOT, env=environment, **streams, check=False)
    os.close(write)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("environment", "words", "code"),
    [
        ("work", ["-m", "forge", "--help"], 0),
        ("work", ["-m", "forge", "status", "--forge", "no/such/folder"], 0),
        ("work", ["-m", "model", "feature", "--help"], 0),
        ("work", ["-m", "monitoring", "--help"], 0),
        ("work", ["-m", "drill", "--help"], 0),
        ("checks", ["-m", "checks", "--help"], 0),
        ("serve", ["-m", "serve", "--help"], 0),
    ],
)
def test_a_command_into_a_closed_pipe_ends_quietly(environment, words, code, tmp_path):
    """With its own exit code: `make status | head` fails otherwise."""
    words = [str(tmp_path) if word == "no/such/folder" else word for word in words]

    assert run(ROOT / f".venv/{environment}/bin/python", words) == (code, b"")


def test_an_error_that_cannot_be_printed_has_its_exit_code():
    """Standard error is a pipe as well."""
    words = ["-m", "model", "feature", "drop", "x", "--recipe", "no/such/recipe.py"]

    assert run(ROOT / ".venv/work/bin/python", words, closed=("stdout", "stderr"))[0] == 5


@pytest.mark.parametrize("buffering", [["-u"], []])
def test_what_comes_after_the_first_lost_line_is_done_all_the_same(buffering, tmp_path):
    """A landing must not stop half-way; and the interpreter's last flush raises nothing."""
    lines = [
        "from forge.closed_pipes import ignore_closed_pipes",
        "ignore_closed_pipes()",
        "for _ in range(3): print('é' * 100_000, flush=True)",
        f"open({str(tmp_path / 'done')!r}, 'w').write('done')",
        "print('not flushed')",
    ]

    assert run(sys.executable, [*buffering, "-c", "\n".join(lines)]) == (0, b"")
    assert (tmp_path / "done").read_text() == "done"


def test_what_is_read_arrives_as_it_was_printed():
    """In the stream's own encoding."""
    code = "from forge.closed_pipes import ignore_closed_pipes as i; i(); print('é'); i(); print('end')"
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)

    assert done.stdout.decode("latin-1") == "é\nend\n"


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_line_begins_with_it(module):
    """Before anything is printed."""
    tree = ast.parse((ROOT / module).read_text())
    blocks = [each for each in tree.body if isinstance(each, ast.If) and "__main__" in ast.unparse(each.test)]

    assert ast.unparse(blocks[0].body[0]) == "ignore_closed_pipes()"
