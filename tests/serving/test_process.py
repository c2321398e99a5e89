"""The server as a process: it ends when it is told to, comes back, and says in one line why it cannot start."""

import asyncio
import json
import signal
import socket

import numpy as np
import pytest

import glocal
from glocal.cli.app import main
from glocal.errors import MissingPackage, RecipeError, RunError
from glocal.serving import serve as module
from glocal.serving.serve import name_of
from serving.client import exchange, picture_request
from serving.process import serving

CLIENTS = 40


@pytest.fixture
def cli(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["glocal", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return run


@pytest.mark.slow
def test_sigterm_answers_what_was_taken_and_a_killed_server_comes_back_on_its_port(weights, predictor, pictures):
    bodies = [path.read_bytes() for path in pictures] * (CLIENTS // len(pictures))
    expected = [p.to_json()["probabilities"] for p in predictor.predictions(pictures)] * (CLIENTS // len(pictures))

    async def load(server):
        waiting = [asyncio.create_task(exchange(server.port, picture_request(body))) for body in bodies]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        server.process.send_signal(signal.SIGTERM)
        return len(done), await asyncio.gather(*waiting)

    with serving(weights, "--port", 0, "--max-batch", 2, "--device", "cpu") as server:
        assert asyncio.run(exchange(server.port, picture_request(bodies[0]))).status == 200
        server.process.kill()
        server.process.wait()
        port = server.port
    with serving(weights, "--port", port, "--max-batch", 2, "--device", "cpu") as server:
        assert server.port == port
        before, answers = asyncio.run(load(server))
        assert server.process.wait(60) == 0
        log = server.log()
    assert before < CLIENTS
    taken = [(answer, probabilities) for answer, probabilities in zip(answers, expected, strict=True) if answer.status]
    for answer, probabilities in taken:
        assert answer.status == 200
        got = json.loads(answer.body)["predictions"][0]["probabilities"]
        assert np.allclose([*got.values()], [*probabilities.values()], atol=2e-6)
    assert len([line for line in log if line["event"] == "request" and line["status"] == 200]) == len(taken)


def test_a_port_in_use_is_one_line_before_anything_is_loaded(cli, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = cli("serve", tmp_path / "nowhere", "--port", port)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"RunError: cannot listen on 127.0.0.1, port {port}: Address already in use; choose another with --port or --host"
    ]


def test_a_path_without_a_model_is_one_line(cli, tmp_path):
    for path in (tmp_path, tmp_path / "none.safetensors"):
        code, out, err = cli("serve", path, "--port", 0)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert str(path) in err


def test_missing_packages_are_named_with_the_command_that_brings_them(monkeypatch, cli, tmp_path):
    monkeypatch.setattr(module, "PACKAGES", ("json", "not_installed"))
    with pytest.raises(MissingPackage, match=r"serving needs not_installed: pip install 'glocal\[serve\]'"):
        glocal.serve(tmp_path)
    assert cli("serve", tmp_path)[2] == "MissingPackage: serving needs not_installed: pip install 'glocal[serve]'\n"


def test_a_host_that_is_not_this_machines_and_a_wrong_setting_are_errors(weights):
    with pytest.raises(RunError, match=r"cannot listen on 203\.0\.113\.1"):
        glocal.serve(weights, host="203.0.113.1")
    with pytest.raises(RecipeError, match="there is no setting 'prot'; did you mean 'port'"):
        glocal.serve(weights, prot=8000)


def test_a_model_is_called_as_its_folder_or_file(tmp_path):
    (tmp_path / "my run (2)" / "weights").mkdir(parents=True)
    best = tmp_path / "my run (2)" / "weights" / "best.safetensors"
    best.touch()
    (tmp_path / "alone.safetensors").touch()
    names = [name_of(path) for path in (best, best.parent.parent, tmp_path / "alone.safetensors")]
    assert names == ["my_run__2", "my_run__2", "alone"]
