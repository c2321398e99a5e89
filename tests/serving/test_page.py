"""The page in a real browser: a picture that is dropped gets its classes, an explanation where there is one, and no error."""

import asyncio
import base64
import json
import shutil
import subprocess

import pytest
from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from glocal.serving import app
from glocal.serving.settings import ServeSettings
from serving.conftest import in_thread

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = """<!doctype html><iframe id="page" src="/"></iframe><script>
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const until = async (what, test) => { for (let i = 0; i < 600; i++) { const v = test(); if (v) return v;
  await new Promise(r => setTimeout(r, 50)); } throw new Error("never: " + what); };
document.getElementById("page").addEventListener("load", async () => {
  const frame = document.getElementById("page").contentWindow, page = frame.document, found = { errors: [] };
  frame.addEventListener("error", event => found.errors.push(event.message));
  page.addEventListener("securitypolicyviolation", event => found.errors.push(event.violatedDirective + " " + event.blockedURI));
  try {
    const files = new DataTransfer();
    files.items.add(new File([bytes("PNG")], "<b>a.png", { type: "image/png" }));
    files.items.add(new File([bytes("dGV4dA==")], "text.png", { type: "image/png" }));
    const drop = new frame.DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
    page.getElementById("drop").dispatchEvent(drop);
    await until("answers", () => page.querySelectorAll("h2, .error").length === 2 && page.querySelector("table"));
    const button = page.querySelector("button");
    if (button) { button.click(); await until("heat map", () => page.querySelector(".answer img")); }
    found.title = page.title;
    found.articles = [...page.querySelectorAll("article")].map(article => ({
      caption: article.querySelector("figcaption").textContent, heading: article.querySelector("h2")?.textContent,
      rows: [...article.querySelectorAll("tr")].map(row => [row.cells[0].textContent, row.cells[2].textContent]),
      error: article.querySelector(".error")?.textContent, maps: article.querySelectorAll(".answer img").length }));
    found.shown = page.querySelector("figure img").complete;
    found.drawn = [...page.querySelectorAll("figure img")].map(image => image.naturalWidth);
  } catch (error) { found.errors.push(String(error)); }
  await fetch("/found", { method: "POST", body: JSON.stringify(found) });
});
</script>"""


def in_browser(predictor, png, tmp_path, explain=None):
    """What the page shows after two files were dropped on it, in chromium."""
    settings = ServeSettings()
    application, found = app(predictor, name="small", settings=settings, explain=explain), {}

    @application.get("/driver")
    async def driver() -> HTMLResponse:
        return HTMLResponse(DRIVER.replace("PNG", base64.b64encode(png).decode()))

    @application.post("/found")
    async def receive(request: Request) -> None:
        found.update(json.loads(await request.body()))

    async def browse(port):
        flags = (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={tmp_path}",
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        browser = await asyncio.create_subprocess_exec(CHROMIUM, *flags, f"http://127.0.0.1:{port}/driver", **quiet)
        try:
            async with asyncio.timeout(90):
                while not found:
                    await asyncio.sleep(0.05)
        finally:
            browser.kill()
            await browser.wait()

    with in_thread(application, settings) as port:
        asyncio.run(browse(port))
    return found


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_dropped_pictures_are_predicted_explained_and_refused_in_the_browser(predictor, png, tmp_path):
    found = in_browser(predictor, png, tmp_path, explain=lambda pixels: png)
    assert found["errors"] == []
    assert found["title"] == "small · glocal"
    refused, predicted = found["articles"]
    assert predicted["caption"] == "<b>a.png"
    (tmp_path / "a.png").write_bytes(png)
    (expected,) = predictor.predictions(tmp_path / "a.png")
    assert predicted["heading"] == expected.predicted[0]
    assert predicted["rows"] == [[name, f"{p:.1%}".replace("%", " %")] for name, p in expected.top(5)]
    assert predicted["maps"] == 1
    assert refused["error"].startswith("not a picture that Pillow knows")
    assert 16 in found["drawn"]


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_without_explanations_the_page_has_no_place_for_one(predictor, png, tmp_path):
    found = in_browser(predictor, png, tmp_path)
    assert found["errors"] == []
    assert [each["maps"] for each in found["articles"]] == [0, 0]


def test_the_page_names_no_other_host_and_allows_none(predictor):
    with TestClient(app(predictor)) as client:
        answer = client.get("/")
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "//" not in answer.text.replace("<!-- -->", "")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
