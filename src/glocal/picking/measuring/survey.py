"""Before the race: each candidate is timed on the device, and probed where it has weights; those over a limit are refused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from glocal.errors import RunError
from glocal.evaluation.probe import load_for_probe, probe
from glocal.families import list_models
from glocal.picking.candidates import Candidate, Refused
from glocal.picking.measuring.limits import Footprint, Measure, within_measured
from glocal.picking.open_pick import OpenPick, check_enough
from glocal.picking.plan import measure_epochs

FILE = "candidates.json"
PROBED = 2000  # pictures of each split at most: the interval is then +-2 points


@dataclass(frozen=True)
class ProbeScore:
    """Accuracy of a logistic regression on the features of a candidate's weights, with its 95 % interval."""

    top1: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """candidates.json: what was measured of each candidate, and why some are over a limit."""

    footprints: dict[str, Footprint]
    refused: dict[str, str]
    epoch_s: dict[str, float]
    probes: dict[str, ProbeScore]


@dataclass(frozen=True)
class Survey:
    """The candidates that are within all limits, what was measured of every one, and the reasons of those that are not."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]
    footprints: Mapping[str, Footprint]
    epoch_s: Mapping[str, float]
    probes: Mapping[str, ProbeScore]


def survey(opened: OpenPick, measure: Measure) -> Survey:
    """Measures the candidates, or reads what an earlier session measured. ComparisonError where fewer than two are left."""
    stored = opened.stored(FILE, Measured)
    if stored is None:
        footprints = dict(measure(opened.candidates, opened.machine.device))
        kept, slow = within_measured(opened.candidates, footprints, opened.settings)
        check_enough(kept, slow)
        epoch_s = measure_epochs(
            kept,
            opened.data,
            opened.recipe,
            device=opened.machine.device,
            threads=opened.threads,
            workers=opened.workers,
        )
        probes = {each.name: _probe(each, opened) for each in kept if each.weights is not None}
        stored = Measured(footprints, {each.name: each.reason for each in slow}, epoch_s, probes)
        opened.store(FILE, asdict(stored))
        opened.clock.save()
    kept = tuple(each for each in opened.candidates if each.name not in stored.refused)
    if missing := [each.name for each in kept if not {each.name} <= stored.epoch_s.keys() & stored.footprints]:
        raise RunError(f"{opened.folder / FILE} is not whole: {missing[0]} is not in it; delete it, and resume")
    refused = (Refused(name, reason) for name, reason in stored.refused.items())
    return Survey(kept, (*opened.refused, *refused), stored.footprints, stored.epoch_s, stored.probes)


def _probe(candidate: Candidate, opened: OpenPick) -> ProbeScore:
    """The probe reads pictures as the weights say, and not as the recipe does."""
    assert candidate.weights is not None
    model = candidate.name if candidate.name in list_models() else None
    network, preprocess = load_for_probe(candidate.weights, model=model)
    found = probe(
        network.to(opened.machine.device),
        opened.data,
        preprocess=preprocess,
        machine=opened.machine,
        pictures=PROBED,
    )
    return ProbeScore(found.top1, found.interval)
