"""A homeserver in a process of its own, a client's web app beside it, and a browser that drives both."""

import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from round_robin import RoundRobin

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
SHOTS = TARGET / "browser"
PATIENCE = 20
# How often a browser is started before its tests fail.
STARTS = 4

# What a script would do that got through: the tests look for it after every page.
MARKUP = "\"'></title></script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"

# Every page runs this before its own: `window.done` counts what an embedding app would be told.
WATCH = """
window.done = 0;
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
"""
EMBED = WATCH + "window.onAuthDone = () => { window.done += 1; };"

# The app of another origin: it opens a page in a popup, as the spec's example does, or in a frame.
APP = b"""<!DOCTYPE html><title>app</title><button>open</button><iframe></iframe><script>
window.heard = [];
window.addEventListener('message', e => window.heard.push([e.data, e.origin]));
document.querySelector('button').onclick = () => { window.popup = window.open(location.hash.slice(1)); };
</script>"""


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(APP)

    def log_message(self, *_):
        pass


class Homeserver:
    """One process, or as many as HOMESERVER_PROCESSES says: on one `--data`, behind one address."""

    def __init__(self, config, program=TARGET / "debug/examples/homeserver"):
        self.dir = tempfile.TemporaryDirectory()
        here = pathlib.Path(self.dir.name)
        self.outbox = here / "outbox"
        if config.get("outbox"):
            config = config | {"outbox": str(self.outbox)}
        # The whole suite can be run with session IDs that are sealed, or with sessions in another place.
        if os.environ.get("HOMESERVER_SEALED"):
            config = config | {"uia": config.get("uia", {}) | {"sealed": True}}
        (here / "config.json").write_text(json.dumps(config))
        command = [program, "--listen", "127.0.0.1:0", "--config", here / "config.json"]
        if sessions := os.environ.get("HOMESERVER_SESSIONS"):
            command += ["--sessions", sessions]
        count = int(os.environ.get("HOMESERVER_PROCESSES") or 1)
        if count > 1:
            command += ["--data", here / "data"]
        self.log = open(here / "log", "w+")
        self.processes = []
        origins = [self.start(command) for _ in range(count)]
        self.balancer = RoundRobin([urllib.parse.urlsplit(origin).port for origin in origins]) if count > 1 else None
        self.origin = self.balancer.origin if self.balancer else origins[0]

    def start(self, command):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.processes.append(process)
        origin = process.stdout.readline().removeprefix("listening on ").strip()
        assert origin.startswith("http://"), "the homeserver doesn't start"
        return origin

    def stop(self):
        if self.balancer:
            self.balancer.close()
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        self.log.close()
        self.dir.cleanup()

    def call(self, method, path, body=None, token=None):
        """Status and JSON of an API call."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.origin + path, data, method=method)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def post(self, path, body, token=None):
        return self.call("POST", "/_matrix/client/v3/" + path, body, token)

    def token(self, user, password):
        status, login = self.post("login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password})
        assert status == 200, login
        return login["access_token"]

    def link(self):
        """The link of the last message. It names the process that sent it, and is followed as a proxy's users would."""
        message = json.loads(max(self.outbox.iterdir()).read_text())
        three = {name: message[name] for name in ("sid", "client_secret", "token")}
        return self.origin + urllib.parse.urlsplit(message["submit_url"]).path + "?" + urllib.parse.urlencode(three)

    def page(self, stage, session):
        quoted = urllib.parse.quote(stage, safe="")
        return f"{self.origin}/_matrix/client/v3/auth/{quoted}/fallback/web?session={urllib.parse.quote(session, safe='')}"


def browser():
    options = Options()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for argument in [
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=900,700",
        # Nothing but this machine is there: pages have to do without a network (rule F6).
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
    ]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
    # On a loaded machine Chromium sometimes exits while it starts. What is tested is the
    # pages, so a start is tried again.
    for attempt in range(STARTS):
        try:
            return webdriver.Chrome(options, Service(driver))
        except SessionNotCreatedException:
            if attempt + 1 == STARTS:
                raise
            time.sleep(2 ** attempt)


class BrowserTest(unittest.TestCase):
    """One browser for all tests of a class, one homeserver for each."""

    config = {}

    @classmethod
    def setUpClass(cls):
        cls.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
        threading.Thread(target=cls.web.serve_forever, daemon=True).start()
        cls.app = f"http://127.0.0.1:{cls.web.server_address[1]}/"
        cls.driver = browser()
        cls.driver.set_page_load_timeout(PATIENCE)
        SHOTS.mkdir(parents=True, exist_ok=True)

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        cls.web.shutdown()
        cls.web.server_close()

    def setUp(self):
        self.server = Homeserver(self.config)
        self.addCleanup(self.server.stop)
        self.watching = None
        self.watch(WATCH)
        self.driver.get_log("browser")
        self.addCleanup(self.close_popups)

    def close_popups(self):
        for window in self.driver.window_handles[1:]:
            self.driver.switch_to.window(window)
            self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])
        self.driver.get("about:blank")

    def watch(self, script):
        """Runs `script` in every page of this window, before the page's own."""
        if self.watching:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": self.watching})
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        self.watching = added["identifier"]
        self.addCleanup(self.unwatch)

    def unwatch(self):
        if self.watching:
            self.driver.switch_to.window(self.driver.window_handles[0])
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": self.watching})
            self.watching = None

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, condition):
        # A page may be left while it is looked at.
        wait = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[WebDriverException])
        return wait.until(lambda _: condition())

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).innerText", selector).strip()

    def press(self, *keys):
        """Keys into whatever has the focus: nothing here is clicked."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.js("return document.activeElement.name || document.activeElement.tagName")

    def heading_is(self, heading):
        self.until(lambda: self.text("h1") == heading)
        self.harmless()

    def harmless(self):
        """No script of anybody else's has run, and the page asks for nothing its policy forbids."""
        self.assertIsNone(self.js("return window.pwned"))
        self.assertEqual(self.js("return window.violations || []"), [])
        for entry in self.driver.get_log("browser"):
            expected = "Failed to load resource" in entry["message"]
            self.assertTrue(expected or entry["level"] not in ("SEVERE", "WARNING"), entry)

    def shoot(self, name):
        """A picture in light and one in dark, and what is written has contrast in both."""
        for scheme in ["light", "dark"]:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme", "value": scheme}]})
            self.driver.save_screenshot(str(SHOTS / f"{name}-{scheme}.png"))
            dark = self.js("return getComputedStyle(document.body).backgroundColor")
            self.assertEqual(sum(map(int, dark[4:-1].split(","))) < 384, scheme == "dark", dark)
            for what, ratio in self.js(CONTRAST):
                self.assertGreaterEqual(ratio, 4.5, f"{name}, {scheme}: {what}")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


CONTRAST = """
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
return [...document.querySelectorAll('h1, p, label, input, button, dt, dd, a, small')].filter(e => e.checkVisibility() && e.type !== 'hidden')
    .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
        return [e.outerHTML.slice(0, 80), (a + 0.05) / (b + 0.05)]; });
"""
