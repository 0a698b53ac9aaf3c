"""The project is written in plain technical English, with the terms of docs/explanation/glossary.md.

It reads the docstrings, comments, texts and names of a Python file, and every line of other files (pages, templates,
settings, workflows, manifests).
"""

import io
import keyword
import re
import subprocess
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
#: words of a private dialect, as regular expressions; a space is any white space
BANNED = [
    "told|tells?|telling",
    "learns?|learnt|learned",
    "anew|lest|nought|whom|hears|trifles?|lately|beforehand|dealt",
    "twins?|desks?|deeds?|shelf|shelves|tiers?",
    "of its own",
    "by so much",
    "stands? for|stood for",
    "no worse than",
    "well again",
    "put away",
    "kept back",
]
#: "x is None" is code, and "if there is none" is English
BANNED_AS_WRITTEN = ["(?<![Tt]here\\s)[Ii]s none"]
#: names of commands, JSON keys and fields of the journal: allowed as the whole of a Python text
KEYS = {"learn", "tier"}
#: a value of the test recipes' categories
DESK = re.compile(r"\bdesk\b")
#: libraries, the command `learn`, and the method of files; names are in brackets, see `prose_of_python`
FINE = re.compile(r"scikit-learn|sklearn|scikit learn|(?:online|serve) learn\b|\((?:learn|tell)\)", re.IGNORECASE)
WORDS = re.compile(rf"(?i:\b({'|'.join(BANNED)})\b)|\b({'|'.join(BANNED_AS_WRITTEN)})\b".replace(" ", r"[\s#*>\"'|]+"))
READ = {".css", ".html", ".in", ".js", ".json", ".lua", ".md", ".sh", ".toml", ".yaml", ".yml", ""}
#: term of the glossary -> where it is needed
TERMS = {
    "training window": ["model", "README.md"],
    "holdout": ["model", "checks", "docs"],
    "out-of-time": ["docs"],
    "interval": ["docs"],
    "margin": ["checks", "docs"],
    "non-inferiority": ["checks", "docs", "README.md"],
    "superiority": ["docs"],
    "permutation importance": ["checks", "docs"],
    "prediction churn": ["checks", "docs"],
    "data drift": ["docs"],
    "concept drift": ["docs"],
    "covariate shift": ["docs"],
    "label shift": ["docs"],
    "control chart": ["monitoring", "docs"],
    "control limit": ["monitoring", "docs"],
    "false alarm": ["monitoring", "docs"],
    "in-control run length": ["docs"],
    "severity": ["monitoring", "docs"],
    "label delay": ["monitoring", "docs"],
    "label coverage": ["docs"],
    "reference period": ["docs"],
    "analysis period": ["docs"],
    "acknowledged": ["monitoring", "docs"],
    "resolved": ["monitoring", "docs"],
    "traffic split": ["serve", "docs"],
    "variant": ["docs"],
    "champion": ["checks", "forge", "monitoring", "serve", "docs", "README.md"],
    "challenger": ["checks", "forge", "monitoring", "serve", "docs"],
    "holdback": ["serve", "docs"],
    "feedback": ["docs"],
    "journal": ["monitoring", "serve", "docs"],
    "segment file": ["docs"],
    "upload": ["serve", "docs"],
    "withdrawn": ["forge", "docs"],
    "quarantined": ["forge", "docs"],
    "training-serving skew": ["docs"],
    "staleness": ["docs"],
    "backtest": ["docs"],
}


