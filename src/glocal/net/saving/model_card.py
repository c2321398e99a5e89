"""The page that describes a network on the Hugging Face hub: front matter for machines, results and preprocessing for people."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from glocal.design import Architecture, cost, show
from glocal.design.text import count

NAMED = 100  # classes named on the page; all of them stand in config.json


class Result(NamedTuple):
    """The share of pictures classified rightly, with its 95 % interval; `pictures` says which pictures they were."""

    pictures: str
    n: int
    top1: float
    interval: tuple[float, float]


def model_card(
    arch: Architecture,
    *,
    labels: Sequence[str],
    preprocess: Mapping[str, Any],
    multi_label: bool = False,
    repo_id: str | None = None,
    licence: str | None = None,
    results: Sequence[Result] = (),
) -> str:
    """The page as Markdown. licence: an identifier of the hub's, such as "apache-2.0"; None says that none was named."""
    import yaml

    front = yaml.safe_dump(_front_matter(arch, licence, results), sort_keys=False, allow_unicode=True, width=120)
    size, total = str(arch.image), cost(arch)
    kind = "Each picture may be of several classes or of none" if multi_label else "Each picture is of one class"
    sections = [
        f"---\n{front}---\n",
        f"# {arch.name}\n",
        f"An image network of glocal's design space: {count(total.params)} weights, {count(total.macs)} multiply-adds for a "
        f"picture of {size}. {kind if labels else 'It has no named classes'}.\n",
        _results(results, multi_label),
        _use(repo_id or "OWNER/REPO"),
        _preprocessing(arch, preprocess),
        _classes(labels),
        f"## Architecture\n\n```\n{show(arch)}\n```\n",
        "## Licence\n\n" + (f"{licence}\n" if licence else "None was named by who published these weights.\n"),
    ]
    return "\n".join(section for section in sections if section)


def _front_matter(arch: Architecture, licence: str | None, results: Sequence[Result]) -> dict[str, Any]:
    front: dict[str, Any] = {"library_name": "glocal", "pipeline_tag": "image-classification"}
    front |= {"license": licence} if licence else {}
    front |= {"tags": ["glocal", "image-classification", "pytorch"]}
    if results:
        rows = [
            {
                "task": {"type": "image-classification"},
                # by the configuration the hub tells results of one type of data set apart
                "dataset": {"type": "imagefolder", "name": result.pictures, "config": result.pictures},
                "metrics": [{"type": "accuracy", "name": "top-1", "value": round(result.top1, 6)}],
            }
            for result in results
        ]
        front |= {"model-index": [{"name": arch.name, "results": rows}]}
    return front


def _results(results: Sequence[Result], multi_label: bool) -> str:
    if not results:
        return "## Results\n\nNone were given with these weights.\n"
    what = "most probable class is one of the picture's" if multi_label else "top-1"
    lines = [f"| pictures | n | {what} | 95 % interval |", "|---|---:|---:|---:|"]
    for result in results:
        low, high = result.interval
        lines.append(f"| {result.pictures} | {result.n:,} | {result.top1:.2%} | {low:.2%} to {high:.2%} |")
    note = "The intervals are Wilson's: of the pictures drawn, not of another training."
    return "## Results\n\n" + "\n".join(lines) + f"\n\n{note}\n"


def _use(repo_id: str) -> str:
    lines = ["import glocal", "", f'network = glocal.create_model("hf:{repo_id}").eval()', "print(network.labels[:3])"]
    return "## Use\n\n```python\n" + "\n".join(lines) + "\n```\n"


def _preprocessing(arch: Architecture, preprocess: Mapping[str, Any]) -> str:
    if not preprocess:
        return f"## Pictures\n\nOf {arch.image}. How they were normalised is not known.\n"
    lines = [f"| {name} | {value} |" for name, value in sorted(preprocess.items())]
    return "## Pictures\n\n| setting | value |\n|---|---|\n" + "\n".join(lines) + "\n"


def _classes(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    more = f" and {len(labels) - NAMED:,} more, in config.json" if len(labels) > NAMED else ""
    names = ", ".join(f"`{name}`" for name in labels[:NAMED])
    return f"## Classes\n\n{len(labels):,}, in the order of the logits: {names}{more}\n"
