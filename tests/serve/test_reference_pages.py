"""The reference page of the journal says which fields the scorer writes."""

import re

import msgspec
import pytest

from serve.journal.service_counts import Service
from serve.metrics.scorer_metrics import Served
from serve.scoring.answer_lines import RESPONSES, Answer


@pytest.fixture
def fields(root):
    """The fields that the page has below a heading."""

    def found(heading):
        text = (root / "docs/reference/journal.md").read_text()
        section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    return found


#: Fields of a traffic split, and of a correction.
ABSENT = ("salt", "share", "split", "plain", "correction")


def test_an_answers_line_has_the_fields_of_the_page(client, row, kept, fields):
    """In their order; those of a split, of a correction and the trace where they apply."""
    client.post("/score", json=row, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    (line,) = kept("answers")

    assert fields("Answers") == [*Answer.__struct_fields__]
    assert [*line] == [name for name in fields("Answers") if name not in ABSENT]


def test_an_outcomes_line_has_the_fields_of_the_page(client, kept, fields):
    """And no others."""
    client.post("/outcome", json={"id": "a", "outcome": "yes"})
    (line,) = kept("outcomes")

    assert line.keys() == set(fields("Outcomes"))


def test_a_line_of_counts_has_the_fields_of_the_page(clock, fields):
    """And no others."""
    held, lines = Served({}, [0.0]), []
    service = Service(lambda: held, lambda line: not lines.append(line), lambda: "v1", clock)
    held = Served({("/score", "200"): 1.0}, [1.0])
    clock.pass_by(minutes=6)
    service.write()

    assert lines[0].keys() == set(fields("Service"))


def test_an_answer_has_the_fields_of_its_task(root):
    """As the page of the HTTP API lists them."""
    text = (root / "docs/reference/http-api.md").read_text()

    for task, answer in RESPONSES.items():
        (cell,) = re.findall(rf"^\| {task} \| (.*) \|$", text, re.MULTILINE)
        assert re.findall(r"`(\w+)`", cell) == [each.name for each in msgspec.structs.fields(answer)]
