"""Where the numbers of a run are sent besides its own files: TensorBoard's events, and MLflow if asked. When, is in `log`."""

import importlib.util
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

from glocal.errors import RunError
from glocal.training.folder import RunFolder
from glocal.weights.files import whole_file


class Tracker(Protocol):
    """Is told the numbers of a run; `step` counts the steps done since its beginning."""

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """Numbers after a step, or those of an epoch."""

    def close(self, status: str) -> None:
        """The end, by now: "FINISHED", "FAILED" or "KILLED"."""


class TensorBoard:
    """Events of a run. What a killed process wrote after step `start` is not shown: those steps are done anew."""

    def __init__(self, run: RunFolder, *, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.events), purge_step=start + 1 if start else None)
        if not start and run.settings.is_file():
            text = run.settings.read_text()
            self._writer.add_text("run.yaml", "".join(f"    {line}\n" for line in text.splitlines()))
            self._compare(yaml.safe_load(text)["settings"])

    def _compare(self, settings: Mapping[str, Any]) -> None:
        """The settings for the HPARAMS tab; `add_hparams` would put them into a run of their own."""
        from torch.utils.tensorboard.summary import hparams

        plain = {k: v if isinstance(v, (bool, int, float, str)) else json.dumps(v) for k, v in settings.items()}
        for summary in hparams(plain, {"val_top1": 0, "val_loss": 0}):
            self._writer._get_file_writer().add_summary(summary)

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """Those of a step lie below "step/"."""
        for name, value in values.items():
            self._writer.add_scalar(name if every_epoch else f"step/{name}", value, step)

    def close(self, status: str) -> None:
        """Writes what is still to be written."""
        self._writer.close()


class MLflow:
    """A run in an MLflow store: parameters once, metrics each epoch, and at the end the small files of the run's folder.

    The run's id is kept in mlflow.json, so a resumed run goes on with it and tells no epoch twice. Nothing of MLflow's
    global state is set but variables of the environment, where they are not set: its telemetry off, few attempts, and
    folders allowed as stores.
    """

    ARTIFACTS = ("run.yaml", "architecture.yaml", "metrics.csv", "answers.csv", "warnings.csv", "plots")

    def __init__(self, run: RunFolder, store: str) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise RunError(
                f"MLflow is asked for ({store}) and not installed: pip install 'glocal[mlflow]', "
                "or leave out --mlflow and unset MLFLOW_TRACKING_URI"
            )
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # with 7, an address that is wrong takes minutes
        if "://" not in store:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow calls folders a form that will not grow
            store = Path(store).resolve().as_uri()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._run, self._note = run, run.path / "mlflow.json"
        try:
            self._client = MlflowClient(tracking_uri=store)
            self._id = self._resumed() if self._note.exists() else self._begun(store)
        except (MlflowException, OSError, ImportError) as error:
            told = str(error).splitlines()[0]
            hint = "; a data base needs the whole of MLflow: pip install mlflow" if store.startswith("sqlite") else ""
            raise RunError(f"the MLflow store {store} cannot be used: {told}{hint}") from None

    def _begun(self, store: str) -> str:
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name("glocal")
        experiment = found.experiment_id if found else self._client.create_experiment("glocal")
        about = yaml.safe_load(self._run.settings.read_text())
        tags = {"folder": str(self._run.path.resolve()), "data": about["data"]["source"], "git": about["git"] or ""}
        run_id = self._client.create_run(experiment, run_name=self._run.path.name, tags=tags).info.run_id
        params = [Param(key, str(value)) for key, value in about["settings"].items()]
        for i in range(0, len(params), 100):  # the most that a request may hold
            self._client.log_batch(run_id, params=params[i : i + 100])
        with whole_file(self._note) as file:
            file.write(json.dumps({"store": store, "run_id": run_id}).encode())
        self._told = -1
        return run_id

    def _resumed(self) -> str:
        run_id = json.loads(self._note.read_text())["run_id"]
        self._client.update_run(run_id, status="RUNNING")
        self._told = max((m.step for m in self._client.get_metric_history(run_id, "val_loss")), default=-1)
        return run_id

    def scalars(self, values: Mapping[str, float], *, step: int, every_epoch: bool) -> None:
        """Only those of epochs: each call is a request."""
        from mlflow.entities import Metric

        if every_epoch and step > self._told:
            now = int(time.time() * 1000)
            self._client.log_batch(self._id, metrics=[Metric(name, v, now, step) for name, v in values.items()])
            self._told = step

    def close(self, status: str) -> None:
        """Hands over the small files. Weights stay in the folder, which the tag `folder` names."""
        for name in self.ARTIFACTS:
            if (path := self._run.path / name).is_dir():
                self._client.log_artifacts(self._id, str(path), name)
            elif path.exists():
                self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, status)


def trackers(run: RunFolder, *, start: int, mlflow: str | None) -> list[Tracker]:
    """TensorBoard where it is installed; MLflow where `mlflow` names its store, or where the run was begun with one.

    Raises RunError where MLflow is asked for and cannot be used.
    """
    found: list[Tracker] = []
    if importlib.util.find_spec("tensorboard") is not None:
        found.append(TensorBoard(run, start=start))
    if (note := run.path / "mlflow.json").exists():
        mlflow = json.loads(note.read_text())["store"]
    if mlflow:
        found.append(MLflow(run, mlflow))
    return found
