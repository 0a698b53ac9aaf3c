"""trust.toml says whose signatures count; a mistake in it refuses everything, with every mistake named."""

from datetime import date
from pathlib import Path

import pytest

from provenance.key_signature import new_key
from provenance.trust_settings import TRUST, Trust, TrustError, demanded, read_trust

GOOD = 'verify = "on"\nworkflow = ".github/workflows/retrain.yml"\n'
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def written(tmp_path):
    def write(text) -> Path:
        (tmp_path / "trust.toml").write_text(text)
        return tmp_path / "trust.toml"

    return write


def test_the_file_that_a_copy_begins_with_demands_nothing():
    """There is no key yet, and releases from before are not listed."""
    assert read_trust() == Trust(False, ".github/workflows/retrain.yml")
    assert TRUST.is_file()


def test_every_setting_is_read(written):
    """A key as the command prints it."""
    public = new_key()[1]
    listed = f'[earlier]\nbefore = 2026-12-01\ndigests = ["{DIGEST}"]\n'

    found = read_trust(written(f'{GOOD}keys = ["{public}"]\n{listed}'))

    expected = (True, ".github/workflows/retrain.yml", (public,), date(2026, 12, 1), frozenset([DIGEST]))
    assert found == Trust(*expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace('"on"', "true"), "verify is True; expected"),
        (GOOD.replace('"on"', '"yes"'), "verify is 'yes'; expected"),
        ('workflow = ".github/workflows/retrain.yml"\n', "verify is None; expected"),
        (GOOD.replace("retrain", "../../x"), "workflow is"),
        (GOOD.replace(".github/workflows/", ""), "workflow is 'retrain.yml'"),
        (GOOD + 'keys = ["MCow"]\n', "keys is not a list of public keys"),
        (GOOD + 'keys = "ed25519:x"\n', "keys is not a list"),
        (GOOD + "key = []\n", "unknown: key"),
        (GOOD + f'[earlier]\ndigests = ["{DIGEST}"]\n', "earlier.digests needs earlier.before"),
        (GOOD + '[earlier]\nbefore = "2026-12-01"\n', "earlier.before is '2026-12-01'; expected a day"),
        (GOOD + "[earlier]\nbefore = 2026-12-01T00:00:00Z\n", "expected a day"),
        (GOOD + '[earlier]\ndigests = ["*"]\n', "earlier.digests is not a list of digests"),
        (GOOD + "earlier = 3\n", "earlier] is not a table"),
        (GOOD + "verify = \n", "cannot be read"),
    ],
)
def test_a_mistake_is_named(written, text, problem):
    """With the file."""
    with pytest.raises(TrustError, match=r"trust\.toml") as raised:
        read_trust(written(text))

    assert problem in str(raised.value)


def test_all_mistakes_are_named_at_once(written):
    """Whoever corrects one does not meet the next."""
    with pytest.raises(TrustError) as raised:
        read_trust(written('verify = "x"\nworkflow = 1\nkeys = 2\nearlier = 3\nmore = 4\n'))

    assert str(raised.value).count(";") >= 4


def test_a_missing_file_is_no_permission(tmp_path):
    """Whoever can delete it must not switch verification off by that."""
    with pytest.raises(TrustError, match="restore it with git"):
        read_trust(tmp_path / "trust.toml")


@pytest.mark.parametrize(
    ("in_file", "variable", "expected"),
    [
        (False, None, False),
        (False, "", False),
        (False, "off", False),
        (False, "on", True),
        (True, None, True),
        (True, "on", True),
        (True, "off", True),
        (True, "", True),
    ],
)
def test_a_variable_can_demand_and_cannot_waive(in_file, variable, expected):
    """Whoever can write to the repository can change its variables, and not this file on the default branch."""
    variables = {} if variable is None else {"TIDEGATE_VERIFY": variable}

    assert demanded(Trust(in_file, "x"), variables) is expected


@pytest.mark.parametrize("value", ["ON", "yes", "1", "of", " on"])
def test_a_value_that_is_neither_is_refused(value):
    """A typing error must not read as off."""
    with pytest.raises(TrustError, match="expected on or off"):
        demanded(Trust(False, "x"), {"TIDEGATE_VERIFY": value})
