# ruff: noqa: RUF009 -- setting() gives a dataclass' field
"""Every setting of the scorer: from flags, or from environment variables named after them.

`--largest-body 1000` and `TIDEGATE_LARGEST_BODY=1000` say the same; the flag wins. Whatever is
wrong is said at once, also a name that is nearly one of ours: a setting that is passed over in
silence would be found out in production.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from serve.access import read_tokens

PREFIX = "TIDEGATE_"
#: Variables with our prefix that are read elsewhere.
OF_OTHERS = ("TIDEGATE_ENVIRONMENTS",)
Read = Callable[[str], Any]


class SettingsError(Exception):
    """The scorer is not started like this. `problems` lists everything that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def whole(least: int, most: int) -> Read:
    """A whole number within bounds."""

    def read(text: str) -> int:
        expected = f"a whole number from {least:,} to {most:,}"
        try:
            value = int(text)
        except ValueError:
            raise ValueError(expected) from None
        if not least <= value <= most:
            raise ValueError(expected)
        return value

    return read


def seconds(least: float, most: float) -> Read:
    """A number of seconds within bounds."""

    def read(text: str) -> float:
        expected = f"seconds from {least:g} to {most:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not least <= value <= most:
            raise ValueError(expected)
        return value

    return read


def one_of(*words: str) -> Read:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def folder(text: str) -> Path:
    """A folder; it may be made later."""
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise ValueError("a folder, and this is none")
    return path


def new_file(text: str) -> Path:
    """A file that is written; its folder is there."""
    path = Path(text)
    if not text or path.is_dir() or not path.parent.is_dir():
        raise ValueError("a file in a folder that is there")
    return path


