"""Settings come from flags and variables; whatever is wrong is said at once, before anything starts."""

from dataclasses import fields
from pathlib import Path

import pytest

from serve.settings import Settings, SettingsError, description, flag, parser, read_settings, table, variable

NEEDED = ["--store", "a", "--journal", "b"]


def refused(arguments, environment=None):
    with pytest.raises(SettingsError) as caught:
        read_settings(arguments, environment or {})
    return caught.value.problems


def test_what_is_not_said_is_as_the_table_says():
    """Two are required, the others have defaults."""
    found = read_settings(NEEDED, {})

    assert found == Settings(store=Path("a"), journal=Path("b"))
    assert (found.port, found.workers, found.tokens, found.origins) == (8000, 1, None, ())


def test_a_flag_and_its_variable_say_the_same_and_the_flag_wins():
    """A container has variables, a person types flags."""
    environment = {"TIDEGATE_STORE": "a", "TIDEGATE_JOURNAL": "b", "TIDEGATE_PORT": "1"}

    assert read_settings([], environment).port == 1
    assert read_settings(["--port", "2"], environment).port == 2
    assert read_settings(["--port=3"], environment).store == Path("a")


def test_everything_wrong_is_said_at_once(tmp_path):
    """With what was expected, and what was probably meant."""
    (tmp_path / "file").write_text("")
    found = refused(
        ["--port", "70000", "--threads", "x", "--bodytimeout", "3", "more", "--follow-every", "nan"],
        {
            "TIDEGATE_STORE": str(tmp_path / "file"),
            "TIDEGATE_WORKER": "3",
            "TIDEGATE_TOKENS": str(tmp_path / "none"),
            "TIDEGATE_ORIGINS": "shop.example",
            "OTHER": "1",
        },
    )

    for words in (
        "--port is '70000'; expected a whole number from 0 to 65,535",
        "--threads is 'x'; expected a whole number",
        "--bodytimeout is not a setting; did you mean --body-timeout?",
        "--follow-every is 'nan'; expected seconds from",
        "'3' is not expected",
        "'more' is not expected",
        "TIDEGATE_STORE is",
        "expected a folder; this is a file",
        "TIDEGATE_WORKER is not a setting; did you mean TIDEGATE_WORKERS?",
        "TIDEGATE_TOKENS is",
        "expected a file that can be read (No such file or directory)",
        "TIDEGATE_ORIGINS is 'shop.example'; expected origins",
        "--journal is missing",
    ):
        assert any(words in problem for problem in found), (words, found)
    assert not any("OTHER" in problem for problem in found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port"], "--port is ''"),
        (["--port", "-1"], "expected a whole number"),
        (["--drain", "1e9"], "seconds from 0 to 300"),
        (["--core", "perhaps"], "expected one of auto, off"),
        (["--origins", "https://*.example"], "without *"),
        (["--origins", "https://shop.example/path"], "without a path"),
        (["--cors-headers", "*"], "names of headers separated by commas, such as X-Request-Id"),
        (["--cors-headers", "X-Request-Id: 1"], "names of headers"),
        (["--cors-headers", "X-A,X B"], "names of headers"),
        (["--cors-headers", "X-A\r\nSet-Cookie"], "names of headers"),
        (["--cors-headers", "X-Ä"], "names of headers"),
        (["--largest-body", "10"], "from 1,000"),
        (["--store", "x" * 300], "expected a path that can be read (File name too long)"),
        (["--ready-file", "x" * 300], "expected a path that can be read (File name too long)"),
        (["--tokens", "x" * 300], "expected a file that can be read (File name too long)"),
        (["--tokens", "null"], "expected a file that can be read"),
        (["--port", "9" * 5000], "expected a whole number"),
        (["--port", "8000.5"], "expected a whole number"),
        (["--drain", "inf"], "seconds from 0 to 300"),
        (["--core", ""], "expected one of auto, off"),
        (["--origins", "ftp://shop.example"], "expected origins"),
        (["--origins", "https://shop .example"], "expected origins"),
        (["--por", "1"], "--por is not a setting; did you mean --port?"),
    ],
)
def test_a_wrong_value_is_said_with_what_was_expected(words, expected):
    """One at a time."""
    assert any(expected in problem for problem in refused([*NEEDED, *words]))


def test_a_file_of_tokens_is_looked_into_and_not_shown(tmp_path):
    """At the start, not at the first request."""
    (tmp_path / "tokens").write_text("secret")
    (problem,) = refused([*NEEDED, "--tokens", str(tmp_path / "tokens")])

    assert "tokens of at least 16 characters; 1 of 1 are shorter" in problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--drain", ".5"], 0.5),
        (["--drain", "1e2"], 100.0),
        (["--drain", "3"], 3.0),
        (["--port", "010"], 10),
        (["--port", " 8_080\n"], 8080),
    ],
)
def test_a_number_may_be_written_as_in_python(words, value):
    """A file of variables may end a line with a space."""
    found = read_settings([*NEEDED, *words], {})

    assert getattr(found, words[0].removeprefix("--")) == value


def test_origins_are_separated_by_commas():
    """Each is scheme, host and port."""
    words = [*NEEDED, "--origins", "https://shop.example, http://localhost:3000"]

    assert read_settings(words, {}).origins == ("https://shop.example", "http://localhost:3000")


def test_headers_of_web_pages_are_separated_by_commas():
    """Each a name, as a browser spells it or in small letters."""
    words = [*NEEDED, "--cors-headers", "X-Request-Id, x-b3-traceid,"]

    assert read_settings(words, {}).cors_headers == ("X-Request-Id", "x-b3-traceid")


def test_the_table_and_the_help_have_every_setting():
    """The table is that of the reference."""
    found, help_ = table(), parser().format_help()
    for each in fields(Settings):
        assert f"| `{flag(each)}` | `{variable(each)}` |" in found
        assert flag(each) in help_
        assert description(each) in found
    assert "| `--port` | `TIDEGATE_PORT` | 8000 |" in found
    assert "| `--store` | `TIDEGATE_STORE` | required |" in found


def test_the_reference_has_every_setting(root):
    """As the code has it; `make reference` writes the page."""
    assert table() in (root / "docs/reference/settings.md").read_text()
