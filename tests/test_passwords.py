"""No file and no message holds the password of a URL, and what opens the URL has it."""

import base64
import contextlib
import functools
import http.server
import io
import os
import tarfile
import threading

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import glocal
from glocal.artifacts.run_folder import RunFolder
from glocal.errors import GlocalError
from glocal.files import read_yaml, write_yaml
from glocal.monitoring.trackers import MLflow
from glocal.passwords import VARIABLE, public_url, with_passwords, without_passwords

SECRET = "s3cr3t-w0rd"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:12/3@host:5432/db", "postgresql://me@host:5432/db"),
        ("--storage=postgresql+pg8000://me:sec:r@e/t@host/db", "--storage=postgresql+pg8000://me@host/db"),
        ("postgresql://me@host/db?password=secret&ssl=1", "postgresql://me@host/db?password=...&ssl=1"),
        ("lost https://u:secret@host/a.tar and more", "lost https://u@host/a.tar and more"),
        ("https://:secret@host/a.tar", "https://@host/a.tar"),
        ("https://u:123@host/a.tar", "https://u@host/a.tar"),
        ("https://b.s3.eu/a.tar?X-Amz-Signature=secret", "https://b.s3.eu/a.tar?X-Amz-Signature=..."),
        ("https://host:8000/a.tar", "https://host:8000/a.tar"),
        ("https://host:8000/a@b.tar", "https://host:8000/a@b.tar"),
    ],
)
def test_passwords_in_urls_are_not_shown(text, shown):
    assert without_passwords(text) == shown


@given(password=st.text(st.characters(exclude_categories=("Z", "C")), min_size=1), port=st.integers(1, 65535))
def test_a_url_is_found_again_by_what_is_shown_of_it(password, port):
    os.environ[VARIABLE] = ""
    url = f"postgresql://me:{password}@host:{port}/db"
    assert public_url(url) == f"postgresql://me@host:{port}/db"
    assert with_passwords(f"postgresql://me@host:{port}/db") == url
    assert with_passwords("postgresql://me@other/db") == "postgresql://me@other/db"


@pytest.mark.parametrize(
    ("known", "url", "whole"),
    [
        ("https://u:pw@host/a-{0..3}.tar", "https://u@host/a-2.tar", "https://u:pw@host/a-2.tar"),
        ("https://u:pw@host/a.tar", "https://u@host.evil/a.tar", "https://u@host.evil/a.tar"),
        ("https://u:pw@host/a.tar", "https://v@host/a.tar", "https://v@host/a.tar"),
        ("https://u:pw@host/a.tar", "http://u@host/a.tar", "http://u@host/a.tar"),
        ("https://host/a-{0..3}.tar?v=1&sig=pw", "https://host/a-1.tar?v=1&sig=...", "https://host/a-1.tar?v=1&sig=pw"),
        ("https://host/a.tar?sig=pw", "https://other/a.tar?sig=...", "https://other/a.tar?sig=..."),
    ],
)
def test_a_password_goes_to_its_own_user_and_host_only(known, url, whole):
    public_url(known)
    assert with_passwords(url) == whole


def test_the_store_of_mlflow_can_have_its_password_in_its_own_variable(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://u:pw@host")
    assert with_passwords("https://u@host") == "https://u:pw@host"


def test_yaml_files_hold_no_password(tmp_path):
    write_yaml(tmp_path / "a.yaml", {"a": [f"https://u:{SECRET}@host/x?sig={SECRET}"], "b": "c: d", "e": 1})
    assert read_yaml(tmp_path / "a.yaml") == {"a": ["https://u@host/x?sig=..."], "b": "c: d", "e": 1}


def test_a_store_of_mlflow_that_cannot_be_used_is_named_without_its_password(tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"settings": {}, "data": {"source": "digits"}, "git": None}))
    with pytest.raises(GlocalError, match="u@127") as caught:
        MLflow(RunFolder(tmp_path), f"nothing://u:{SECRET}@127.0.0.1:9/x")
    assert SECRET not in str(caught.value)


@contextlib.contextmanager
def guarded(folder):
    """The address of a server of files that asks for a name and a password."""

    class Guarded(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            wanted = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
            if self.headers["Authorization"] != wanted:
                return self.send_error(401)
            return super().do_GET()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Guarded, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def shard(path, seed):
    rng = np.random.default_rng(seed)
    with tarfile.open(path, "w") as tar:
        for i in range(12):
            data = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(data, "png")
            for name, content in ((f"{i}.png", data.getvalue()), (f"{i}.cls", str(i % 2).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


@pytest.mark.slow
def test_pictures_and_weights_behind_a_password_are_trained_from_and_no_file_holds_it(tmp_path, monkeypatch, capfd):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr("glocal.data.sources.remote.PAUSES_S", (0.0,))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "far").mkdir()
    for i in range(3):
        shard(tmp_path / "far" / f"a-{i}.tar", i)
    few = {"img_size": 16, "epochs": 1, "batch_size": 8, "device": "cpu"}
    with guarded(tmp_path / "far") as host:
        url = f"http://me:{SECRET}@{host}/a-{{0..2}}.tar"
        run = glocal.train(url, model="cct_2_3x2_32", output=tmp_path, name="x", **few)
        (tmp_path / "far" / "w.safetensors").write_bytes((run.folder / "weights" / "best.safetensors").read_bytes())
        again = glocal.train(
            url,
            weights=f"http://me:{SECRET}@{host}/w.safetensors",
            model="cct_2_3x2_32",
            output=tmp_path,
            name="y",
            **few,
        )
        assert glocal.evaluate(again.folder).n
    said = capfd.readouterr()
    assert f"me@{host}" in (again.folder / "run.yaml").read_text()
    assert SECRET not in said.out + said.err
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == []
