"""A platform whose every list has as many rows as a test asks for: rows alone, without voxels or weights."""

import uuid
from datetime import timedelta

from django.utils import timezone

from ctplatform.accounts.models import (
    AccountEvent,
    AccountEventKind,
    ApiToken,
    Invitation,
    Role,
)
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import EDITS, Dataset, Lesion, MadeBy, Mask, Operation, Origin, Scan, Verdict
from ctplatform.datasets.services import IMPORT_KIND
from ctplatform.jobs.models import Job, JobStatus
from readerstudy.models import (
    Case,
    CaseTruth,
    Presentation,
    RatingEvent,
    Session,
    Stimulus,
    Study,
    StudyRater,
    StudySeal,
    StudyState,
    Template,
    record,
)
from synthesis.edits.rows import EDIT_KIND
from synthesis.generator_reports import REALISM_NAME
from synthesis.models import EditOrder, Generator, SignatureAtlas, TrainingRun
from tests.factories import edited_here, make_user
from tests.phantoms import small_grid

GRID = small_grid()
CASES_READ = 2


class Crowd:
    """Everything belongs to one coordinator; `grow` adds one more row to every list."""

    def __init__(self):
        self.owner = make_user(Role.COORDINATOR)
        self.rater = make_user(Role.RATER)
        self.rows = 0
        self.dataset = Dataset.objects.create(owner=self.owner, name="The dataset")
        self.scan = self.new_scan(self.dataset, "The scan")
        self.generator = self.new_generator("The generator")
        self.draft = self.new_study("The draft")
        self.draft.datasets.set([self.dataset])
        self.removals = self.new_study("The draft of removals", template=Template.REMOVED_LESIONS)
        self.running = self.new_study("The running one", state=StudyState.COLLECTING, locked_at=timezone.now())
        self.stimuli = [self.new_stimulus(self.running) for _ in range(CASES_READ)]

    def grow_to(self, rows):
        while self.rows < rows:
            self.grow()

    def grow(self):
        self.rows += 1
        number = self.rows
        person = self.grow_people(number)
        edits = self.grow_scans(number)
        self.grow_jobs(number, edits[Operation.INSERT])
        self.grow_drafts(number, person, edits)
        self.grow_reading(person, number)

    def grow_people(self, number):
        person, member = make_user(Role.RATER), make_user(Role.RESEARCHER)
        self.dataset.members.add(member)
        self.draft.members.add(member)
        self.running.members.add(member)
        expires_at = timezone.now() + timedelta(days=1)
        Invitation.objects.create(
            token_digest=f"invitation {number}",
            role=Role.RATER,
            name=f"Reader {number}",
            invited_by=self.owner,
            expires_at=expires_at,
        )
        for user in (self.owner, self.rater):
            digest = f"token {number} of {user.pk}"
            ApiToken.objects.create(user=user, name=f"{number}", digest=digest, access_number=user.access_number)
            AccountEvent.objects.create(kind=AccountEventKind.values[0], subject=user, actor=person)
        return person

    def grow_scans(self, number):
        dataset = Dataset.objects.create(owner=self.owner, name=f"Dataset {number}")
        dataset.members.add(make_user())
        source = self.new_scan(self.dataset, f"scan {number}")
        self.new_scan(dataset, f"other scan {number}")
        self.new_lesion(self.scan, number)
        self.new_lesion(source, 1)
        edits = {operation: self.new_edit(operation, source, f"{operation} {number}") for operation in EDITS}
        self.new_lesion(edits[Operation.INSERT], 1, inserted=True)
        return edits

    def new_edit(self, operation, source, name):
        edit = self.new_scan(self.dataset, name, origin=Origin.SYNTHETIC, source_scan=source)
        provenance = edited_here(
            operation,
            scan=edit,
            source_scan=source,
            verdict=Verdict.ACCEPTED,
            reviewed_by=make_user(),
            reviewed_at=timezone.now(),
        )
        provenance.save()
        return edit

    def grow_jobs(self, number, edited):
        generator = self.new_generator(f"Generator {number}")
        self.new_job(IMPORT_KIND, payload={"dataset": str(self.dataset.pk)}, status=JobStatus.FAILED)
        for source, result, status in (
            (self.scan, None, JobStatus.FAILED),
            (edited.source_scan, edited, JobStatus.SUCCEEDED),
        ):
            order = uuid.uuid4()
            EditOrder.objects.create(
                pk=order,
                job=self.new_job(EDIT_KIND, payload={"synthesis": str(order)}, status=status),
                operation=Operation.INSERT,
                generator=generator,
                source_scan=source,
                result_scan=result,
                centre_lps_mm=[1.0, 2.0, 3.0],
                kind="hypodense",
                diameter_mm=9,
                seed=1,
                ordered_by=self.owner,
            )
        run = TrainingRun.objects.create(
            job=self.new_job("synthesis.train"), name=f"Run {number}", config={}, generator=generator
        )
        run.scans.set([self.scan, edited.source_scan])
        SignatureAtlas.objects.create(
            job=self.new_job("synthesis.atlas"), generator=self.generator, dataset=self.dataset
        )

    def grow_drafts(self, number, person, edits):
        study = self.new_study(f"Study {number}")
        self.new_case(study, edits[Operation.INSERT], number)
        self.new_case(self.draft, edits[Operation.INSERT], number)
        self.new_case(self.draft, edits[Operation.INSERT].source_scan, number)
        self.new_case(self.removals, edits[Operation.REMOVE], number)
        for draft in (study, self.draft):
            StudyRater.objects.create(study=draft, user=person, number=number)
        for changed in (self.draft, self.running):
            record(study=changed, actor=person, action="changed")

    def grow_reading(self, person, number):
        self.new_readings(self.running, person, number)
        other = self.new_study(f"Running {number}", state=StudyState.COLLECTING, locked_at=timezone.now())
        self.new_readings(other, self.rater, 1, [self.new_stimulus(other)])

    def new_readings(self, study, person, number, stimuli=None):
        rater = StudyRater.objects.create(study=study, user=person, number=number)
        session = Session.objects.create(rater=rater)
        for position, stimulus in enumerate(stimuli or self.stimuli):
            slot = Presentation.objects.create(session=session, position=position, stimulus=stimulus)
            sequence, now = study.events.count() + 1, timezone.now()
            RatingEvent.objects.create(
                study=study,
                sequence=sequence,
                presentation=slot,
                client_event_id=uuid.uuid4(),
                answer="real",
                confidence=1,
                shown_at=now,
                answered_at=now,
                reading_ms=1000,
                load_ms=10,
                hidden_ms=0,
                previous_digest=f"{sequence - 1}",
                digest=f"{sequence}",
            )
        return session

    def new_scan(self, dataset, name, origin=Origin.ACQUIRED, **fields):
        scan = Scan.objects.create(
            dataset=dataset,
            name=name,
            subject=name,
            origin=origin,
            grid=GRID.to_dict(),
            slices=GRID.size_zyx[0],
            slice_spacing_mm=GRID.spacing_zyx_mm[0],
            pixel_spacing_mm=GRID.spacing_zyx_mm[2],
            content_digest=uuid.uuid4().hex,
            created_by=self.owner,
            **fields,
        )
        Mask.objects.create(scan=scan, kind=MaskKind.LIVER, made_by=MadeBy.IMPORTED)
        return scan

    def new_lesion(self, scan, number, **fields):
        return Lesion.objects.create(
            scan=scan,
            number=number,
            centroid_lps_mm=[1.0, 2.0, 3.0],
            diameter_mm=9,
            volume_ml=1,
            mean_hu=20,
            **fields,
        )

    def new_generator(self, name):
        digest = uuid.uuid4().hex * 2
        return Generator.objects.create(
            name=name,
            digest=digest,
            storage_prefix=f"generators/{digest}",
            card={"data": {"case_names": ["The scan", "a stranger's"]}},
            reports={REALISM_NAME: {"gate": [{"name": "AUC", "value": 0.5, "passed": True}]}},
            registered_by=self.owner,
        )

    def new_job(self, kind, **fields):
        return Job.objects.create(kind=kind, title=kind, owner=self.owner, **fields)

    def new_study(self, title, template=Template.INSERTED_LESIONS, **fields):
        study = Study.objects.create(owner=self.owner, title=title, template=template, question="?", **fields)
        if not study.is_draft:
            StudySeal.objects.create(study=study, schedule_seed="5", salt="salt")
        return study

    def new_case(self, study, scan, number):
        case = Case.objects.create(study=study)
        CaseTruth.objects.create(
            case=case,
            synthetic=scan.origin == Origin.SYNTHETIC,
            scan=scan,
            place_lps_mm=[float(number), 2.0, 3.0],
            diameter_mm=9,
        )
        return case

    def new_stimulus(self, study):
        case = self.new_case(study, self.scan, 0)
        return Stimulus.objects.create(
            case=case,
            key=f"stimuli/{case.pk}",
            size_zyx=[1, 8, 8],
            spacing_zyx_mm=[1.0, 1.0, 1.0],
            start_slice=0,
            digest="x",
        )
