"""Figures and one page of what is in the folder of a search. It reads plain files and imports neither training nor searching."""

from glocal.reporting.candidates import draw_candidates, draw_front
from glocal.reporting.locality import Locality, letters, locality
from glocal.reporting.network_picture import draw_network
from glocal.reporting.plots import draw_search
from glocal.reporting.search_page import write_report

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
