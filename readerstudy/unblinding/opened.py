"""The data of a study, each kind read once and handed on; with the truth only after the unblinding."""

from collections.abc import Iterator
from functools import cached_property

from django.db.models import Max, prefetch_related_objects
from django.utils.translation import gettext

from ctplatform.datasets.models import Scan
from ctplatform.errors import ConflictError
from readerstudy.design.candidates import fetch_ancestors, root_of
from readerstudy.design.patients import counted_as, patient_key
from readerstudy.ledger.turns import out_of_turn
from readerstudy.models import (
    AuditEntry,
    CaseTruth,
    Presentation,
    RatingEvent,
    Session,
    Stimulus,
    Study,
    StudyRater,
    StudyState,
)
from readerstudy.planning.plans import plan_of
from readerstudy.unblinding.labels import case_label
from readerstudy.unblinding.looks import LOOKED

# So many entries of a ledger are held when it is told as a whole.
AT_ONCE = 1000


class StudyLedger:
    """Who rated and what they said, without the truth: there before and after the unblinding."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @cached_property
    def raters(self) -> list[StudyRater]:
        """All raters with their accounts, by number."""
        return list(self.study.raters.select_related("user__program").order_by("number"))

    @property
    def people(self) -> list[StudyRater]:
        return [rater for rater in self.raters if rater.user.as_program is None]

    @property
    def panel(self) -> list[StudyRater]:
        """The people whose answers count."""
        return [rater for rater in self.people if rater.excluded_at is None]

    @property
    def programs(self) -> list[StudyRater]:
        """Programs that read beside the people, and still take part."""
        return [rater for rater in self.raters if rater.user.as_program is not None and rater.excluded_at is None]

    @property
    def excluded(self) -> list[StudyRater]:
        return [rater for rater in self.raters if rater.excluded_at is not None]

    def case_label(self, presentation: Presentation) -> str:
        """What a rating's case is called among those of its rater, before and after the unblinding."""
        return case_label(
            self.study.seal.salt, rater_number=presentation.session.rater.number, token=presentation.token
        )

    @cached_property
    def events(self) -> list[RatingEvent]:
        """All entries in their order, superseded ones too."""
        rows = RatingEvent.objects.filter(study=self.study).order_by("sequence")
        return list(
            rows.select_related(
                "presentation__session__rater__user__program", "presentation__stimulus__case", "superseded_by", "told"
            )
        )

    def entries(self) -> Iterator[RatingEvent]:
        """The same as they are now, not held: of a long ledger never more than a thousand are in memory."""
        if "events" in self.__dict__:
            yield from self.events
            return
        rows = RatingEvent.objects.filter(study=self.study)
        last, seen = rows.aggregate(last=Max("sequence"))["last"] or 0, 0
        # What a later entry replaces still stands in a table that does not tell of that entry.
        revised = rows.filter(sequence__lte=last).exclude(supersedes=None).values_list("supersedes", flat=True)
        self.superseded = {pk for pk in revised if pk is not None}
        # What many entries share is made once.
        sessions = Session.objects.filter(rater__study=self.study).select_related("rater__user__program").in_bulk()
        stimuli = Stimulus.objects.filter(case__study=self.study).select_related("case").in_bulk()
        rows = rows.select_related("presentation", "told").order_by("sequence")
        while held := list(rows.filter(sequence__gt=seen, sequence__lte=last)[:AT_ONCE]):
            for event in held:
                event.presentation.session = sessions[event.presentation.session_id]
                event.presentation.stimulus = stimuli[event.presentation.stimulus_id]
                yield event
            seen = held[-1].sequence

    @cached_property
    def superseded(self) -> set[int]:
        """Keys of entries that a later one replaces."""
        return {event.supersedes_id for event in self.events if event.supersedes_id is not None}

    @cached_property
    def record(self) -> list[AuditEntry]:
        """Who did what with the study, in its order."""
        return list(self.study.record.select_related("actor").order_by("id"))

    @property
    def looks(self) -> list[AuditEntry]:
        """Who saw answers before the unblinding."""
        return [entry for entry in self.record if entry.action == LOOKED]

    @cached_property
    def out_of_turn(self) -> dict[int, str]:
        return out_of_turn(self.events)

    @property
    def current_events(self) -> list[RatingEvent]:
        """The valid rating of every presentation: what no later entry supersedes."""
        return [event for event in self.events if not hasattr(event, "superseded_by")]

    @property
    def first_answers(self) -> list[RatingEvent]:
        """The valid rating of every case that counts: of a case that was shown twice the first."""
        return [event for event in self.current_events if not event.presentation.stimulus.again]

    @property
    def second_answers(self) -> list[RatingEvent]:
        """The valid ratings of cases that their raters had seen before."""
        return [event for event in self.current_events if event.presentation.stimulus.again]


class UnblindedStudy(StudyLedger):
    """What page, report and API see. It cannot be made of a sealed study, so nothing that asks for one can leak."""

    def __init__(self, study: Study) -> None:
        refuse_while_sealed(study)
        super().__init__(study)

    @cached_property
    def truths(self) -> dict[str, CaseTruth]:
        """The truth by case code. After the lock this is the only way to it."""
        rows = CaseTruth.objects.filter(case__study=self.study).select_related(
            "case", "scan__source_scan", "scan__provenance"
        )
        return {truth.case.code: truth for truth in rows}

    @cached_property
    def hosts(self) -> dict[str, Scan]:
        """The scan in which each case lies, by case code; for an edited scan the one that it was made of."""
        fetch_ancestors(truth.scan for truth in self.truths.values())
        hosts = {code: root_of(truth.scan) for code, truth in self.truths.items()}
        prefetch_related_objects(list(hosts.values()), "dataset")
        return hosts

    @cached_property
    def patients(self) -> dict[str, int]:
        """The number of each case's patient in this study, by case code: the same for all cases of one, from 1 on."""
        same_names = plan_of(self.study).same_names
        keys = {
            code: counted_as(patient_key(dataset=host.dataset_id, subject=host.subject), same_names)
            for code, host in sorted(self.hosts.items())
        }
        number = {key: position for position, key in enumerate(dict.fromkeys(keys.values()), start=1)}
        return {code: number[key] for code, key in keys.items()}


def refuse_while_sealed(study: Study) -> None:
    """Ask the database, not the object: it may be older than the state."""
    state = Study.objects.values_list("state", flat=True).get(pk=study.pk)
    if state != StudyState.UNBLINDED:
        raise ConflictError(
            gettext("The truth is sealed until the study is closed and unblinded, so there are no results yet."),
            code="sealed",
        )
