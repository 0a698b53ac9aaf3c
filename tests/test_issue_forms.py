"""Issues that people open with a form are not taken for the robots' alerts."""

from pathlib import Path

import pytest
import yaml

from forge.github.robot_issues import LABEL, recognise

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github/ISSUE_TEMPLATE"
FORMS = sorted(set(FOLDER.glob("*.yml")) - {FOLDER / "config.yml"})
ROBOT = {"type": "Bot", "login": "github-actions[bot]"}
PERSON = {"type": "User", "login": "dana"}


def issue(form, user):
    """As GitHub makes it of a form: a heading for each field, and below it the answer."""
    fields = [field["attributes"]["label"] for field in form["body"] if field["type"] != "markdown"]
    return {
        "number": 7,
        "title": form.get("title", "") + "The watch does not start",
        "body": "\n\n".join(f"### {field}\n\n`make watch` ends with 1" for field in fields),
        "labels": [{"name": name} for name in form["labels"]],
        "user": user,
        "author_association": "OWNER",
        "state": "open",
    }


@pytest.mark.parametrize("user", [ROBOT, PERSON], ids=["a robot", "ourselves"])
@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_from_a_form_is_no_alert(path, user):
    """Whoever opens it: its label, its title and its text are not those of an alert."""
    form = yaml.safe_load(path.read_text())

    assert LABEL not in form["labels"]
    assert recognise([issue(form, user)], lambda: PERSON["login"]) == []


def test_there_are_forms_for_a_bug_and_a_question():
    """Each asks for what is needed, in fields with a name of their own."""
    assert [path.stem for path in FORMS] == ["bug", "question"]
    for path in FORMS:
        fields = yaml.safe_load(path.read_text())["body"]
        assert len({field["id"] for field in fields}) == len(fields)
        assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_template_of_a_proposal_has_no_hidden_line():
    """Its comment is for the person who writes."""
    assert "tidegate:" not in (ROOT / ".github/pull_request_template.md").read_text()
