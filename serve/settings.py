"""The settings of the scorer, from flags or from environment variables named after them.

`--largest-body 1000` and `TIDEGATE_LARGEST_BODY=1000` are the same; a flag takes precedence. All problems are
reported at once, unknown names included: an ignored name would be noticed only in production.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta
from msgspec.inspect import FloatType, IntType, LiteralType, VarTupleType, type_info

from serve.http.auth import read_tokens

PREFIX = "TIDEGATE_"
#: Variables with this prefix that other programs read.
OTHER_VARIABLES = ("TIDEGATE_ENVIRONMENTS",)


class SettingsError(Exception):
    """The settings are not valid. `problems` lists all problems."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def folder(text: str) -> Path:
    """The path of a folder, which need not exist yet."""
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise ValueError("a folder; this is a file")
    return path


def new_file(text: str) -> Path:
    """The path of a file to be written, in a folder that exists."""
    path = Path(text)
    if not text or path.is_dir() or not path.parent.is_dir():
        raise ValueError("a file in a folder that exists")
    return path


def token_file(text: str) -> Path:
    """The path of a valid token file."""
    path = Path(text)
    try:
        read_tokens(path)
    except OSError as error:
        raise ValueError(f"a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("a file of UTF-8 text") from None
    return path


Folder = Annotated[Path, Meta(extra={"read": folder})]
OtherFolder = Annotated[Path | None, Meta(extra={"read": folder})]
NewFile = Annotated[Path | None, Meta(extra={"read": new_file})]
TokenFile = Annotated[Path | None, Meta(extra={"read": token_file})]
Origins = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^https?://[^/*?\s]+$")], ...],
    Meta(
        extra={
            "expected": "origins separated by commas, each scheme://host[:port] such as"
            " https://shop.example, without a path and without *"
        }
    ),
]
#: Without *, which a browser takes for all of them (RFC 9110, 5.6.2).
HeaderNames = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'+.^_`|~-]+$")], ...],
    Meta(extra={"expected": "names of headers separated by commas, such as X-Request-Id, without *"}),
]
Processes = Annotated[int, Meta(ge=1, le=256)]
Seconds = Annotated[int, Meta(ge=1, le=3600)]
Most = Annotated[int, Meta(ge=1, le=1_000_000)]


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the scorer runs."""

    store: Annotated[Folder, Meta(description="folder with `live.toml` and `bundles/`")]
    journal: Annotated[Folder, Meta(description="folder to keep answers and outcomes in")]
    journal_policy: Annotated[Literal["drop", "refuse"], Meta(description=
        "what to do with an answer that cannot be journalled: give it and count it, or refuse it (503)")] = "drop"
    journal_fsync: Annotated[Literal["off", "on"], Meta(description=
        "whether each write waits for the disk, so that a crash of the system loses nothing either")] = "off"
    journal_segment_size: Annotated[int, Meta(ge=1_000, le=2**34, description=
        "bytes after which a file of the journal is closed")] = 64 * 2**20
    journal_segment_seconds: Annotated[float, Meta(ge=1, le=86_400, description=
        "seconds after which a file of the journal is closed")] = 900
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 8000
    workers: Annotated[Processes, Meta(description=
        "worker processes; one more, in the background, validates releases and scores for a shadow")] = 1
    threads: Annotated[Processes, Meta(description=
        "requests that a worker answers at once, small ones to `/score` apart")] = 2
    ready_file: Annotated[NewFile, Meta(description="file to write the address to once it answers")] = None
    follow_every: Annotated[float, Meta(ge=0.01, le=3600, description=
        "seconds between two looks at the store")] = 0.5
    drain: Annotated[float, Meta(ge=0, le=300, description=
        "seconds for which `/ready` is red before the port closes")] = 0.5
    stop_within: Annotated[Seconds, Meta(description="seconds that requests in flight have to finish at a stop")] = 10
    connections: Annotated[Most, Meta(description="connections that a worker has at once; more wait")] = 10_000
    keep_alive: Annotated[Seconds, Meta(description=
        "seconds within which a connection's next request begins, its head complete; more than a balancer's")] = 75
    body_timeout: Annotated[Seconds, Meta(description="seconds that a client has to send a request's body")] = 10
    largest_body: Annotated[int, Meta(ge=1_000, le=2**30, description=
        "bytes of the largest body that is taken")] = 2 * 2**20
    most_rows: Annotated[Most, Meta(description="rows of one request that are taken")] = 10_000
    deepest: Annotated[int, Meta(ge=2, le=500, description=
        "levels of nesting of the JSON that is taken")] = 32
    tokens: Annotated[TokenFile, Meta(description=
        "file of tokens, one a line, for `/score`, `/outcome`, `/invocations` and `/v2`; read again when it changes")] = None
    watch_tokens: Annotated[TokenFile, Meta(description=
        "the same for `/metrics` and `/`; in a browser the token is the password")] = None
    origins: Annotated[Origins, Meta(description=
        "origins of the web pages that may ask (CORS), separated by commas")] = ()
    cors_headers: Annotated[HeaderNames, Meta(description=
        "headers that those pages may send besides the usual and tracing ones")] = ()
    core: Annotated[Literal["auto", "off"], Meta(description=
        "whether a bundle's faster core is used where it is proven")] = "auto"
    corrections: Annotated[Literal["off", "on"], Meta(description=
        "whether a process beside the workers computes online corrections from the journal (`serve learn`)")] = "off"
    corrections_from: Annotated[OtherFolder, Meta(description=
        "store of another replica, whose online corrections are taken instead")] = None

    @property
    def proofs(self) -> Path:
        """The folder of the validation cache (`serve.release.validation_cache`)."""
        return self.journal / ".proven"
# fmt: on


_TYPES = get_type_hints(Settings, include_extras=True)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings from flags and variables. Raises `SettingsError`; `--help` exits."""
    args, strange = parser().parse_known_args(list(arguments))
    flags = {flag(each): getattr(args, each.name) for each in fields(Settings)}
    variables = [variable(each) for each in fields(Settings)]
    problems = [_unknown(word.partition("=")[0], flags) for word in strange if word.startswith("-")]
    problems += [f"{word!r} is not expected" for word in strange if not word.startswith("-")]
    ours = [name for name in environment if name.startswith(PREFIX) and name not in OTHER_VARIABLES]
    problems += [_unknown(name, variables) for name in ours if name not in variables]
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name, text = flag(each), flags[flag(each)]
        if text is None and (text := environment.get(variable(each))) is not None:
            name = variable(each)
        if text is not None:
            try:
                values[each.name] = _value(each, text)
            except ValueError as error:
                problems.append(f"{name} is {text!r}; expected {error}")
        elif each.default is MISSING:
            problems.append(f"{name} is missing; expected {description(each)}")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def parser() -> argparse.ArgumentParser:
    """The flags, for `--help`; `read_settings` reads the values and checks them."""
    found = argparse.ArgumentParser(
        "python -m serve",
        description=f"Run the scorer. Every flag has an environment variable: --largest-body is {PREFIX}LARGEST_BODY.",
        allow_abbrev=False,
    )
    for each in fields(Settings):
        default = "" if each.default is MISSING else f" (default: {_default(each)})"
        words = (description(each) + default).replace("`", "").replace("%", "%%")
        found.add_argument(flag(each), dest=each.name, metavar="…", help=words, nargs="?", const="")
    return found


