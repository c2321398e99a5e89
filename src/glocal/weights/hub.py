"""A trained network as the folder that the Hugging Face hub expects, and that folder pushed to the hub where it is asked for."""

import csv
import json
import logging
import math
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glocal.design import dump
from glocal.errors import WeightError
from glocal.files import write_whole
from glocal.intervals import wilson
from glocal.net import Network
from glocal.net.saving.hub import CARD, CONFIG, WEIGHTS, Description, config
from glocal.net.saving.model_card import Result
from glocal.net.saving.tensor_files import read_meta, write_safetensors
from glocal.weights.find import find_weights
from glocal.weights.networks.any_network import AnyNetwork
from glocal.weights.networks.model_files import Model, load_model

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def write_hub_folder(
    source: str | Path | Model,
    folder: str | Path,
    *,
    repo_id: str | None = None,
    licence: str | None = None,
    results: Sequence[Result] | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> tuple[Path, ...]:
    """Writes config.json, model.safetensors and README.md, the model card, and nothing else; returns their paths.

    source: the folder of a run, for its best weights; a file that `save_model` wrote, or another source of `find_weights`
    that holds one; or a Model. folder: new or empty, or one that holds these three files only, which are replaced.
    repo_id: OWNER/REPO, for the lines of the card that load the network. licence: an identifier of the hub's ("apache-2.0").
    results: of the card; None takes what the weights say of their validation pictures and what the run's tests.csv says of
    its test split. Nothing is sent anywhere. Raises WeightError.
    """
    _check_names(repo_id, licence)
    folder = Path(folder)
    if strange := [path.name for path in folder.glob("*") if path.name not in (CONFIG, WEIGHTS, CARD)]:
        raise WeightError(f"{folder} holds other files ({strange[0]}); give a new folder, or an empty one")
    network, notes, found = _network_and_results(source, echo)
    results = found if results is None else results
    meta = network.description.beside(dump(network.arch), notes=notes)
    write_safetensors(folder / WEIGHTS, network.state_dict(), meta=meta)
    card = network.generate_model_card(repo_id=repo_id, licence=licence, results=results)
    texts = {CONFIG: json.dumps(config(network), indent=2, ensure_ascii=False), CARD: str(card)}
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
    return tuple(folder / name for name in (CONFIG, WEIGHTS, CARD))


def push(
    source: str | Path | Model,
    repo_id: str,
    *,
    licence: str | None = None,
    results: Sequence[Result] | None = None,
    private: bool = False,
    echo: Callable[[str], None] = lambda line: None,
) -> str:
    """Writes the folder of `write_hub_folder` and uploads it to the hub as one commit, by the token of `hf auth login`.

    The repository is made where it is not there. Returns the address of the commit. Raises WeightError, also where the hub
    is not reached or refuses.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    constants.HF_HUB_DISABLE_TELEMETRY = True
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        write_hub_folder(source, folder, repo_id=repo_id, licence=licence, results=results, echo=echo)
        api = HfApi()
        try:
            echo(f"uploading {sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6:,.1f} MB to {repo_id}")
            api.create_repo(repo_id, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Weights and model card"))
        except (HfHubHTTPError, OSError, ValueError) as error:  # no network, no token, no right to write there
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightError(
                f"{repo_id} could not be pushed ({said.rstrip('.')}); log in with: hf auth login"
            ) from None


def _check_names(repo_id: str | None, licence: str | None) -> None:
    if repo_id is not None and not _REPO.fullmatch(repo_id):
        raise WeightError(f"{repo_id!r} is no repository of the hub; write OWNER/REPO")
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise WeightError(
            f"{licence!r} is no licence of the hub's; write its identifier, such as apache-2.0, mit or other"
        )


def _network_and_results(
    source: str | Path | Model, echo: Callable[[str], None]
) -> tuple[Network, Mapping[str, Any], tuple[Result, ...]]:
    """The network of a source, the notes in its file, and the results that source and notes tell."""
    if isinstance(source, Model):
        network, classes, preprocess, multi_label, temperature = source
        network.description = Description(tuple(classes), preprocess, multi_label, temperature)
        return _of_design_space(network), {}, ()
    file = find_weights(source, echo=echo)
    network = _of_design_space(load_model(file).network)
    notes = read_meta(file).get("notes", {})
    return network, notes, (*_validated(notes), *_tested(Path(source) / "tests.csv", file.name))


def _of_design_space(network: AnyNetwork) -> Network:
    if isinstance(network, Network):
        return network
    raise WeightError(
        f"{network.arch.name} is a network of timm, which the hub expects as timm writes it: "
        "timm.models.push_to_hf_hub(load_model(FILE).network.model, 'OWNER/REPO')"
    )


def _validated(notes: Mapping[str, Any]) -> list[Result]:
    """The scores on the validation pictures that training wrote beside the weights."""
    said = notes.get("val")
    if not isinstance(said, dict):
        return []
    return _result("validation pictures", said.get("top1"), said.get("n"))


def _tested(table: Path, file: str) -> list[Result]:
    """The last opening of the test split with these weights, and how many openings there were."""
    if not table.is_file():
        return []
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("weights") == file]
        last = rows[-1] if rows else {}
        times = f"opened {len(rows)} times" if len(rows) > 1 else "opened once"
        return _result(f"test pictures ({times})", float(last["top1"]), int(last["n"])) if rows else []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise WeightError(f"{table} cannot be read: {error}") from None


def _result(pictures: str, top1: Any, n: Any) -> list[Result]:
    if type(n) is not int or n < 1 or not isinstance(top1, float | int) or not (math.isfinite(top1) and 0 <= top1 <= 1):
        return []
    return [Result(pictures, n, float(top1), wilson(float(top1), n))]
