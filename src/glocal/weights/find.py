"""Where weights come from: a file, a run's folder, a URL, the Hugging Face hub, timm's pretrained. Reading them is `files`'.

Nothing is fetched that was not asked for by name, and nothing that was fetched is executed.
"""

import base64
import hashlib
import importlib.util
import logging
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from glocal.caches import cache_folder, trim
from glocal.errors import ArchitectureError, WeightError
from glocal.families import architecture
from glocal.files import whole_file
from glocal.passwords import public_url, with_passwords, without_passwords
from glocal.weights.networks.timm_architecture import (
    TimmArchitecture,
    timm_class,
    timm_config,
    weights_file,
    without_file,
)

SUFFIXES = (".safetensors", ".pth", ".pt", ".tar", ".bin", ".ckpt")
_BY_HAND = "fetch the file where there is a network, and give its path"
Echo = Callable[[str], None]


def find_weights(source: str | Path, *, echo: Echo = lambda line: None) -> Path:
    """The file of weights that a source names, fetched where it lies elsewhere. WeightError where there is none.

    A file; the folder of a run, for its best weights; a folder as the hub has it, with model.safetensors; `https://...` or
    another URL that fsspec reads, kept whole in `cache_folder("weights")`; `hf:OWNER/REPO[/FILE]`, kept in the hub's own
    cache; `timm:NAME[.TAG]`, timm's pretrained weights of a network of ours; `timm:NAME@FILE`, a file with weights of a network
    of timm. A second call with the same source fetches
    nothing. `echo` gets a line, with the size, before a download.
    """
    text = public_url(str(source))
    if (named := weights_file(text)) is not None:
        return _on_disk(named)
    if text.startswith("timm:"):
        card = timm_card(text.removeprefix("timm:"))
        try:
            architecture(card.architecture)
        except ArchitectureError as error:
            raise WeightError(f"{text}: {error} What only timm has can still teach: --set teacher={text}") from None
        if card.hf_hub_id:
            return _from_hub(card.hf_hub_id, card.hf_hub_filename, asked=text, echo=echo)
        return _from_url(str(card.url), echo=echo)
    if text.startswith("hf:"):
        owner, _, rest = text.removeprefix("hf:").partition("/")
        repo, _, file = rest.partition("/")
        if not owner or not repo:
            raise WeightError(f"{text}: write hf:OWNER/REPO, or hf:OWNER/REPO/FILE")
        return _from_hub(f"{owner}/{repo}", file or None, asked=text, echo=echo)
    if re.match(r"[a-z][a-z0-9+.-]+://", text):
        return _from_url(text, echo=echo)
    return _on_disk(Path(text))


