"""Hidden lines of a report: what is recorded is read back, whatever a person did to the others."""

import pytest

from reporting.hidden_lines import hidden_line, recorded_values


@pytest.mark.parametrize("value", ["", "--> <b>", "<!-- kept {} -->", "é\n{}", [1, {"a": None}]])
def test_what_is_recorded_is_read_back(value):
    """On a line that nothing in the value ends, below and above others."""
    line = hidden_line("kept", {"value": value})
    notes = [f"words\n\n{line}\n<!-- other {{}} -->\n", f"{line}\r\n{line}"]

    assert recorded_values("kept", notes, lambda fields: fields["value"]) == [value] * 3
    assert line.count("-->") == len(line.splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    [
        "<!-- kept {} -->",
        "<!-- kept {broken} -->",
        "<!-- kept [1] -->",
        '<!-- kept {"value": 1} -->',
        '<!-- kept {"value": {"number": "x"}} -->',
        '<!-- kept {"value": ' + "[{" * 100_000 + "} -->",
        'before <!-- kept {"value": {"number": 1}} -->',
    ],
)
def test_a_line_that_a_person_edited_is_skipped(line):
    """The others are read."""
    good = hidden_line("kept", {"value": {"number": 2}})

    found = recorded_values("kept", [line, f"{line}\n{good}"], lambda fields: int(fields["value"].get("number")))

    assert found == [2]
