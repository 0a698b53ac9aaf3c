"""Which list of columns a new feature belongs to, and which lines use one."""

import pytest

from contracts.row_contract import Contract, Feature, Target
from model.features.add_drop import add, drop, undecided
from model.features.column_lists import mentions

KINDS = {"income": "number", "age": "number", "member": "boolean", "new": "boolean", "town": "category"}
CONTRACT = Contract(
    "toy",
    "binary",
    tuple(Feature(name, kind) for name, kind in KINDS.items()),
    Target("y", (False, True)),
    key="k",
    time="t",
    slices=("town",),
)
HEAD = """\
CONTRACT = Contract("toy", "binary", features=[
    Feature("income", "number"), Feature("age", "number"), Feature("member", "boolean"),
    Feature("new", "boolean"), Feature("town", "category"),
], slices=("town",))
"""


@pytest.mark.parametrize(
    ("code", "kind", "changed"),
    [
        ('A = ["income", "age"]; B = ["member", "new"]', "number", 'A = ["income", "age", "x"]; B = ["member", "new"]'),
        (
            'A = ["income", "age"]; B = ["member", "new"]',
            "boolean",
            'A = ["income", "age"]; B = ["member", "new", "x"]',
        ),
        ('A = ["income", "age"]; B = ["town"]', "category", 'A = ["income", "age"]; B = ["town", "x"]'),
        ('A = ("income", "age"); B = ("town",)', "category", 'A = ("income", "age"); B = ("town", "x",)'),
        # Numbers and booleans in one list: it takes either.
        ('A = ["age", "income", "new", "member"]', "number", 'A = ["age", "income", "new", "member", "x"]'),
        ('A = ["age", "income", "new", "member"]', "boolean", 'A = ["age", "income", "new", "member", "x"]'),
        ('A = ["age", "income", "new", "member"]', "category", ""),
        # One that has all of them, and one of its kind: the latter.
        (
            'A = ["income", "age", "member", "new", "town"]; B = ["income", "age"]',
            "number",
            'A = ["income", "age", "member", "new", "town"]; B = ["income", "age", "x"]',
        ),
        (
            'A = ["income", "age", "member", "new", "town"]',
            "category",
            'A = ["income", "age", "member", "new", "town", "x"]',
        ),
        # By a name of the module's for a string.
        ('AGE = "age"\\nA = [AGE, "income"]', "number", 'AGE = "age"\\nA = [AGE, "income", "x"]'),
        # A list of some of them, or two of all of them: a person decides.
        ('A = ["income"]; B = ["age"]', "number", ""),
        ('A = ["income", "age"]; B = ["age", "income"]', "number", ""),
        ('A = ["income", "age", "ratio"]', "number", ""),
        ('A = ["income", *MORE]', "number", ""),
        # What load lists is no list of the estimator's.
        ('def load(start, end):\\n    return rows[["income", "age"]]', "number", ""),
    ],
)
def test_a_new_feature_comes_into_the_list_of_its_kind_alone(code, kind, changed):
    """Another list would scale a category, or give one column to two transformers."""
    code, changed = (each.replace("\\n", "\n") for each in (code, changed))
    after = add(HEAD + code, CONTRACT, Feature("x", kind))

    assert after.partition('slices=("town",))\n')[2] == (changed or code)
    assert f'Feature("town", "category"), Feature("x", "{kind}"),' in after


def test_where_it_cannot_be_decided_the_lines_are_named():
    """Those of its kind; none where one of them has it."""
    x = Feature("x", "number")
    twice = HEAD + 'A = ["income"]\nB = [\n    "age",\n    "member",\n]\nC = ["town"]\n'
    after = add(twice, CONTRACT, x)

    assert undecided(after, CONTRACT, x) == [(5, 'A = ["income"]'), (6, "B = [")]
    assert undecided(add(HEAD + 'A = ["income", "age"]', CONTRACT, x), CONTRACT, x) == []


def test_a_dropped_one_stays_in_what_load_lists():
    """Rows keep the column, for models that read it."""
    code = 'AGE = "age"\nA = ["income", AGE]\ndef load(s, e):\n    return rows[["income", "age"]]'

    assert drop(HEAD + code, CONTRACT, "age").endswith(code.replace('"income", AGE', '"income"'))


@pytest.mark.parametrize(
    "line",
    [
        'rows["age"]',
        "rows.age.clip(0)",
        "rows['age'] * 2",
        'f"{rows.age} years"',
        'A = {"age": 1}',
        'AGE = "age"',
        "rows.assign(age=1)",
        "dict(age=1)",
        'NAMES = "income age".split()',
        'rows.query("age > 18 and town == @age")',
        'rows.eval("older = age + 1")',
        'A = ["age", "ratio"]',
    ],
)
def test_a_line_whose_code_uses_a_feature_is_named(line):
    """However it is spelt."""
    number = HEAD.count("\n") + 1
    found = mentions(HEAD + line, "age")

    assert found == [(number, line)]


@pytest.mark.parametrize(
    "line",
    [
        '# the "age" of who asks',
        'A = 1  # age, "age"',
        '"""The "age" of who asks."""',
        'A = "the age of"',
        'def f():\n    "age"',
        "age = 3",
        "rows.at.dt.age",
        "import numpy\nnumpy.age",
        "rows.age()",
        "f(age=1)",
        "self.age",
        'print("age: unknown")',
        'A = f"age {x}"',
        'rows["aged"]',
        'Age = "Age"',
        'rows.query("aged > @age")',
        "from dates import age",
    ],
)
def test_a_comment_or_a_word_is_no_use(line):
    """A docstring, a method, an argument, a name of another library: none of them is a column."""
    assert mentions(HEAD + line, "age") == []
    assert mentions(line, "age") == []


def test_a_name_for_the_string_is_followed():
    """To each line that reads it."""
    code = 'AGE = "age"\nx = rows[AGE]\ny = [AGE]\n'

    assert [line for _, line in mentions(HEAD + code, "age")] == code.splitlines()


@pytest.mark.parametrize(
    "contract",
    [
        'CONTRACT: Contract = Contract("toy", "binary", features=[Feature("a", "number"), Feature(name="b", kind="number")])',
        'CONTRACT = Contract("toy", "binary", (Feature("a", "number"), Feature("b", "number")), Target("y"))',
        'B = "b"\nCONTRACT = Contract("toy", "binary", [Feature("a", "number"), Feature(B, "number")], target=Target("y"))',
    ],
)
def test_a_contract_may_be_stated_in_other_ways(contract):
    """With a type, by position, with names for strings."""
    two = Contract("toy", "binary", tuple(Feature(n, "number") for n in "ab"), Target("y", (0, 1)), key="k", time="t")
    after = drop(contract, two, "b")
    assert "retired=(Feature(" in after
    assert after.count("Feature(") == 2
    assert 'Feature("x", "number")' in add(contract, two, Feature("x", "number"))


def test_what_a_feature_says_of_itself_may_hold_quotes():
    """It is a string of Python's all the same."""
    said = 'the "true" age \\ in years'

    assert '\\"true\\" age \\\\ in' in add(HEAD, CONTRACT, Feature("x", "number", said))
    assert "**{'class': lambda rows: 1}" in add(
        HEAD + "def load(s, e):\n    return rows", CONTRACT, Feature("class", "number"), "1"
    )
