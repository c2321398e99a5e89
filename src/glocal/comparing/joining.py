"""The task of a study's workers, made anew from its folder: for machines that join by `glocal work`."""

from glocal.comparing.open_study import OpenStudy
from glocal.comparing.trial import StudyTask


def study_task(folder: str) -> StudyTask:
    """Trains an arm of the study with a seed."""
    return OpenStudy.read(folder).task
