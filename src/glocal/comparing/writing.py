"""The files that a study leaves: study.json, study.csv with a row a trial, predictions.parquet with a row a picture."""

import csv
import io
import json
from collections.abc import Mapping

import numpy as np

from glocal.comparing.open_study import OpenStudy
from glocal.comparing.quote import StudyQuote
from glocal.comparing.result import StudyResult
from glocal.comparing.trial import predictions_name, trainings
from glocal.files import whole_file, write_whole

COLUMNS = ("arm", "seed", "accuracy", "train_s", "params", "macs", "folder")


def write_results(opened: OpenStudy, result: StudyResult, quote: StudyQuote) -> None:
    """Writes all three; each takes its place whole."""
    data = {**result.to_json(), "quote": quote.to_json(), "changes": dict(opened.changes), "keeps": opened.study.keeps}
    write_whole(
        opened.folder / "study.json",
        json.dumps({**data, "differs": opened.study.changes}, indent=1, ensure_ascii=False).encode(),
    )
    folders = {arm.name: f"trials/{name}" for name, group in trainings(opened.arms).items() for arm in group}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for arm in result.arms:
        for seed, (accuracy, seconds) in enumerate(zip(arm.accuracies, arm.train_s, strict=True)):
            folder = f"{folders[arm.name]}/seed-{seed}"
            rows.writerow((arm.name, seed, accuracy, round(seconds, 2), arm.params, arm.macs, folder))
    write_whole(opened.folder / "study.csv", text.getvalue().encode())
    _write_predictions(opened, result, folders)


def _write_predictions(opened: OpenStudy, result: StudyResult, folders: Mapping[str, str]) -> None:
    """Arm, seed, path, truth, predicted class and its probability: everything to do the statistics again."""
    import pyarrow as pa
    from pyarrow import parquet

    classes, paths = np.array(opened.data.classes), list(opened.data.val.paths)
    tables = []
    for arm in result.arms:
        for seed in range(len(arm.accuracies)):
            with np.load(opened.folder / folders[arm.name] / f"seed-{seed}" / predictions_name(arm.name)) as found:
                tables.append(
                    pa.table(
                        {
                            "arm": pa.array([arm.name] * len(paths)).dictionary_encode(),
                            "seed": np.full(len(paths), seed, dtype=np.int32),
                            "path": pa.array(paths).dictionary_encode(),
                            "truth": pa.array(classes[found["truth"]]).dictionary_encode(),
                            "predicted": pa.array(classes[found["predicted"]]).dictionary_encode(),
                            "confidence": found["confidence"],
                        }
                    )
                )
    if tables:
        with whole_file(opened.folder / "predictions.parquet") as file:
            parquet.write_table(pa.concat_tables(tables).unify_dictionaries(), file, compression="zstd")
