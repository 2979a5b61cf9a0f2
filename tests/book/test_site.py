"""The rendered website in a real browser, with the network blocked."""

import functools
import http.server
import os
import shutil
import subprocess
import sysconfig
import threading
from pathlib import Path

import pytest
import yaml

from tests.helpers import ROOT

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),
    reason="needs Chromium: install it, or set CHROMIUM to its path",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site from the stored outputs as ``make book`` does; return its address."""
    folder = tmp_path_factory.mktemp("site")
    program = Path(sysconfig.get_path("scripts")) / "jupyter-book"
    command = [program, "build", ".", "-W", "-n", "--keep-going"]
    built = subprocess.run(
        [*command, "--path-output", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder / "_build" / "html")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(site, browser):
    """Return a function that opens a page of the site; errors and outside requests fail it."""
    context = browser.new_context()
    problems = []

    def route(request_route):
        url = request_route.request.url
        if url.startswith((site, "data:", "blob:")):
            request_route.continue_()
        else:
            problems.append(f"request to {url}")
            request_route.abort()

    context.route("**/*", route)

    def open_at(path, width=1280):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("pageerror", lambda error: problems.append(f"{path}: {error}"))
        page.on(
            "console",
            lambda message: message.type == "error" and problems.append(f"{path}: {message.text}"),
        )
        page.on(
            "response",
            lambda answer: (
                answer.status >= 400 and problems.append(f"{answer.status} {answer.url}")
            ),
        )
        page.goto(f"{site}/{path}")
        page.wait_for_load_state("networkidle")
        return page

    yield open_at
    context.close()
    assert problems == []


TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]


def test_front_page_loads_with_its_gallery(open_page):
    page = open_page("book/index.html")
    page.wait_for_selector("article h1")
    sizes = page.eval_on_selector_all("img.sd-card-img-top", "all => all.map(i => i.naturalWidth)")
    assert len(sizes) >= 3
    assert min(sizes) > 100


def test_root_leads_to_the_front_page(open_page):
    page = open_page("index.html")
    page.wait_for_url("**/book/index.html")


def test_mathematics_is_rendered_without_a_network(open_page):
    page = open_page("book/theorem1.html")
    page.wait_for_selector("mjx-container mjx-math")
    assert page.locator("mjx-container").count() > 100
    assert page.locator("mjx-merror").count() == 0


def test_docstrings_have_their_mathematics_rendered(open_page):
    page = open_page("book/api.html")
    page.wait_for_selector("mjx-container mjx-math")
    assert page.locator("mjx-container").count() > 100
    assert "$" not in page.inner_text("article")


@pytest.mark.parametrize(
    ("path", "name"),
    [("book/theorem1.html", "theorem1-dimension"), ("book/spiked.html", "spiked-alpha")],
)
def test_slider_moves_the_curve(open_page, path, name):
    page = open_page(path)
    shown = f"#{name} g[data-frame]:not([style*='none']) path"
    before, label = page.locator(shown).first.get_attribute("d"), page.inner_text(f"#{name}-value")
    assert page.locator(f"#{name} g[data-frame]:visible").count() == 1
    page.focus(f"#{name}-range")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(f"#{name}-value") != label
    assert page.locator(shown).first.get_attribute("d") != before
    page.keyboard.press("ArrowLeft")
    assert page.locator(shown).first.get_attribute("d") == before


def test_animation_plays_and_stops(open_page):
    page = open_page("book/descent.html")
    button, value = page.get_by_role("button", name="Play", exact=True), "#descent-law-value"
    shown = page.locator("#descent-law img[data-frame]:visible")
    before, picture = page.inner_text(value), shown.get_attribute("src")
    button.click()
    page.wait_for_function(f"document.querySelector('{value}').textContent !== '{before}'")
    assert shown.count() == 1
    assert shown.get_attribute("src") != picture
    page.get_by_role("button", name="Pause", exact=True).click()
    stopped = page.inner_text(value)
    page.wait_for_timeout(1000)
    assert page.inner_text(value) == stopped


@pytest.mark.parametrize("page_name", PAGES)
def test_pages_fit_a_phone_and_their_sliders_move(open_page, page_name):
    page = open_page(f"{page_name}.html", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("mjx-merror").count() == 0
    for slider in page.locator("figure.rbm-slider").all():
        frames = slider.locator("[data-frame]").all()
        handle = slider.locator("input[type=range]")
        for position, key in ((0, "Home"), (len(frames) - 1, "End")):
            handle.press(key)
            assert [f.is_visible() for f in frames] == [i == position for i in range(len(frames))]
