"""`python -m model`: what is wrong is said in words, with an exit code, and nothing half-made is left."""

import json
import resource
import signal
import subprocess
import sys

import pytest
import yaml

from bundles.bundle import Bundle
from contracts.live_config import parse_live
from forge.local.folder_forge import LocalForge
from model.__main__ import FORGE, NO_MODEL, OK, USAGE, main
from model.proposals.card import card
from model.proposals.hugging_face import model_card

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"
DAY = ["--today", "2026-02-20"]


@pytest.fixture
def forge(tmp_path):
    return LocalForge(tmp_path / "forge")


@pytest.fixture
def retrain(forge, recipes):
    """What a person types, with the exit code."""
    return lambda *words: main(
        ["retrain", "--forge", str(forge.root), "--recipe", str(recipes / "buys.py"), *DAY, *map(str, words)]
    )


@pytest.fixture(scope="module")
def bundle(recipes, tmp_path_factory):
    """The bundle that `retrain` makes of this recipe on this day: tests of what comes after it train once."""
    out = tmp_path_factory.mktemp("made")
    assert main(["train", "--recipe", str(recipes / "buys.py"), *DAY, "--out", str(out)]) == OK
    (folder,) = out.iterdir()
    return folder


@pytest.fixture
def proposed(forge, bundle):
    """The forge with the bundle stored and proposed, as `retrain` leaves it."""
    assert main(["propose", "--bundle", str(bundle), "--forge", str(forge.root)]) == OK


def altered(recipes, tmp_path, more):
    """The small binary recipe, with *more* code at its end."""
    path = tmp_path / "altered.py"
    source = (recipes / "buys.py").read_text()
    path.write_text(source.replace("Path(__file__).parent", f"Path({str(recipes)!r})") + more)
    return path


def test_train_makes_a_bundle_in_a_folder(recipes, tmp_path, capsys):
    """And says where."""
    out = tmp_path / "my bundles"
    assert main(["train", "--recipe", str(recipes / "buys.py"), *DAY, "--out", str(out)]) == OK

    (folder,) = out.iterdir()
    assert Bundle.load(folder, evidence=True).contract.name == "buys"
    assert f"bundle: {folder}" in capsys.readouterr().out


def test_retrain_stores_a_candidate_and_opens_the_proposal(retrain, forge, capsys):
    """With a card that a reviewer reads."""
    assert retrain() == OK

    (release,), proposal = forge.releases(), forge.proposal("retrain")
    assert release.state == "candidate"
    assert parse_live(forge.read(LIVE, "retrain")).champion.digest == release.digest
    assert parse_live(forge.read(LIVE)).champion is None
    assert proposal.title == f"buys: model {release.version}"
    assert "model" in proposal.labels
    assert "trained on" in capsys.readouterr().out


def test_the_proposal_shows_the_remarks_on_the_data(retrain, forge, recipes, tmp_path):
    """Where the reviewer reads, and safe for Markdown; without any there is no heading."""
    more = (
        "\nwhole = load\ndef load(start, end):\n    rows = whole(start, end)\n"
        "    return rows.assign(at=rows['at'].dt.tz_localize(None), pages=2**24 + rows['pages'])\n"
    )
    assert retrain("--recipe", altered(recipes, tmp_path, more)) == OK

    body = forge.proposal("retrain").body
    assert body.index("on the holdout") < body.index("**Remarks on the data and the export**")
    assert "\n- pages: " in body
    assert "become equal to another one" in body
    assert "\n- at: the times have no zone and are read as UTC" in body
    assert '(rows&#91;"pages"&#93;.astype(str))' in body
    (release,) = forge.releases()
    made = forge.manifest(release.version)
    assert len(made["remarks"]) == 2
    for without in ({}, {"remarks": []}, {"remarks": None}, {"remarks": "text"}):
        old = {name: value for name, value in made.items() if name != "remarks"} | without
        assert "Remarks" not in card(old)
    assert "- &lt;b&gt;&#64;&#8203;all\n" in card(made | {"remarks": ["<b>@all"]})