def _on_disk(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.exists():
        raise WeightError(
            f"{path}: no such file of weights; possible are a file, the folder of a run, https://..., hf:OWNER/REPO/FILE "
            "and timm:NAME"
        )
    for there in (path / "weights" / "best.safetensors", path / "model.safetensors"):
        if there.is_file():
            return there
    reason = "has finished no epoch yet" if (path / "run.yaml").is_file() else "is not the folder of a run"
    raise WeightError(f"{path} {reason}: it has no weights/best.safetensors")


class Card(NamedTuple):
    """What timm says of pretrained weights: where they lie, and what their network reads."""

    architecture: str
    hf_hub_id: str | None
    hf_hub_filename: str | None
    url: str | None
    classes: tuple[str, ...]  # ImageNet's synsets where the weights are of such a set, else empty
    preprocess: dict[str, Any]


def timm_card(name: str) -> Card:
    """timm's entry for NAME or NAME.TAG. WeightError where timm has no such network or no weights of it."""
    import timm

    base = name.partition(".")[0]
    if not timm.is_model(base):
        near = ", ".join(timm.list_models(f"*{base}*")[:3])
        raise WeightError(f"timm:{name}: timm has no network {base!r}" + (f"; it has {near}" if near else ""))
    try:
        cfg = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:  # no such tag
        cfg = None
    if cfg is None or not (cfg.hf_hub_id or cfg.url):
        tags = ", ".join(timm.list_pretrained(f"{base}.*")) or "none"
        raise WeightError(f"timm:{name}: timm has no weights of that name; of {base} it has: {tags}")
    return _card(base, cfg)


def card_of_file(source: str) -> Card:
    """timm's entry for the network of `timm:NAME@FILE`, whether timm has weights of it or not; ArchitectureError."""
    model = TimmArchitecture.read(without_file(source)).model
    return _card(model, timm_config(model)) if timm_class(model) is None else Card(model, None, None, None, (), {})


def _card(name: str, cfg: Any) -> Card:
    import timm

    preprocess = {
        "size": list(cfg.input_size[1:]),
        "crop_pct": cfg.crop_pct,
        "interpolation": cfg.interpolation if cfg.interpolation in ("bilinear", "bicubic", "nearest") else "bicubic",
        "mean": list(cfg.mean),
        "std": list(cfg.std),
        "aspect": "squash" if cfg.crop_mode == "squash" else "crop",
    }
    subset = timm.data.infer_imagenet_subset(cfg)
    classes = tuple(timm.data.ImageNetInfo(subset).label_names()) if subset else ()
    return Card(name, cfg.hf_hub_id, cfg.hf_hub_filename, cfg.url, classes, preprocess)


def _from_hub(repo: str, file: str | None, *, asked: str, echo: Echo) -> Path:
    """A file of a repository of the hub: the one named, or else its safetensors, or else its .bin."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise WeightError(f"{asked}: this needs the package huggingface_hub (pip install huggingface_hub)")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    constants.HF_HUB_DISABLE_TELEMETRY = True  # where timm has imported it before us
    # Without a network each of its five attempts would be a line.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    names = (file,) if file else ("model.safetensors", "pytorch_model.bin")
    for name in names:
        kept = try_to_load_from_cache(repo, name)
        if isinstance(kept, str):
            return Path(kept)
    for name in names:
        try:
            echo(f"fetching {name} of {repo} from the Hugging Face hub")
            return Path(hf_hub_download(repo, name))
        except LocalEntryNotFoundError as error:
            raise WeightError(
                f"{asked}: {name} of {repo} is not in the hub's cache and the hub was not reached "
                f"({_first_line(error)}); {_BY_HAND}"
            ) from None
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError, ValueError) as error:  # not there, not public, no network, a wrong name
            raise WeightError(f"{asked}: {_first_line(error)}; {_BY_HAND}") from None
    raise WeightError(f"{asked}: {repo} has no {' or '.join(names)}; name its file: hf:{repo}/FILE")


def _from_url(url: str, *, echo: Echo) -> Path:
    """A URL's file in the cache, named by the URL; it is there whole or not at all."""
    name = Path(unquote(urlsplit(url).path)).name
    if not name.endswith(SUFFIXES):
        raise WeightError(f"{url} names no file of weights; such names end in {', '.join(SUFFIXES)}")
    path = cache_folder("weights") / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    if path.is_file():
        return path
    try:
        with _open_url(with_passwords(url)) as (remote, size):
            echo(f"fetching {url} ({_megabytes(size)}) to {path}")
            start = remote.read(16)
            if not _begins_as_weights(start):
                raise WeightError(f"{url} answers with no weights: it begins with {start!r}")
            with whole_file(path) as file:
                file.write(start)
                for piece in _pieces(remote, url):
                    file.write(piece)
                if size is not None and file.tell() != size:
                    raise WeightError(f"{url}: the connection ended after {file.tell():,} of {size:,} bytes; try again")
    except (urllib.error.URLError, OSError, ImportError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightError(f"{url} could not be fetched ({without_passwords(str(reason))}); {_BY_HAND}") from None
    trim("weights")
    return path


@contextmanager
def _open_url(url: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """A URL for reading, and its bytes where the other side says how many."""
    if url.startswith(("https://", "http://")):
        with urllib.request.urlopen(_request(url), timeout=60) as remote:
            length = remote.headers.get("Content-Length")
            yield remote, int(length) if length else None
        return
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    with fs.open(path, "rb") as remote:
        yield remote, fs.size(path)


def _request(url: str) -> urllib.request.Request:
    """For a URL of the web; its user and password become a header, which is not sent to where it may be redirected."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl(), headers={"User-Agent": "glocal"})
    if at:
        word = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(word.encode()).decode()}")
    return request


def _pieces(remote: IO[bytes], url: str) -> Iterator[bytes]:
    """What is left to read. A lost connection is told apart from a disk that cannot be written."""
    try:
        while piece := remote.read(2**20):
            yield piece
    except (OSError, HTTPException) as error:
        raise WeightError(f"{url}: the connection was lost ({without_passwords(str(error))}); try again") from None


def _begins_as_weights(start: bytes) -> bool:
    """Whether it may be safetensors (a length, then a JSON object), a zip of torch's, or a pickle of its early days."""
    return start[8:9] == b"{" or start[:2] == b"PK" or start[:1] == b"\x80"


def _megabytes(size: int | None) -> str:
    return "size not told" if size is None else f"{size / 1e6:,.1f} MB"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