def token_file(text: str) -> Path:
    """A file of tokens."""
    path = Path(text)
    try:
        read_tokens(path)
    except OSError as error:
        raise ValueError(f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("a file of UTF-8 text") from None
    return path


def origins(text: str) -> tuple[str, ...]:
    """Origins of web pages, such as https://shop.example."""
    found = _listed(text)
    for origin in found:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or not host or set(host) & set("/*? "):
            raise ValueError(
                "origins separated by commas, each scheme://host[:port] such as"
                " https://shop.example, without a path and without *"
            )
    return found


def header_names(text: str) -> tuple[str, ...]:
    """Names of HTTP headers (RFC 9110, 5.6.2), without *, which a browser takes for all of them."""
    found = _listed(text)
    if not all(re.fullmatch(r"[A-Za-z0-9!#$%&'+.^_`|~-]+", name) for name in found):
        raise ValueError("names of headers separated by commas, such as X-Request-Id, without *")
    return found


def setting(read: Read, says: str, default: Any = MISSING) -> Any:
    """A field of `Settings`, read by *read*; *says* is what the README tells of it."""
    return field(default=default, metadata={"read": read, "says": says})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the scorer runs."""

    store: Path = setting(folder, "folder with `live.toml` and `bundles/`")
    journal: Path = setting(folder, "folder to keep answers and outcomes in")
    journal_policy: str = setting(
        one_of("drop", "refuse"),
        "what to do with an answer that cannot be journalled: give it and count it, or refuse it (503)",
        "drop",
    )
    journal_fsync: str = setting(
        one_of("off", "on"),
        "whether each write waits for the disk, so that a crash of the system loses nothing either",
        "off",
    )
    journal_segment_size: int = setting(
        whole(1_000, 2**34), "bytes after which a file of the journal is closed", 64 * 2**20
    )
    journal_segment_seconds: float = setting(
        seconds(1, 86_400), "seconds after which a file of the journal is closed", 900
    )
    host: str = setting(str, "address to listen on", "127.0.0.1")
    port: int = setting(whole(0, 65535), "port to listen on; 0 takes a free one", 8000)
    workers: int = setting(
        whole(1, 256),
        "processes that answer; one more stands aside, to try out what is released and to score for a shadow",
        1,
    )
    threads: int = setting(
        whole(1, 256), "requests that a worker answers at once, small ones to `/score` apart", 2
    )
    ready_file: Path | None = setting(
        new_file, "file to write the address to once it answers", None
    )
    follow_every: float = setting(
        seconds(0.01, 3600), "seconds between two looks at the store", 0.5
    )
    drain: float = setting(
        seconds(0, 300), "seconds for which `/ready` is red before the port closes", 0.5
    )
    stop_within: int = setting(
        whole(1, 3600), "seconds that requests in flight have to finish at a stop", 10
    )
    connections: int = setting(
        whole(1, 1_000_000), "connections that a worker has at once; more wait", 10_000
    )
    keep_alive: int = setting(
        whole(1, 3600),
        "seconds within which a connection's next request begins, its head complete; more than a balancer's",
        75,
    )
    body_timeout: int = setting(
        whole(1, 3600), "seconds that a client has to send a request's body", 10
    )
    largest_body: int = setting(
        whole(1_000, 2**30), "bytes of the largest body that is taken", 2 * 2**20
    )
    most_rows: int = setting(whole(1, 1_000_000), "rows of one request that are taken", 10_000)
    deepest: int = setting(whole(2, 500), "levels of nesting of the JSON that is taken", 32)
    tokens: Path | None = setting(
        token_file,
        "file of tokens, one a line, for `/score`, `/outcome`, `/invocations` and `/v2`;"
        " read again when it changes",
        None,
    )
    watch_tokens: Path | None = setting(
        token_file, "the same for `/metrics` and `/`; in a browser the token is the password", None
    )
    origins: tuple[str, ...] = setting(
        origins, "origins of the web pages that may ask (CORS), separated by commas", ()
    )
    cors_headers: tuple[str, ...] = setting(
        header_names, "headers that those pages may send besides the usual and tracing ones", ()
    )
    core: str = setting(
        one_of("auto", "off"), "whether a bundle's faster core is used where it is proven", "auto"
    )

    @property
    def proofs(self) -> Path:
        """The folder of what is proven (`serve.proof`)."""
        return self.journal / ".proven"


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings that flags and variables say. Raises `SettingsError`; `--help` exits."""
    known = fields(Settings)
    asked, strange = parser().parse_known_args(list(arguments))
    problems = [_strange(word) for word in strange if word.startswith("-")]
    problems += [f"{word!r} is not expected" for word in strange if not word.startswith("-")]
    variables = {variable(each): each for each in known}
    for name in environment:
        if name.startswith(PREFIX) and name not in (*variables, *OF_OTHERS):
            problems.append(f"{name} is not a setting" + _near(name, variables))
    values: dict[str, Any] = {}
    for each in known:
        said, text = flag(each), getattr(asked, each.name)
        if text is None and (text := environment.get(variable(each))) is not None:
            said = variable(each)
        if text is not None:
            try:
                values[each.name] = each.metadata["read"](text)
            except ValueError as error:
                problems.append(f"{said} is {text!r}; expected {error}")
        elif each.default is MISSING:
            problems.append(f"{said} is missing; expected {each.metadata['says']}")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def parser() -> argparse.ArgumentParser:
    """The flags, for `--help`; values are read, and judged, by `read_settings`."""
    found = argparse.ArgumentParser(
        "python -m serve",
        description="Run the scorer. Every flag has an environment variable: --largest-body is"
        f" {PREFIX}LARGEST_BODY.",
        allow_abbrev=False,
    )
    for each in fields(Settings):
        default = "" if each.default is MISSING else f" (default: {_shown(each)})"
        help_ = (each.metadata["says"] + default).replace("`", "").replace("%", "%%")
        found.add_argument(flag(each), dest=each.name, metavar="…", help=help_, nargs="?", const="")
    return found


def table() -> str:
    """The settings as the README lists them."""
    rows = [
        f"| `{flag(each)}` | `{variable(each)}` | {_shown(each)} | {each.metadata['says']} |"
        for each in fields(Settings)
    ]
    return "\n".join(["| flag | variable | default | |", "|---|---|---|---|", *rows]) + "\n"


def flag(each: Field[Any]) -> str:
    """How a setting is called on the command line."""
    return "--" + each.name.replace("_", "-")


def variable(each: Field[Any]) -> str:
    """How a setting is called in the environment."""
    return PREFIX + each.name.upper()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _shown(each: Field[Any]) -> str:
    if each.default is MISSING:
        return "required"
    if each.default in (None, ()):
        return "none"
    return f"{each.default}"


def _strange(word: str) -> str:
    name = word.partition("=")[0]
    return f"{name} is not a setting" + _near(name, [flag(each) for each in fields(Settings)])


def _near(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; --help lists them"
