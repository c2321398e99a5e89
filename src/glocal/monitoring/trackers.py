"""Trackers, which get the numbers of a run besides its own files: TensorBoard, and MLflow where it is asked for."""

import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from glocal.artifacts.run_folder import RunFolder
from glocal.errors import RunError
from glocal.files import read_json, read_yaml, write_whole
from glocal.passwords import public_url, with_passwords, without_passwords

PATIENCE_S = 5.0


class Tracker(Protocol):
    """Gets the numbers of a run from its `Log`; `step` counts the steps since the start of the run."""

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """Numbers after a step, or those of an epoch."""

    def close(self, status: str) -> None:
        """After the run has ended: "FINISHED", "FAILED" or "KILLED"."""


class TensorBoard:
    """TensorBoard's event files. What a killed process wrote after step `start` is not shown, since these steps are repeated."""

    def __init__(self, run: RunFolder, *, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        is_new = not run.events.is_dir()
        self._writer: Any = SummaryWriter(str(run.events), purge_step=start + 1 if start else None)
        if is_new and run.settings.is_file():
            text = run.settings.read_text(encoding="utf-8")
            self._writer.add_text("run.yaml", "".join(f"    {line}\n" for line in text.splitlines()))
            self._add_settings(read_yaml(run.settings, "settings")["settings"])

    def _add_settings(self, settings: Mapping[str, Any]) -> None:
        """Writes the settings for the HPARAMS tab; `add_hparams` would put them into a run of their own."""
        from torch.utils.tensorboard.summary import hparams

        plain = {k: v if isinstance(v, (bool, int, float, str)) else json.dumps(v) for k, v in settings.items()}
        summaries: Callable[..., Any] = hparams
        for summary in summaries(plain, {"val_top1": 0, "val_loss": 0}):
            self._writer._get_file_writer().add_summary(summary)

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """The names of those of a step start with "step/"."""
        for name, value in values.items():
            self._writer.add_scalar(name if every_epoch else f"step/{name}", value, step)

    def close(self, status: str) -> None:
        """Writes what has not been written yet. After an interrupt it waits for a moment alone: a second Ctrl-C can fall between
        the locks of the writer's queue, which then is never empty."""
        if status != "KILLED":
            self._writer.close()
            return
        closing = threading.Thread(target=self._writer.close, daemon=True)
        closing.start()
        closing.join(PATIENCE_S)


class MLflow:
    """A run in an MLflow store: parameters once, metrics each epoch, and at the end the small files of the run's folder.

    The id of MLflow's run is in mlflow.json, so that a resumed run uses the same one and logs no epoch twice. Of MLflow's
    global state only variables of the environment are changed, where they are not set: telemetry is off, attempts are few,
    and folders are allowed as stores.
    """

    ARTIFACTS = ("run.yaml", "architecture.yaml", "metrics.csv", "predictions.csv", "warnings.csv", "plots")

    def __init__(self, run: RunFolder, store: str) -> None:
        store = public_url(store)
        if importlib.util.find_spec("mlflow") is None:
            raise RunError(
                f"--mlflow {store} needs MLflow, which is not installed: pip install 'glocal[mlflow]', "
                "or leave out --mlflow and unset MLFLOW_TRACKING_URI"
            )
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # 7 tries, the default, take minutes where the address is wrong
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        if "://" not in store:  # MLflow discourages folders, and wants to be asked for them
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            store = Path(store).resolve().as_uri()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._run, self._id_file, self._latest_step = run, run.path / "mlflow.json", -1
        try:
            self._client = MlflowClient(tracking_uri=with_passwords(store))
            self._id = self._resume() if self._id_file.exists() else self._create(store)
        except (MlflowException, OSError, ImportError) as error:
            reason = without_passwords((str(error).splitlines() or [type(error).__name__])[0])
            hint = "; a data base needs the whole of MLflow: pip install mlflow" if store.startswith("sqlite") else ""
            raise RunError(f"the MLflow store {store} cannot be used: {reason}{hint}") from None

    def _create(self, store: str) -> str:
        """Creates MLflow's run; returns its id."""
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name("glocal")
        experiment = found.experiment_id if found else self._client.create_experiment("glocal")
        about = read_yaml(self._run.settings, "data", "git", "settings")
        tags = {
            "folder": str(self._run.path.resolve()),
            "data": about["data"]["source"],
            "git": about["git"] or "",
            **({"parent": about["parent"]["folder"]} if "parent" in about else {}),
        }
        run_id = str(self._client.create_run(experiment, run_name=self._run.path.name, tags=tags).info.run_id)
        params = [Param(key, str(value)) for key, value in about["settings"].items()]
        for i in range(0, len(params), 100):  # the most that a request may have
            self._client.log_batch(run_id, params=params[i : i + 100])
        write_whole(self._id_file, json.dumps({"store": store, "run_id": run_id}).encode())
        return run_id

    def _resume(self) -> str:
        """The id of the run that was resumed; what MLflow has of it is not logged again."""
        run_id = _read_id(self._id_file)["run_id"]
        self._client.update_run(run_id, status="RUNNING")
        self._latest_step = max((m.step for m in self._client.get_metric_history(run_id, "val_loss")), default=-1)
        return run_id

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """Logs those of epochs only, because each call is a request."""
        from mlflow.entities import Metric

        if every_epoch and step > self._latest_step:
            now = int(time.time() * 1000)
            self._client.log_batch(self._id, metrics=[Metric(name, v, now, step) for name, v in values.items()])
            self._latest_step = step

    def close(self, status: str) -> None:
        """Uploads the small files. Weights stay in the folder, which is in the tag `folder`."""
        for name in self.ARTIFACTS:
            if (path := self._run.path / name).is_dir():
                self._client.log_artifacts(self._id, str(path), name)
            elif path.exists():
                self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, status)


def trackers(run: RunFolder, *, start: int, mlflow: str | None) -> list[Tracker]:
    """TensorBoard where it is installed; MLflow where `mlflow` names its store, or where the run was started with one.

    Raises RunError where MLflow is asked for and cannot be used.
    """
    found: list[Tracker] = []
    if importlib.util.find_spec("tensorboard") is not None:
        found.append(TensorBoard(run, start=start))
    if (path := run.path / "mlflow.json").exists():
        mlflow = _read_id(path)["store"]
    if mlflow:
        found.append(MLflow(run, mlflow))
    return found


def _read_id(path: Path) -> dict[str, str]:
    """The store and the id of MLflow's run; RunError for a file that is not whole."""
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("store", "run_id")):
        raise RunError(
            f"{path} is not whole: it must have a store and a run_id; without the file a new run is created there"
        )
    return found
