"""The dashboard in Chromium, from a folder: on a phone and a desk, light and dark."""

import pytest

from monitoring.dashboard.dashboard_data import DashboardData
from monitoring.dashboard.dashboard_page import page
from tests.chromium import CONTRAST, chromium, needs_chromium
from tests.monitoring.stories import quarter

pytestmark = [needs_chromium, pytest.mark.slow]
WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
#: What is drawn, and not seen: it has no size, or lies beyond the page.
UNSEEN = """
return [...document.querySelectorAll("figure > svg, .timeline, .tiles a")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width < 100 || box.height < 40 || box.left < 0 || box.right > innerWidth + 1;
  }).length
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pages of a quarter, and of a fresh checkout."""
    folder = tmp_path_factory.mktemp("a site")
    for name, story in (("quarter", quarter()), ("empty", DashboardData())):
        (folder / f"{name}.html").write_text(page(story))
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("name", ["quarter", "empty"])
def test_it_fits_is_seen_and_can_be_read(browser, folder, name, size, scheme):
    """No sideways scrolling, no error, every chart in sight, enough contrast; folded and unfolded."""
    browser.look_at(*WIDTHS[size], scheme)
    browser.open((folder / f"{name}.html").as_uri())
    for _ in ("as it opens", "all unfolded"):
        assert browser.run("return document.documentElement.scrollWidth") <= WIDTHS[size][0]
        assert browser.run(UNSEEN) == 0
        assert browser.run(CONTRAST) == []
        browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    charts = browser.run("return document.querySelectorAll('figure svg[role=img]').length")
    assert charts == (0 if name == "empty" else 16)
    assert browser.complaints() == []


@pytest.mark.parametrize("size", WIDTHS)
def test_the_first_screen_has_the_way_back(browser, folder, size):
    """Who is called at night need not scroll."""
    browser.look_at(*WIDTHS[size])
    browser.open((folder / "quarter.html").as_uri())
    bottom = "return document.querySelector('.button').getBoundingClientRect().bottom"

    assert browser.run(bottom) < WIDTHS[size][1]
    browser.run("document.querySelector('.tiles a[href=\"#verdicts\"]').click()")
    assert browser.run("return location.hash") == "#verdicts"


def test_a_screen_reader_finds_a_name_for_everything(browser, folder):
    """Charts, sections, links, headings in order."""
    browser.look_at(*WIDTHS["desktop"])
    browser.open((folder / "quarter.html").as_uri())
    nodes = browser.chrome("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
    ]
    of_interest = {"image", "region", "link", "heading", "navigation"}

    assert [each for each in named if each[0] in of_interest and not each[1].strip()] == []
    assert {"main", "banner", "contentinfo", *of_interest} <= {role for role, _ in named}
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
