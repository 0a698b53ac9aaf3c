"""A machine whose Python came without pip gets one from the index, and just the one that is locked."""

import hashlib
import importlib.util
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHEEL = b"a wheel"


@pytest.fixture
def bring_pip():
    spec = importlib.util.spec_from_file_location("bring_pip", ROOT / "requirements/bring_pip.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path):
    """A package index on this machine with one pip, behind a relative link, as indexes have it."""
    (tmp_path / "simple/pip").mkdir(parents=True)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/pip-26.3-py3-none-any.whl").write_bytes(WHEEL)
    (tmp_path / "simple/pip/index.html").write_text(
        '<a href="../../files/pip-9.0-py3-none-any.whl">old</a>'
        '<a href="../../files/pip-26.3-py3-none-any.whl#sha256=0&amp;x">pip</a>'
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


def lock(content=WHEEL, version="26.3"):
    other, ours = "0" * 64, hashlib.sha256(content).hexdigest()
    return f"mypy==1 \\\n    --hash=sha256:{ours}\npip=={version} \\\n    --hash=sha256:{other} \\\n    --hash=sha256:{ours}\nuv==1\n"


def test_the_locked_pip_is_fetched(bring_pip, index, tmp_path):
    """By its name and its digest."""
    path = bring_pip.fetch(tmp_path, lock(), index)

    assert path == tmp_path / "pip-26.3-py3-none-any.whl"
    assert path.read_bytes() == WHEEL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lock(b"another wheel"), "is not the file that tools.txt names by its digest"),
        (lock(version="99"), "the package index has no pip-99-py3-none-any.whl"),
        ("uv==1\n", "tools.txt does not say which pip"),
    ],
)
def test_no_other_is(bring_pip, index, tmp_path, text, words):
    """And nothing is left behind."""
    with pytest.raises(ValueError, match=words):
        bring_pip.fetch(tmp_path / "out", text, index)
    assert not (tmp_path / "out").exists()


def test_the_lock_of_the_repository_names_one(bring_pip, index, tmp_path):
    """The index here has another, so it gets as far as the name or the digest."""
    with pytest.raises(ValueError, match="has no pip-|by its digest"):
        bring_pip.fetch(tmp_path, bring_pip.LOCK.read_text(), index)


def test_the_index_is_the_one_that_pip_would_use(bring_pip, monkeypatch):
    """The environment comes first."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")

    assert bring_pip.index() == "http://127.0.0.1:1/simple/"
