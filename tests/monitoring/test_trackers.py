"""Curves are told once: resumed ones go on where the state was, in TensorBoard and in MLflow."""

import importlib.util
import threading

import pytest
import yaml

from glocal.artifacts.run_folder import RunFolder
from glocal.errors import RunError
from glocal.monitoring import trackers as module
from glocal.monitoring.trackers import MLflow, TensorBoard, trackers

ABOUT = {"settings": {"lr": 0.1, "model": "x", "mean": [0.5]}, "data": {"source": "digits"}, "git": None}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(ABOUT))
    return RunFolder(tmp_path)


def test_a_resumed_run_goes_on_with_its_curves_and_leaves_no_point_twice(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = TensorBoard(run, start=0)
    for step in range(1, 11):
        first.scalars({"loss": 1.0}, step=step, every_epoch=False)
    first.scalars({"val_loss": 0.5}, step=5, every_epoch=True)
    first.close("KILLED")
    again = TensorBoard(run, start=6)  # the state was that of step 6
    for step in range(7, 13):
        again.scalars({"loss": 2.0}, step=step, every_epoch=False)
    again.close("FINISHED")
    events = EventAccumulator(str(run.events)).Reload()
    points = {e.step: e.value for e in events.Scalars("step/loss")}
    assert [e.step for e in events.Scalars("step/loss")] == list(range(1, 13))
    assert (points[6], points[7]) == (1.0, 2.0)
    assert [e.step for e in events.Scalars("val_loss")] == [5]
    assert "lr: 0.1" in events.Tensors("run.yaml/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_mlflow_asked_for_and_not_installed_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert trackers(run, start=0, mlflow=None) == []
    with pytest.raises(RunError, match=r"pip install 'glocal\[mlflow\]'"):
        trackers(run, start=0, mlflow="mlruns")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="needs mlflow-skinny")
def test_mlflow_keeps_one_run_of_a_run_that_was_resumed(run, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = tmp_path / "store"
    for epochs, status in (((1, 2), "KILLED"), ((2, 3), "FINISHED")):
        tracker = MLflow(run, str(store))
        for epoch in epochs:
            tracker.scalars({"val_loss": 1 / epoch}, step=10 * epoch, every_epoch=True)
        tracker.scalars({"loss": 1.0}, step=11, every_epoch=False)
        tracker.close(status)
    client = MlflowClient(tracking_uri=store.as_uri())
    (kept,) = client.search_runs([client.get_experiment_by_name("glocal").experiment_id])
    assert (kept.info.status, kept.data.params["lr"]) == ("FINISHED", "0.1")
    assert [m.step for m in client.get_metric_history(kept.info.run_id, "val_loss")] == [10, 20, 30]
    assert [f.path for f in client.list_artifacts(kept.info.run_id)] == ["run.yaml"]
    with pytest.raises(RunError, match="cannot be used"):
        MLflow(RunFolder(tmp_path), "nonsense://x")


def test_an_interrupted_run_does_not_wait_for_a_writer_that_never_ends(tmp_path, monkeypatch):
    tracker, ended = TensorBoard(RunFolder(tmp_path), start=0), threading.Event()
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    monkeypatch.setattr(tracker._writer, "close", ended.wait)
    tracker.close("KILLED")
    assert not ended.is_set()
    ended.set()
    monkeypatch.undo()
    tracker.close("FINISHED")
