"""The studies of the papers, and ours, by name: one file a paper (two for the largest), data only."""

from difflib import get_close_matches
from fnmatch import fnmatchcase

from glocal.comparing.study import Study
from glocal.comparing.tables import coatnet, compact, compact_figures, convmixer, convnext, glit, ours
from glocal.errors import ComparisonError

STUDIES: dict[str, Study] = {
    study.name: study
    for paper in (coatnet, convnext, compact, compact_figures, convmixer, glit, ours)
    for study in paper.STUDIES
}


def list_studies(pattern: str = "*") -> list[str]:
    """Names that match a wildcard pattern such as "convnext.*", paper by paper."""
    return [name for name in STUDIES if fnmatchcase(name, pattern)]


def get_study(name: str) -> Study:
    """A study by its name. ComparisonError suggests the nearest known names."""
    if name not in STUDIES:
        near = get_close_matches(name, STUDIES, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`glocal study --list` lists them"
        raise ComparisonError(f"no study is called {name!r}; {hint}")
    return STUDIES[name]
