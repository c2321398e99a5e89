"""`preprocess.js` in a real browser beside `preprocess.py`: the same place of the same picture, up to how each resizes."""

import base64
import http.server
import io
import json
import queue
import shutil
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

import glocal
from glocal.data.batches.preprocess import Preprocess
from glocal.deploying import beside
from glocal.deploying.about import About

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
const prepares = [PREPARES], found = [];
try {
  for (const [how, text] of PICTURES) {
    const blob = new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))]);
    found.push([...await prepares[how](blob)]);
  }
} catch (error) { found.push(String(error)); }
await fetch("/found", { method: "POST", body: JSON.stringify(found) });
</script>"""
HOW = (
    Preprocess((32, 32), crop_pct=0.875),
    Preprocess((24, 40), crop_pct=1.0, interpolation="bilinear"),
    Preprocess((24, 20), crop_pct=0.8, aspect="squash"),
)
SIZES = ((90, 70), (61, 140), (32, 32), (20, 25), (300, 120))


def about(how):
    return About(
        name="net",
        architecture={},
        classes=("a", "b"),
        preprocess=how.to_json(),
        form="torch",
        precision="fp32",
        resizes=False,
        temperature=1.0,
        multi_label=False,
        licence=None,
        accuracy=None,
        agreement=(),
        glocal_version=glocal.__version__,
    )


def file_of(h, w, *, orientation=None):
    """A smooth picture as a file: PNG, or JPEG with an orientation."""
    noise = np.random.default_rng(h + w).integers(0, 256, (h, w, 3), np.uint8)
    image, file = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(6)), io.BytesIO()
    image = ImageOps.autocontrast(image)
    if orientation is None:
        image.save(file, "png")
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(file, "jpeg", exif=exif, quality=95, subsampling=0)
    return file.getvalue()


def in_browser(cases, folder):
    """What `prepare` of each script gives in chromium, flat."""
    scripts = [beside.preprocess_javascript(about(how)).replace("export async", "async") for how in HOW]
    functions = ",".join(f"(() => {{ {script}; return prepare; }})()" for script in scripts)
    page = PAGE.replace("PREPARES", functions)
    pictures = json.dumps([[which, base64.b64encode(file).decode()] for which, file in cases])
    return answered(page.replace("PICTURES", pictures), folder)


def answered(page, folder):
    """What a page posts to /found when chromium has opened it."""
    found = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self):
            found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        call = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        call += [f"--user-data-dir={folder}", f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return found.get(timeout=120)
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_browser_prepares_pictures_as_pillow_does(tmp_path):
    files = [file_of(h, w) for h, w in SIZES] + [file_of(90, 70, orientation=6)]
    cases = [(which, file) for which in range(len(HOW)) for file in files]
    found = in_browser(cases, tmp_path)
    assert len(found) == len(cases), found[-1]
    for (which, file), flat in zip(cases, found, strict=True):
        names = {}
        exec(beside.preprocess_python(about(HOW[which])), names)
        expected = names["prepare"](ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB")).astype(int)
        off = np.abs(np.array(flat).reshape(expected.shape) - expected)
        moved = np.abs(np.roll(expected, 1, 1) - expected)[:, 1:]  # what one pixel beside would differ by
        assert off.mean() < min(2, moved.mean() / 4)
        assert off.max() < 16  # where it shrinks one side tenfold
