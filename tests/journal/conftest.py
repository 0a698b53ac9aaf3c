"""A journal with closed segments, and a server of S3 on this machine."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from archive.closed_segments import segments

ROOT = Path(__file__).parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "a journal"


@pytest.fixture
def put(journal):
    """Puts lines into a segment that is closed; what is no object is put as it is."""
    journal.mkdir(exist_ok=True)
    count = 0

    def write(lines, kind="answers", day="20260301"):
        nonlocal count
        count += 1
        path = journal / f"{kind}-{day}T12{count:010}-{count:08x}.jsonl"
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        path.write_bytes(b"".join(text + b"\n" for text in texts))
        return path

    return write


@pytest.fixture
def answer():
    """A line as the scorer writes it."""

    def make(n, day="2026-03-01", **more):
        return {
            "id": f"i{n}",
            "at": f"{day}T12:00:00.{n:06}Z",
            "version": "20260220T0317-0000000",
            "arm": "champion",
            "key": f"k{n}",
            "time": f"{day}T11:00:00Z",
            "row": {"country": "AT", "returning": True, "age": 41.0, "pages": n},
            "score": 0.25,
        } | more

    return make


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """Address of a server of S3 in its own process."""
    own = ROOT / ".venv/s3/bin/moto_server"
    command = str(own) if own.exists() else shutil.which("moto_server")
    if not command:
        pytest.skip("there is no server of S3: type make .venv/s3/installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed here: type make .venv/work/installed")
    log = tmp_path_factory.mktemp("s3") / "log"
    words = [command, "-H", "127.0.0.1", "-p", "0"]
    with log.open("w") as output, subprocess.Popen(words, stdout=output, stderr=output) as process:
        try:
            end = time.monotonic() + 60
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, "waited in vain"
                time.sleep(0.05)
            yield found.group()
        finally:
            process.terminate()


@pytest.fixture
def bucket(s3_server, monkeypatch, tmp_path):
    """The URL of a new bucket; this process, and what it starts, find the server."""
    import fsspec

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # of a test that had other keys
    name = "b-" + re.sub(r"[^a-z0-9]", "-", tmp_path.name.lower())[-50:]
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def waiting(journal):
    return lambda: [path.name for path in segments(journal)]
