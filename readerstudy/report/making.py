"""The files of a report, whatever was asked: images one by one, or several at a time."""

from readerstudy.report.archive import Progress, report_files
from readerstudy.report.choices.archive import choice_files
from readerstudy.report.choices.report import verified_choice_report
from readerstudy.report.loading import verified_report_data
from readerstudy.unblinding.opened import UnblindedStudy


def made_files(opened: UnblindedStudy, *, on_progress: Progress = lambda _fraction, _message: None) -> dict[str, bytes]:
    """File name to content, after a verification that reads every pixel."""
    if opened.study.asked.task.images > 1:
        return choice_files(verified_choice_report(opened), on_progress=on_progress)
    return report_files(verified_report_data(opened), on_progress=on_progress)
