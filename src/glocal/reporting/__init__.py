"""Figures and one page of what is in the folder of a search. It reads plain files and imports neither training nor searching."""

from glocal.reporting.locality import Locality, letters, locality
from glocal.reporting.network_picture import draw_network
from glocal.reporting.searches.candidates import draw_candidates, draw_front
from glocal.reporting.searches.page import write_report
from glocal.reporting.searches.plots import draw_search

__all__ = [
    "Locality",
    "draw_candidates",
    "draw_front",
    "draw_network",
    "draw_search",
    "letters",
    "locality",
    "write_report",
]
