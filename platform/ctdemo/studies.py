"""The demo's studies: one in draft, one ready to read, one finished with simulated raters."""

from typing import Any

from ctdemo.scans import Report
from ctplatform.accounts.models import User
from ctplatform.datasets.models import Dataset
from ctplatform.errors import ConflictError
from readerstudy.design import services as design
from readerstudy.design.readiness import readiness
from readerstudy.locking.services import request_lock
from readerstudy.models import DisplayMode, Study, StudyState, Template
from readerstudy.opening.services import open_for_reading
from readerstudy.simulation import add_virtual_raters, simulate
from readerstudy.unblinding import services as unblinding

DRAFT = "Inserted lesions, scrollable (draft)"
OPEN = "Removed lesions, whole slices (ready to read)"
FINISHED = "Inserted lesions, patches (finished, simulated raters)"
SIMULATED_RATERS = 5
SIMULATED_SKILL = 0.58
SEED = 2021
LOCK_ATTEMPTS = 3
DRAWS = 10

Settings = dict[str, Any]
STUDIES: dict[str, Settings] = {
    DRAFT: {"template": Template.INSERTED_LESIONS, "display_mode": DisplayMode.STACK, "cases_planned": 16},
    OPEN: {
        "template": Template.REMOVED_LESIONS,
        "display_mode": DisplayMode.SLICE,
        "cases_planned": 20,
        "confidence_levels": 0,
    },
    FINISHED: {"template": Template.INSERTED_LESIONS, "display_mode": DisplayMode.PATCH, "cases_planned": 48},
}


def ensure_studies(dataset: Dataset, owner: User, team: list[User], raters: list[User], report: Report) -> None:
    for title, settings in STUDIES.items():
        study = Study.objects.filter(title=title, owner=owner).first() or start(title, settings, dataset, owner, team)
        if study.is_draft and not study.cases.exists():
            draw(study, owner)
    ensure_open(study_named(OPEN, owner), owner, raters, report)
    ensure_finished(study_named(FINISHED, owner), owner, report)


def draw(study: Study, owner: User) -> None:
    """Again with the next seed, as the readiness list advises, while more than the lesion tells the kinds apart: scans
    have other identifiers in every installation, so that a seed draws other cases there.
    """
    for seed in range(SEED, SEED + DRAWS):
        if study.seed != seed:
            study = design.change_design(study=study, actor=owner, seed=seed)
        design.request_draw(study=study, actor=owner)
        study.refresh_from_db()
        if not any(check.blocks for check in readiness(study) if check.title == "Match"):
            return


def study_named(title: str, owner: User) -> Study:
    return Study.objects.get(title=title, owner=owner)


def start(title: str, settings: Settings, dataset: Dataset, owner: User, team: list[User]) -> Study:
    study = design.create_study(owner=owner, title=title, seed=SEED, **settings)
    design.change_design(study=study, actor=owner, datasets=[dataset])
    design.share(study=study, actor=owner, members=team)
    return study


def ensure_open(study: Study, owner: User, raters: list[User], report: Report) -> None:
    if study.is_draft:
        report(f"Locking “{study.title}”")
        design.set_raters(study=study, actor=owner, users=raters)
        lock(study, owner)
    if study.state == StudyState.LOCKED:
        open_study(study, owner)


def ensure_finished(study: Study, owner: User, report: Report) -> None:
    """Each step looks at the state, so that an interrupted start goes on where it stopped."""
    if study.is_draft:
        report(f"Locking “{study.title}”")
        if not study.raters.exists():
            add_virtual_raters(study=study, actor=owner, count=SIMULATED_RATERS)
        lock(study, owner)
    if study.state == StudyState.LOCKED:
        open_study(study, owner)
    if study.state == StudyState.COLLECTING:
        report(f"{SIMULATED_RATERS} simulated raters read “{study.title}”")
        simulate(study=study, skill=SIMULATED_SKILL, seed=SEED)
        unblinding.close(study=study, actor=owner)
    if study.state == StudyState.CLOSED:
        unblinding.unblind(study=study, actor=owner, typed_title=study.title)


def open_study(study: Study, owner: User) -> None:
    """Receipts and times are new in every check, so that a false alarm does not come again."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            open_for_reading(study=study, actor=owner)
        except ConflictError as error:
            if error.code != "leak" or attempt == LOCK_ATTEMPTS:
                raise
        else:
            return


def lock(study: Study, owner: User) -> None:
    """One in a hundred attempts on a clean study is a false alarm of the leak check; a leak is found in each."""
    for _ in range(LOCK_ATTEMPTS):
        job = request_lock(study=study, actor=owner)
        study.refresh_from_db()
        job.refresh_from_db()
        if not study.is_draft:
            return
        if job.error:
            break
    raise ConflictError(f"“{study.title}” was not locked: {job.error or job.result}")
