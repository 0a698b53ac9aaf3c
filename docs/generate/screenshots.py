"""Take docs/pictures/verdict.png and dashboard.png with a headless Chromium, from what `make demo` left.

python -m docs.generate.screenshots
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
REPORT, SITE = ROOT / ".demo/gate/second/report.md", ROOT / ".demo/site/index.html"
PICTURES = ROOT / "docs/pictures"
#: Width of a picture in pixels, and how much of the page is shown: from the top.
VERDICT, DASHBOARD = (1000, 700), (1200, 1000)
#: Bytes of the largest picture that is kept.
MAX_BYTES = 200_000
#: A comment below a pull request, about as GitHub shows it.
COMMENT = """<!doctype html><meta charset="utf-8"><style>
body { margin: 16px; font: 14px/1.5 system-ui, sans-serif; color: #1f2328 }
article { border: 1px solid #d1d9e0; border-radius: 6px } article > * { margin: 0; padding: 8px 16px }
header { background: #f6f8fa; color: #59636e; border-bottom: 1px solid #d1d9e0 }
table { border-collapse: collapse; margin: 0 0 16px } th, td { border: 1px solid #d1d9e0; padding: 6px 13px }
h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: 5px; margin-top: 8px } code { background: #eff1f3; padding: 2px 5px }
</style><article><header><b>github-actions</b> commented</header><div>%s</div></article>"""


def main(report: Path = REPORT, site: Path = SITE, into: Path = PICTURES) -> int:
    """Write each picture; returns 2, with what to type, where a page or the browser is missing."""
    missing = [str(page) for page in (report, site) if not page.is_file()]
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if missing:
        return _stop(f"{' and '.join(missing)} cannot be found; type: make demo")
    if browser is None:
        return _stop("Chromium is not installed; type: sudo apt-get install chromium fonts-noto-color-emoji")
    with tempfile.TemporaryDirectory() as folder:
        markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
        pages = {
            "verdict": (COMMENT % markdown.render(report.read_text(encoding="utf-8")), VERDICT),
            # Commands on the page name the folder of this checkout.
            "dashboard": (site.read_text(encoding="utf-8").replace(f"{ROOT}/", ""), DASHBOARD),
        }
        for name, (text, (width, height)) in pages.items():
            page = Path(folder) / f"{name}.html"
            page.write_text(text, encoding="utf-8")
            picture = into / f"{name}.png"
            words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            words += [f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", f"--screenshot={picture}"]
            subprocess.run([browser, *words, page.as_uri()], check=True, capture_output=True, timeout=60)
            if (size := picture.stat().st_size) > MAX_BYTES:
                return _stop(f"{picture} has {size:,} bytes; expected at most {MAX_BYTES:,}: show less of the page")
            print(picture)
    return 0


def _stop(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
