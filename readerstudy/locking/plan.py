"""The analysis plan of a study: its options with a digest."""

from typing import Any

from readerstudy.analysis import AnalysisOptions
from readerstudy.ledger.chain import digest_of
from readerstudy.models import Study


def analysis_options(study: Study) -> AnalysisOptions:
    """The frozen options of a locked study, those of the draft before."""
    options = study.protocol.get("analysis_plan", {}).get("options", study.plan_options)
    return AnalysisOptions(**options, balanced=True)


def plan_of(study: Study) -> dict[str, Any]:
    return {"options": dict(study.plan_options), "digest": digest_of(dict(study.plan_options))}
