"""Chromium without a window, driven over WebDriver's HTTP interface; no package is needed for it."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

CHROMIUM, DRIVER = "/usr/bin/chromium", shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (shutil.which(CHROMIUM) and DRIVER),
    reason="Chromium is not installed; apt-get install chromium chromium-driver",
)
SIZES = {"phone": (360, 780), "desktop": (1280, 900)}
#: Gives every text whose contrast is lower than 4.5, as WCAG 2.2 asks for (1.4.3).
CONTRAST = """
const light = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).map(Number)
    .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (one) => {
  for (; one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor;
    if (!/^rgba.*, 0\\)$/.test(color)) return color;
  }
};
const low = [];
for (const one of document.querySelectorAll("body *")) {
  const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !one.checkVisibility()) continue;
  const style = getComputedStyle(one);
  const color = one.closest("svg") ? style.fill : style.color;
  const [a, b] = [light(color), light(behind(one))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(`${one.tagName} ${one.textContent.slice(0, 20)} ${color}`);
}
return low;
"""


class Browser:
    """A session of WebDriver; `run` runs a script in the page and gives what it returns."""

    def __init__(self, driver, profile):
        self.driver = driver
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"binary": CHROMIUM, "args": [*words, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        asked = {"capabilities": {"alwaysMatch": wanted}}
        self.session = "/session/" + self.ask("/session", asked, "")["sessionId"]

    def ask(self, path, body=None, session=None, method=None):
        session = self.session if session is None else session
        request = urllib.request.Request(
            self.driver + session + path,
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, address):
        self.ask("/url", {"url": address})
        return self

    def run(self, script, *arguments):
        script = f"return (async () => {{ {script} }})()"
        return self.ask("/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script, seconds=20):
        """What *script* gives once it gives something."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"waited in vain for {script}"
            time.sleep(0.02)
        return found

    def chrome(self, command, **parameters):
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look(self, size="desktop", scheme="light"):
        """As on a device of that size, light or dark."""
        self.look_at(*SIZES[size], scheme)

    def look_at(self, width, height, scheme="light"):
        """The same, with so many pixels; one that is as narrow as a phone is one."""
        self.chrome(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.chrome("Emulation.setEmulatedMedia", features=[feature])

    def complaints(self):
        """What the browser's console says: errors, and breaches of the policy."""
        found = self.ask("/se/log", {"type": "browser"})
        return [each["message"] for each in found if each["level"] in ("SEVERE", "WARNING")]

    def close(self):
        self.ask("", method="DELETE")


@contextmanager
def chromium(profile):
    """A browser with its own folder *profile*."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [DRIVER, f"--port={port}", "--log-level=SEVERE"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            driver = f"http://127.0.0.1:{port}"
            wait_for(driver + "/status")
            browser = Browser(driver, profile)
            yield browser
            browser.close()
        finally:
            process.terminate()


def wait_for(address, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < end, f"{address} does not answer"
            time.sleep(0.05)