def words(name):
    """The words of a name in snake_case or CamelCase, kept apart: they are no phrase."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", ";", name)


def prose_of_python(source):
    """Docstrings, comments, texts and the words of names, each on its line of *source*."""
    lines = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, text = token.type, token.string
        if kind == tokenize.NAME:
            text = "" if keyword.iskeyword(text) else f"({words(text)})"
        elif kind == tokenize.STRING:
            text = "" if text.strip("\"'") in KEYS else words(text)
        elif kind != tokenize.COMMENT and tokenize.tok_name[kind] != "FSTRING_MIDDLE":
            text = ""
        for number, part in enumerate(text.split("\n"), token.start[0] - 1):
            lines[number] += f" {part}"
    return "\n".join(lines)


def prose_of_page(source):
    """*source* without what is written by `make reference`, which is the prose of the code."""
    return re.sub(
        r"<!-- generated: .*?<!-- end -->", lambda part: "\n" * part.group().count("\n"), source, flags=re.DOTALL
    )


@cache
def prose(path):
    """What a person reads of *path*; lines keep their numbers."""
    source = (ROOT / path).read_text()
    if path.endswith(".py"):
        text = prose_of_python(source)
        return DESK.sub("    ", text) if path.startswith("tests/") else text
    if path == "CHANGELOG.md":
        above, unreleased, *_ = re.split(r"^## ", source, flags=re.MULTILINE)
        return "\n" * above.count("\n") + unreleased
    return prose_of_page(source) if path.endswith(".md") else re.sub(r"(?<=\w)_(?=\w)", " ", source)


def banned(text, path=""):
    """A line for each banned word of *text*."""
    text = FINE.sub(lambda part: " " * len(part.group()), text)
    return [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {' '.join(found.group().split())}"
        for found in WORDS.finditer(text)
    ]


def is_read(path):
    name = Path(path)
    is_text = name.suffix in READ | {".py"} or name.name.startswith("Dockerfile")
    is_stored = path.startswith("tests/bundles/") and name.suffix == ".json"
    return is_text and not is_stored and path not in {"tests/test_glossary.py", "docs/explanation/glossary.md"}


@cache
def files():
    """Every file of the repository that people read, except stored bundles and decisions' earlier records."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    starts = (*(f"{package}/" for package in PACKAGES), "docs/", "tests/", ".github/", ".devcontainer/")
    alone = {"README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "mkdocs.yml", ".pre-commit-config.yaml"}
    return [
        path
        for path in listed
        if (path.startswith(starts) or path in alone) and is_read(path) and (ROOT / path).is_file()
    ]


def folders():
    """folder (of at most two levels), or file of the top -> its files."""
    found = {}
    for path in files():
        found.setdefault("/".join(Path(path).parts[:-1][:2]) or path, []).append(path)
    return found


@pytest.mark.parametrize("folder", sorted(folders()))
def test_a_folder_is_written_in_plain_english(folder):
    """Each banned word with its file and line; docs/explanation/glossary.md has the term to use."""
    found = [line for path in folders()[folder] for line in banned(prose(path), path)]

    assert not found, "\n".join(["words that are not used here:", *found])


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_the_glossary_is_used(term):
    """In each place that needs it, and it is explained on the glossary's page."""
    pattern = re.compile(re.escape(term).replace(r"\ ", r"[\s#_;-]+"), re.IGNORECASE)
    texts = {path: prose(path) for path in files()}

    missing = [
        place
        for place in TERMS[term]
        if not any(pattern.search(text) for path, text in texts.items() if f"{path}/".startswith(f"{place}/"))
    ]

    assert not missing
    assert pattern.search((ROOT / "docs/explanation/glossary.md").read_text())


@pytest.mark.parametrize(
    "source",
    [
        '"""It was told so."""',
        "x = 1  # what it learns",
        "def told_names(): ...",
        "class ToldNames: ...",
        "# a thread of its\n# own",
        '"""A thread of its\n    own."""',
        'print(f"a number that is none: {x}")',
        'x = "told_so"',
    ],
)
def test_a_word_in_a_python_file_is_found(source):
    """In a docstring, a comment, a name or a text, also across lines."""
    assert len(banned(prose_of_python(source), "x.py")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import sklearn",
        "file.tell()",
        "# python -m online learn",
        "x is None",
        "# scikit-learn's trees",
        'row["tier"]',
        "learning_rate = 1",
        "y = is_none",
    ],
)
def test_what_is_not_prose_is_not_found(source):
    """Names of libraries, operators and keys of journals that exist."""
    assert banned(prose_of_python(source)) == []


def test_a_word_is_found_with_its_line():
    """As an editor opens it."""
    assert banned(prose_of_python("x = 1\n\n# tells\n"), "a/b.py") == ["a/b.py:3: tells"]
    assert banned(prose_of_page("<!-- generated: x -->\ntold\n<!-- end -->\ntold\n"), "a.md") == ["a.md:4: told"]
