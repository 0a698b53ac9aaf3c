"""The image and the manifests: checked by linters, and by running what the image would hold."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bench.peers.server_process import Server, free_port
from forge.command_line import parser
from serve.settings import read_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "serve/Dockerfile"
#: The Dockerfile's stages: what is installed, what ships the journal, a sync that verifies, the scorer.
STAGES = (1, 2, 3, 4)
SHIP, SYNC = 2, 3
MANIFESTS = sorted((ROOT / "serve/kubernetes").glob("*.yaml"))
TOOLS = f"{ROOT / '.venv/extra/bin'}:{os.environ['PATH']}"


def tool(name):
    """The path of a linter; the test is skipped without it."""
    found = shutil.which(name, path=TOOLS)
    if not found:
        pytest.skip(f"{name} is not installed; type: make extra")
    return found


def instructions(word, stage=-1):
    """What follows *word* in a stage of the Dockerfile, the scorer's by default."""
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return re.findall(rf"^(?:    )?{word} (.+)", stages[stage].replace("\\\n", ""), re.MULTILINE)


def copied(stage=-1):
    """What the image takes from the checkout: (sources, target)."""
    words = [line.split() for line in instructions("COPY", stage) if not line.startswith("--from")]
    return [(line[:-1], line[-1]) for line in words]


@pytest.fixture
def image(tmp_path):
    """The image's /app, laid out as the Dockerfile says."""
    for sources, target in copied():
        for source in sources:
            path, place = ROOT / source, tmp_path / "app" / target
            if path.is_dir():
                shutil.copytree(path, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)
    return tmp_path / "app"


