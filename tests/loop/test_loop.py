"""The whole loop with recipes that it has never heard of: nothing but the file is another."""

import json
from datetime import UTC, datetime

import pytest

from model.train import read_recipe
from tests.loop.laptop import PROMOTE, Laptop, wait_for
from tests.loop.website import Traffic, Website

pytestmark = [pytest.mark.slow, pytest.mark.loop]


@pytest.fixture
def laptop(request, tmp_path, recipes):
    with Laptop(tmp_path / "a laptop", recipes / f"{request.param}.py", print) as laptop:
        yield laptop


@pytest.mark.timeout(600)
@pytest.mark.parametrize("laptop", ["tariff", "basket"], indirect=True)
def test_another_recipe_goes_through_the_whole_loop(laptop):
    """Multiclass and regression; strings, booleans, missing values, categories never seen."""
    recipe = read_recipe(laptop.recipe)

    def days(first, last):
        return recipe.load(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last)))

    laptop.retrain("2026-02-20")
    assert laptop.gate("first", PROMOTE)["champion"] is None
    laptop.land("first", PROMOTE)
    address = laptop.start_serving()
    website, first = Website(address, recipe.CONTRACT), laptop.live()

    quiet = website.send(days("2026-02-20", "2026-02-25"))
    assert website.report_outcomes(quiet) == len(quiet.ids) == 750
    assert "no change" in laptop.watch("2026-02-25") or laptop.alerts() == []
    swiss = website.send(days("2026-03-02", "2026-03-07"))
    assert (quiet.failed, swiss.failed) == ([], [])
    laptop.watch("2026-03-07")
    (alert,) = laptop.alerts()
    assert alert.state == "open"
    assert "unseen categories" in alert.title

    traffic = Traffic(website, days("2026-03-07", "2026-03-20"), pause=0.05)
    laptop.retrain("2026-03-20")
    verdict = laptop.gate("second", PROMOTE)
    assert verdict["champion"]["version"] == first
    laptop.land("second", PROMOTE)
    second = laptop.live()
    wait_for(lambda: laptop.ready(address)["version"] == second, 60, "no swap")
    laptop.rollback("a test of it")
    wait_for(lambda: laptop.ready(address)["version"] == first, 60, "no rollback")
    assert traffic.end().failed == []
    assert {r["version"] for r in answers(laptop)} >= {first}
    assert recipe.CONTRACT.name in laptop.write_site().read_text()


def answers(laptop):
    """The journal's answers."""
    return [
        json.loads(line) for path in laptop.journal.glob("answers-*.jsonl") for line in path.read_text().splitlines()
    ]