def table() -> str:
    """The settings as a Markdown table, for the reference."""
    rows = [
        f"| `{flag(each)}` | `{variable(each)}` | {_default(each)} | {description(each)} |" for each in fields(Settings)
    ]
    return "\n".join(["| flag | variable | default | |", "|---|---|---|---|", *rows]) + "\n"


def flag(each: Field[Any]) -> str:
    """The name of a setting on the command line."""
    return "--" + each.name.replace("_", "-")


def variable(each: Field[Any]) -> str:
    """The name of a setting in the environment."""
    return PREFIX + each.name.upper()


def description(each: Field[Any]) -> str:
    """The description of a setting."""
    found: Any = type_info(_TYPES[each.name])
    return str(found.extra_json_schema["description"])


def _value(each: Field[Any], text: str) -> Any:
    """The value of a setting from *text*. Raises `ValueError` with what was expected."""
    found: Any = type_info(_TYPES[each.name])
    extra: dict[str, Any] = found.extra or {}
    if "read" in extra:
        try:
            return extra["read"](text)
        except OSError as error:
            raise ValueError(f"a path that can be read ({error.strerror})") from None
    read: Callable[[str], Any] = str
    expected = extra.get("expected", "text")
    match found.type:
        case IntType(ge=low, le=high):
            read, expected = int, f"a whole number from {low:,} to {high:,}"
        case FloatType(ge=low, le=high):
            read, expected = float, f"seconds from {low:g} to {high:g}"
        case LiteralType(values=words):
            expected = f"one of {', '.join(map(str, words))}"
        case VarTupleType():
            read = _listed
    try:
        return msgspec.convert(read(text), _TYPES[each.name])
    except (ValueError, msgspec.ValidationError):
        raise ValueError(expected) from None


def _listed(text: str) -> list[str]:
    return [word for each in text.split(",") if (word := each.strip())]


def _default(each: Field[Any]) -> str:
    if each.default is MISSING:
        return "required"
    return "none" if each.default in (None, ()) else str(each.default)


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "--help lists them"
    return f"{name} is not a setting; {hint}"