def test_the_dockerfile_has_nothing_that_a_linter_minds():
    """hadolint, with all its rules."""
    done = subprocess.run([tool("hadolint"), DOCKERFILE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_what_kubernetes_describes(manifest):
    """By the schemas of the API, and no property beside them."""
    command = [tool("kubernetes-validate"), "--strict", manifest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_runs_as_nobody_in_particular():
    """By number, so that Kubernetes sees that it is not root."""
    (user,) = instructions("USER")

    assert instructions("USER", SHIP) == instructions("USER", SYNC) == [user]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert "runAsUser: " + user.split(":")[0] in (ROOT / "serve/kubernetes/deployment.yaml").read_text()


def test_the_image_installs_by_hash():
    """From the scorer's own lock."""
    text = DOCKERFILE.read_text()

    assert "--require-hashes -r /serve.txt" in text
    assert "COPY requirements/serve.txt /serve.txt" in text
    assert "--require-hashes -r /ship.txt" in text
    assert "COPY requirements/ship.txt /ship.txt" in text
    assert "--require-hashes -r /verify.txt" in text
    assert "COPY requirements/verify.txt /verify.txt" in text


def test_the_image_of_a_sync_that_verifies_demands_signatures():
    """It holds what the scorer's image does without: the libraries, and bundles are verified with its own Python."""
    (variables,) = instructions("ENV", SYNC)
    (command,) = instructions("CMD", SYNC)
    held = {source for sources, _ in copied(SYNC) for source in sources}
    words = json.loads(command)

    assert "TIDEGATE_VERIFY=on" in variables
    assert (words[0], parser("").parse_args(words[1:]).command) == ("forge", "sync")
    assert {"bundles", "contracts", "forge", "provenance"} <= held


def test_what_the_image_takes_is_let_through_by_dockerignore():
    """It lists what is let in, so a new file of ours must be named there."""
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}

    for stage in STAGES:
        for sources, _ in copied(stage):
            for source in sources:
                assert source in let_in


def test_the_image_holds_every_module_that_the_scorer_imports(image):
    """Of the other packages it takes `bundles`, `contracts` and `forge`."""
    for path in [path for package in ("bundles", "contracts", "serve") for path in (image / package).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in (
                "bundles",
                "contracts",
                "model",
                "serve",
            ):
                place = image / (node.module.replace(".", "/"))
                assert place.is_dir() or place.with_suffix(".py").is_file(), f"{path}: {node.module}"


def test_what_the_image_holds_runs_on_a_read_only_root(image, store, journal, bundles, tmp_path):
    """Its command and its health check, with nothing else of the checkout to import."""
    store.serve(bundles[0])
    port = free_port()
    places = {"/store": store.folder, "/journal": journal, "0.0.0.0": "127.0.0.1", "8000": port}
    (command,) = instructions("CMD")[-1:]
    words = [places.get(word, word) for word in json.loads(command)]
    (check,) = re.findall(r'"(import urllib.+?)"\]', DOCKERFILE.read_text())
    for folder in (image, *image.rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    environment = {"PYTHONPATH": str(image), "PYTHONDONTWRITEBYTECODE": "1"}
    server = Server([sys.executable, "-m", *words], image, tmp_path / "log", environment)
    try:
        server.wait(port, "/ready", None)
        done = subprocess.run([sys.executable, "-c", check.replace("8000", str(port))], check=False)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready") as answer:
            ready = json.load(answer)
    finally:
        server.stop()
        for folder in (image, *image.rglob("*")):
            folder.chmod(0o755)

    assert done.returncode == 0
    assert ready["version"] == bundles[0].name


def test_the_deployment_starts_the_scorer_with_settings_that_there_are():
    """Words and variables; a wrong one would be found out by a container that does not start."""
    text = (ROOT / "serve/kubernetes/deployment.yaml").read_text()
    (words,) = re.findall(r"args: \[serve, (--.+)\]", text)
    named = dict(re.findall(r'- name: (TIDEGATE_\w+)\n +value: "(.+)"', text))
    arguments = [word.strip('"') for word in words.split(", ")]
    found = read_settings(arguments, named)

    assert (str(found.store), str(found.journal), found.host) == ("/store", "/journal", "0.0.0.0")
    assert found.drain + found.stop_within < int(re.findall(r"terminationGracePeriodSeconds: (\d+)", text)[0])


def test_what_is_deployed_ships_and_prunes_the_journal():
    """Of the scorer's volume; the scorer's segments close long before the pod must end."""
    text = (ROOT / "serve/kubernetes/deployment.yaml").read_text()
    (words,) = re.findall(r"args: \[archive, ship, (.+)\]", text)
    flags = [word.strip('"') for word in words.split(", ")]
    asked = dict(zip(flags[::2], flags[1::2], strict=True))

    assert asked == {"--journal": "/journal", "--to": "s3://BUCKET/journal", "--every": "60", "--days": "1"}
    (sidecar,) = re.findall(r"- name: ship\n(.+?)\n      containers:", text, re.DOTALL)
    for promise in ("restartPolicy: Always", "mountPath: /journal", "limits:", "*locked"):
        assert promise in sidecar
    assert not {"flask", "granian"} & {
        line.partition("==")[0] for line in (ROOT / "requirements/ship.txt").read_text().splitlines()
    }


def test_the_sync_runs_from_the_image(image):
    """With what is installed for the scorer, and the forge beside it."""
    text = (ROOT / "serve/kubernetes/deployment.yaml").read_text()
    (words,) = re.findall(r"args: \[forge, (.+)\]", text)
    asked = parser("").parse_args([word.strip('"') for word in words.split(", ")])
    done = subprocess.run(
        [sys.executable, "-m", "forge", "sync", "--help"],
        cwd=image,
        check=False,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(image)},
    )

    assert (asked.command, str(asked.store), asked.every) == ("sync", "/store", 30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "promise",
    [
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "drop: [ALL]",
        "type: RuntimeDefault",
        "automountServiceAccountToken: false",
        "path: /ready",
        "path: /health",
        "restartPolicy: Always",
        "enableServiceLinks: false",
    ],
)
def test_the_deployment_is_locked_up_and_probed(promise):
    """The schema allows less, so it is said here."""
    assert promise in (ROOT / "serve/kubernetes/deployment.yaml").read_text()
