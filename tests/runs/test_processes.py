"""Real processes over gloo: two give the loss of one, divide what they hold, and go on in another number."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import glocal
from glocal.errors import RecipeError
from glocal.weights.files import read

# No dropout and no erasing, whose draws belong to a process; mixing, whose draws belong to all. 20 steps.
SETTINGS = {
    "model": "cct_2_3x2_32",
    "img_size": 16,
    "epochs": 10,
    "batch_size": 16,
    "opt": "sgd",  # Adam divides by the size of the gradient, and makes its rounding visible where that is near 0
    "lr": 0.05,
    "warmup_epochs": 1,
    "drop_path": 0.0,
    "attention_dropout": 0.0,
    "mixup": 0.8,
    "cutmix": 1.0,
    "clip_grad": 1.0,
    "ema": 0.9,
}

PROGRAM = """
import json, sys
import glocal
from glocal.training import loop
step, losses = loop._step, []
def counted(*a, **k):
    result = step(*a, **k)
    losses.append(result.loss)
    return result
loop._step = counted
ask = json.loads(sys.argv[1])
run = glocal.resume(ask.pop("resume"), **ask) if "resume" in ask else glocal.train(ask.pop("data"), recipe="small", **ask)
with open(f"{run.folder}/losses.json", "w") as file:
    json.dump(losses, file)
"""


def launched(ask, tmp_path, *, processes):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    several = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)] if processes > 1 else []
    )
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *several, str(script), json.dumps(ask)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def losses(folder):
    return json.loads((folder / "losses.json").read_text())


def ask(data, output, **more):
    return {"data": str(data), **SETTINGS, "output": str(output), "name": "x", "device": "cpu", **more}


@pytest.fixture
def alone(colours, tmp_path):
    launched(ask(colours, tmp_path / "one"), tmp_path, processes=1)
    return tmp_path / "one" / "x"


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_give_the_loss_of_one_at_equal_total_batch(colours, tmp_path, alone, parallel):
    launched(ask(colours, tmp_path / "two", parallel=parallel), tmp_path, processes=2)
    one, two = losses(alone), losses(tmp_path / "two" / "x")
    assert len(one) == len(two) == 20
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-6
    for which in ("best", "last"):
        kept = [read(folder / "weights" / f"{which}.safetensors").tensors for folder in (alone, tmp_path / "two" / "x")]
        for key, tensor in kept[0].items():
            torch.testing.assert_close(kept[1][key], tensor, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("then", [1, 2])
def test_a_divided_run_that_was_stopped_goes_on_in_another_number_of_processes(colours, tmp_path, alone, then):
    stopped = ask(colours, tmp_path / "cut", parallel="fsdp", checkpoint_s=0.0)
    script = PROGRAM.replace("losses.append(result.loss)", "losses.append(result.loss); _stop(losses)").replace(
        "step, losses",
        "import os, signal\ndef _stop(done):\n    len(done) == 7 and os.kill(os.getpid(), signal.SIGTERM)\nstep, losses",
    )
    (tmp_path / "stops.py").write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    cut = subprocess.run(
        [*command, str(tmp_path / "stops.py"), json.dumps(stopped)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    folder = tmp_path / "cut" / "x"
    assert cut.returncode != 0
    assert "stopped by SIGTERM after step 7" in cut.stderr
    state = json.loads((folder / "state" / "last.json").read_text())
    assert (state["step"], state["parts"]) == (7, 2)
    assert sorted(p.name for p in (folder / "state" / "step-7").iterdir()) == [f"{i}-of-2.safetensors" for i in (0, 1)]
    launched({"resume": str(folder)}, tmp_path, processes=then)
    assert max(abs(a - b) for a, b in zip(losses(alone)[7:], losses(folder), strict=True)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(2, 1), (2, 2), (1, 2)])
def test_a_divided_run_is_trained_longer_in_another_number_of_processes(colours, tmp_path, first, then):
    parallel = {"parallel": "fsdp"} if first > 1 else {}
    launched(ask(colours, tmp_path / "runs", sched="constant", **parallel), tmp_path, processes=first)
    parallel = {"parallel": "fsdp" if then > 1 else "ddp"}
    launched({"resume": str(tmp_path / "runs" / "x"), "epochs": 12, **parallel}, tmp_path, processes=then)
    launched(ask(colours, tmp_path / "whole", sched="constant", epochs=12), tmp_path, processes=1)
    longer = losses(tmp_path / "runs" / "x-12-epochs")
    assert max(abs(a - b) for a, b in zip(losses(tmp_path / "whole" / "x")[20:], longer, strict=True)) < 1e-6


def test_one_process_has_nothing_to_divide(colours, tmp_path):
    with pytest.raises(RecipeError, match="torchrun --nproc_per_node 2"):
        glocal.train(colours, parallel="fsdp", output=tmp_path)


@pytest.mark.slow
def test_a_scheduler_s_signal_is_answered_with_the_state_and_its_code(colours, tmp_path):
    words = "--recipe small --model cct_2_3x2_32 --img-size 16 --epochs 200 --batch-size 8 --name x".split()
    command = [sys.executable, "-m", "glocal", "train", str(colours), *words, "--output", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "runs" / "x"
    while not (folder / "metrics.csv").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    step = json.loads((folder / "state" / "last.json").read_text())["step"]
    assert f"stopped by SIGTERM after step {step:,}, whose state is saved" in told
    assert f"glocal train --resume {folder}" in told
    assert Path(folder / "weights" / "last.safetensors").exists()