def test_an_open_incident_and_the_proposal_name_each_other(bundle, forge):
    """Whoever finds one finds the other; a second night says it once."""
    for marker in ("watch:buys:drift", "watch:buys:over", "robot:nightly.yml"):
        forge.alert(marker, marker, "")
    forge.resolve("watch:buys:over", "")
    for _ in range(2):
        assert main(["propose", "--bundle", str(bundle), "--forge", str(forge.root)]) == OK

    (proposal,) = forge.proposals()
    assert proposal.body.endswith("\nOpen alerts at the time of training: alert 1.\n")
    (note,) = (forge.root / "comments").iterdir()
    assert f"proposal {proposal.number} ({proposal.title})" in note.read_text()


@pytest.mark.usefixtures("proposed")
def test_a_second_retrain_refreshes_the_one_proposal(retrain, forge):
    """A night later."""
    assert retrain("--today", "2026-02-25") == OK
    assert len(forge.proposals()) == 1


@pytest.mark.usefixtures("proposed")
def test_the_same_bytes_as_are_live_are_not_proposed(retrain, forge, capsys):
    """There is nothing to gain."""
    forge.status("retrain", True, "good")
    forge.merge("retrain", "first")
    capsys.readouterr()

    assert retrain() == OK
    assert "nothing to gain: the candidate has the same content as" in capsys.readouterr().out
    assert forge.proposal("retrain") is None


def test_no_new_data_is_no_reason_for_a_proposal(retrain, forge, recipes, tmp_path, capsys):
    """Another day, the same rows, recipe and libraries."""
    more = "\nwindow = lambda today, first=window: first(date(2026, 2, 20))\nfrom datetime import date\n"
    recipe = altered(recipes, tmp_path, more)
    retrain("--recipe", recipe)
    forge.status("retrain", True, "good")
    forge.merge("retrain", "first")
    recipe.write_text(recipe.read_text())
    capsys.readouterr()

    assert retrain("--recipe", recipe, "--today", "2026-02-21") == OK
    assert "nothing to gain" in capsys.readouterr().out
    assert forge.proposal("retrain") is None


@pytest.mark.usefixtures("proposed")
def test_the_same_bytes_are_proposed_once(retrain, forge, capsys):
    """A second run in one night stores no second candidate."""
    assert retrain() == OK

    assert len(forge.releases()) == 1
    assert "the same content is proposed already" in capsys.readouterr().out


