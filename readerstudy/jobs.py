"""The kinds of long work that this app gives to the job mechanism."""

from ctplatform.jobs import registry
from readerstudy.design.drawing import run_draw
from readerstudy.locking.execution import forget_lock, run_lock
from readerstudy.report.execution import run_report

registry.register("study.draw", run_draw)
registry.register("study.lock", run_lock, on_abandoned=forget_lock)
registry.register("study.report", run_report)
