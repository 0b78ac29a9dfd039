"""The kinds of long work that this app gives to the job mechanism."""

from ctplatform.jobs import registry
from readerstudy.design.drawing import run_draw
from readerstudy.locking.execution import forget_lock, run_lock
from readerstudy.opening.execution import run_audit, run_opening
from readerstudy.report.execution import run_report

registry.register("study.draw", run_draw)
registry.register("study.lock", run_lock, on_abandoned=forget_lock)
registry.register("study.open", run_opening)
registry.register("study.audit", run_audit)
registry.register("study.report", run_report)