def test_training_and_proposing_can_be_two_steps(forge, recipes, tmp_path, monkeypatch):
    """Between them a workflow attests the build; the bundle's folder is all that crosses."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    recipe = str(recipes / "buys.py")
    train = ["train", "--recipe", recipe, *DAY, "--out", str(tmp_path / "out")]
    assert main([*train, "--forge", str(forge.root)]) == OK
    said = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert said["gains"] == "true"
    assert said["public"] == "false"
    (tmp_path / "out/attestation.jsonl").write_text("{}\n")
    propose = ["propose", "--bundle", str(tmp_path / "out")]
    assert main([*propose, "--forge", str(forge.root)]) == OK

    (release,) = forge.releases()
    assert forge.proposal("retrain").title == f"buys: model {release.version}"
    assert (forge.root / "releases" / release.version / "attestation.jsonl").is_file()


def test_a_folder_that_is_no_bundle_is_not_proposed(forge, tmp_path, capsys):
    """With its name."""
    assert main(["propose", "--bundle", str(tmp_path), "--forge", str(forge.root)]) == NO_MODEL
    assert f"{tmp_path} is not a bundle, and holds 0 of them" in capsys.readouterr().err


@pytest.mark.usefixtures("proposed")
def test_bytes_that_were_rolled_back_do_not_come_back_unseen(retrain, forge, capsys):
    """Training gives the same digest: it is recognised under whatever name."""
    (release,) = forge.releases()
    forge.withdraw(release.version, "odd")
    forge.close("retrain", "odd")
    capsys.readouterr()

    assert retrain() == OK
    assert f"warning: the same content as {release.version}, which was rolled back" in (capsys.readouterr().out)


LOAD = "\n_load = load\ndef load(start, end):\n    rows = _load(start, end)\n    "
BAD = {
    "an empty window": (LOAD + "return rows[:0]", "load() returned no rows from"),
    "one class": (LOAD + "return rows.assign(bought='no')", "have no bought of yes: expected every class"),
    "a column gone": (LOAD + "return rows.drop(columns='pages')", "pages is missing"),
    "a column renamed": (
        LOAD + "return rows.rename(columns={'pages': 'pages_seen'})",
        "pages is missing; is it called 'pages_seen' now?",
    ),
    "a wrong type": (LOAD + "return rows.assign(pages='3')", "pages: expected a number of at least 0"),
    "a target that is missing": (
        LOAD + "rows.loc[:9, 'bought'] = None\n    return rows",
        "bought: expected one of 'no', 'yes', got nothing (10 rows",
    ),
    "rows out of the window": (
        LOAD + "return rows.assign(at=rows['at'] + timedelta(days=400))",
        "rows lie outside the window",
    ),
    "load raises": (LOAD + "raise RuntimeError('the warehouse is shut')", "the warehouse is shut"),
    "the module raises": ("\nraise RuntimeError('half an edit')\n", "half an edit"),
    "a syntax error": ("\ndef load(:\n", "altered.py"),
    "no frame": ("\ndef load(start, end):\n    return []\n", "expected a pandas DataFrame"),
    "an estimator that cannot be exported": (
        (
            "\nfrom sklearn.base import BaseEstimator, ClassifierMixin\n"
            "from sklearn.linear_model import LogisticRegression as _L\n"
            "class Own(_L):\n    pass\n"
            "_e = estimator\ndef estimator():\n    e = _e()\n    e.steps[-1] = ('own', Own())\n    return e\n"
        ),
        "Own",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_data_that_cannot_be_trained_on_is_refused_and_nothing_is_stored(
    retrain, forge, recipes, tmp_path, capsys, name
):
    """Exit code 5; the forge is as it was."""
    more, words = BAD[name]

    assert retrain("--recipe", altered(recipes, tmp_path, more)) == NO_MODEL
    printed = capsys.readouterr().err
    assert printed.startswith("error: no model was trained. ")
    assert words in printed
    assert "Traceback" not in printed
    assert forge.releases() == []
    assert forge.proposals() == []


def test_a_recipe_that_is_not_there_is_said(retrain, tmp_path, capsys):
    """With what to type."""
    assert retrain("--recipe", tmp_path / "gone.py") == NO_MODEL
    assert "gone.py" in capsys.readouterr().err


def test_a_graph_beyond_the_limit_is_refused_with_its_worst_row(retrain, root, recipes, tmp_path, capsys):
    """A limit of zero, which no sum in float32 keeps, shows what is printed."""
    text = (root / "checks/thresholds.toml").read_text().replace("parity = 1e-5", "parity = 0")
    (tmp_path / "rules.toml").write_text(text)

    recipe = recipes / "basket.py"
    assert retrain("--rules", tmp_path / "rules.toml", "--recipe", recipe) == NO_MODEL
    printed = capsys.readouterr().err
    assert "the ONNX model differs from the estimator by" in printed
    assert "allowed is 0 (thresholds.toml, export.parity)" in printed
    assert "country = " in printed


def test_a_mistake_in_the_rules_stops_it_before_it_trains(retrain, root, tmp_path, capsys):
    """Exit code 2."""
    text = (root / "checks/thresholds.toml").read_text().replace("parity", "paritty")
    (tmp_path / "rules.toml").write_text(text)

    assert retrain("--rules", tmp_path / "rules.toml") == USAGE
    printed = capsys.readouterr()
    assert "export.paritty is not a rule; did you mean" not in printed.out
    assert "paritty is not known; did you mean parity?" in printed.err
    assert "trained" not in printed.out


def test_a_live_file_that_is_broken_is_the_forges_matter(retrain, forge, capsys):
    """Exit code 6, with what is wrong in it."""
    forge.propose("edit", "edit", "", {LIVE: "[champian]\n"})
    forge.status("edit", True, "good")
    forge.merge("edit", "edit")

    assert retrain() == FORGE
    assert "[champian] is not a role" in capsys.readouterr().err


def no_room():
    # No file can grow beyond this: what a full disk does, for this process alone.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_leaves_nothing_that_looks_like_a_bundle(root, recipes, tmp_path):
    """And says that there was no room."""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "model", "train", "--recipe", str(recipes / "buys.py"), *DAY, "--out", str(out)],
        cwd=root,
        preexec_fn=no_room,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == NO_MODEL, done.stderr
    assert "error: no model was trained. " in done.stderr
    assert "File too large" in done.stderr
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_nothing_that_looks_like_a_bundle(root, recipes, tmp_path, number):
    """By Ctrl-C, or without a word."""
    out = tmp_path / "out"
    command = [sys.executable, "-u", "-m", "model", "train", "--recipe", str(recipes / "buys.py")]
    with subprocess.Popen(
        [*command, *DAY, "--out", str(out)], cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while "trained on" not in process.stdout.readline():
            pass
        process.send_signal(number)
        printed = process.communicate()[1]

    if number == signal.SIGINT:
        assert (process.returncode, printed) == (130, "error: interrupted; nothing incomplete is left\n")
    assert [path for path in out.glob("*") if not path.name.startswith(".unfinished-")] == []


def test_two_runs_at_once_are_both_right(root, recipes, forge):
    """One proposal, one candidate: the same data give the same bytes."""
    command = [sys.executable, "-m", "model", "retrain", "--recipe", str(recipes / "buys.py"), *DAY]
    both = [
        subprocess.Popen([*command, "--forge", str(forge.root)], cwd=root, stdout=subprocess.DEVNULL) for _ in range(2)
    ]

    assert [process.wait(120) for process in both] == [0, 0]
    assert len(forge.proposals()) == 1
    assert len({release.digest for release in forge.releases()}) == 1


def test_the_manifest_says_where_the_model_comes_from(bundle):
    """Data window and fingerprint, commit, libraries, metrics."""
    manifest = json.loads((bundle / "manifest.json").read_text())

    assert manifest["data"]["window"] == ["2026-01-11T00:00:00Z", "2026-02-20T00:00:00Z"]
    assert manifest["data"]["fingerprint"].startswith("sha256:")
    assert {"commit", "python", "libraries", "made_at"} <= manifest["build"].keys()
    assert {"scikit-learn", "skl2onnx", "onnxruntime"} <= manifest["build"]["libraries"].keys()
    assert manifest["metrics"]["holdout"]["roc_auc"] > 0.7
    assert manifest["classes"] == ["no", "yes"]


def test_the_model_card_can_be_read_by_hugging_face(bundle, capsys):
    """Metadata as YAML at the top, then the card; names with quotes and colons are texts."""
    assert main(["card", "--bundle", str(bundle)]) == OK
    start, metadata, body = capsys.readouterr().out.split("---\n", 2)
    found = yaml.safe_load(metadata)
    manifest = json.loads((bundle / "manifest.json").read_text())
    (model,) = found["model-index"]
    (result,) = model["results"]

    assert start == ""
    assert (found["library_name"], found["pipeline_tag"]) == ("onnx", "tabular-classification")
    assert model["name"] == "buys"
    assert result["task"] == {"type": "tabular-classification"}
    assert {each["name"]: each["value"] for each in result["metrics"]} == manifest["metrics"]["holdout"]
    assert body.startswith(f"\n# buys {manifest['version']}\n")
    odd = {**manifest, "contract": {**manifest["contract"], "name": 'a: "b" #'}}
    assert yaml.safe_load(model_card(odd).split("---\n")[1])["model-index"][0]["name"] == 'a: "b" #'
