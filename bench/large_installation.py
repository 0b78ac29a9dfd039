"""Processor time and queries of every page and list of a large installation; run `python -m bench.large_installation`.

Rows as imports, edits, locks and readings leave them, with the pixels of one small scan: 1,000 scans in a dataset,
20,000 edits of them, a draft and a running study of 2,000 cases and 50 raters, an atlas of 100,000 patches. Limit:
300 ms of processor time for a page or an answer of the API, the database's own included where it is SQLite.
"""

import argparse
import platform
import re
import statistics
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.database import empty_database
from bench.long_study import ASKED, _protocol
from ctplatform.accounts.models import AccountEvent, AccountEventKind, Role, User
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import (
    Dataset,
    Lesion,
    MadeBy,
    Mask,
    Operation,
    Origin,
    Provenance,
    Scan,
    Verdict,
    centre_columns,
)
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
    record,
)
from synthesis.atlas.patches import row_of
from synthesis.edits.rows import EDIT_KIND
from synthesis.models import AtlasPatch, EditOrder, Generator, SignatureAtlas
from tests.doors.addresses import Things, addresses
from tests.factories import make_scan
from tests.phantoms import liver_box, small_grid

LIMIT_MS = 300.0
REPEATS = 3
# What takes longer is measured once.
PATIENCE_MS = 2000.0
AT_ONCE = 2000
# Each asks for one thing that is made or fetched as a whole, and is no page and no list.
FILES = re.compile(r"slices|thumbnail|\.(png|safetensors|zip|pdf)|card\.json|format")
GRID = small_grid()


@dataclass
class Size:
    scans: int = 1000
    edits: int = 20_000
    cases: int = 2000
    raters: int = 50
    patches: int = 100_000


@dataclass
class Installation:
    owner: User
    administrator: User
    rater: User
    things: list[Things]


def together(model: Any, rows: Iterable[Any]) -> list[Any]:
    made, left = [], iter(rows)
    while block := list(islice(left, AT_ONCE)):
        made += model.objects.bulk_create(block)
    return made


def make_installation(size: Size) -> Installation:
    owner, administrator, rater = (
        User.objects.create_user(name, role=role)
        for name, role in (("owner", Role.COORDINATOR), ("administrator", Role.ADMINISTRATOR), ("reader", Role.RATER))
    )
    raters = [rater, *(User.objects.create_user(f"reader {n}", role=Role.RATER) for n in range(2, size.raters + 1))]
    dataset = Dataset.objects.create(name="Large", owner=owner)
    scans = make_scans(dataset, size.scans)
    generator = Generator.objects.create(name="G", digest="d" * 64, storage_prefix="generators/d", registered_by=owner)
    orders = make_edits(scans, generator, owner, size.edits)
    atlas = make_atlas(dataset, generator, owner, scans, size.patches)
    draft, running = (
        make_draft(dataset, owner, raters, orders, size),
        make_running(dataset, owner, raters, scans[0], size),
    )
    together(AccountEvent, (AccountEvent(kind=AccountEventKind.LOGGED_IN, subject=one) for one in raters * 100))
    common = {
        "dataset": dataset.pk,
        "scan": scans[0].pk,
        "generator": generator.pk,
        "atlas": atlas.pk,
        "synthesis": orders[0].pk,
        "job": orders[0].job_id,
        "person": rater.pk,
    }
    session = Session.objects.get(rater__study=running, rater__user=rater)
    slot = session.presentations.order_by("position").first()
    reading = {"session": session.token, "presentation": slot.token if slot else "none"}
    things = [Things(study=study.pk, **common, **reading) for study in (draft, running)]
    return Installation(owner, administrator, rater, things)


def make_scans(dataset: Dataset, count: int) -> list[Scan]:
    """The first one has voxels; the others are rows like its own."""
    first = make_scan(dataset, grid=GRID, origin=Origin.ACQUIRED, masks={MaskKind.LIVER: liver_box(GRID)})
    others = together(Scan, (like(first, f"scan {n:05}", Origin.ACQUIRED) for n in range(1, count)))
    together(Mask, (Mask(scan=one, kind=MaskKind.LIVER, made_by=MadeBy.IMPORTED) for one in others))
    together(Lesion, (lesion(one, n) for one in [first, *others] for n in (1, 2)))
    return [first, *others]


def like(scan: Scan, name: str, origin: Origin, source: Scan | None = None) -> Scan:
    return Scan(
        dataset=scan.dataset,
        name=name,
        subject=source.subject if source else name,
        origin=origin,
        source_scan=source,
        grid=scan.grid,
        slices=scan.slices,
        slice_spacing_mm=scan.slice_spacing_mm,
        pixel_spacing_mm=scan.pixel_spacing_mm,
        content_digest=uuid.uuid4().hex,
        created_by=scan.created_by,
    )


def lesion(scan: Scan, number: int, *, inserted: bool = False) -> Lesion:
    place = [float(number), 2.0, 110.0]
    return Lesion(
        scan=scan, number=number, centroid_lps_mm=place, diameter_mm=9, volume_ml=1, mean_hu=20, inserted=inserted
    )


def make_edits(scans: list[Scan], generator: Generator, owner: User, count: int) -> list[EditOrder]:
    sources = [scans[n % len(scans)] for n in range(count)]
    made = together(
        Scan, (like(scans[0], f"edit {n:05}", Origin.SYNTHETIC, source) for n, source in enumerate(sources))
    )
    verdicts = [{"verdict": Verdict.ACCEPTED, "reviewed_by": owner, "reviewed_at": timezone.now()}, {}]
    together(
        Provenance,
        (
            Provenance(
                scan=scan,
                made="here",
                operation=Operation.INSERT,
                source_scan=source,
                **centre_columns((1.0, 2.0, 110.0)),
                diameter_mm=9,
                seed=n,
                generator_name="G",
                generator_digest="d" * 64,
                **verdicts[n % 2],
            )
            for n, (scan, source) in enumerate(zip(made, sources, strict=True))
        ),
    )
    together(Lesion, (lesion(scan, 1, inserted=True) for scan in made))
    ids = [uuid.uuid4() for _ in made]
    jobs = together(
        Job,
        (
            Job(kind=EDIT_KIND, title="Insert", owner=owner, status=JobStatus.SUCCEEDED, payload={"synthesis": str(n)})
            for n in ids
        ),
    )
    orders = (
        EditOrder(
            pk=pk,
            job=job,
            operation=Operation.INSERT,
            generator=generator,
            source_scan=scan.source_scan,
            result_scan=scan,
            centre_lps_mm=[1.0, 2.0, 110.0],
            kind="hypodense",
            diameter_mm=9,
            seed=1,
            ordered_by=owner,
        )
        for pk, scan, job in zip(ids, made, jobs, strict=True)
    )
    return together(EditOrder, orders)


def make_atlas(dataset: Dataset, generator: Generator, owner: User, scans: list[Scan], count: int) -> SignatureAtlas:
    def points() -> Iterator[dict[str, Any]]:
        for n in range(count):
            scan = scans[n % len(scans)]
            about = {"lesion": n % 3, "kind": "cystic", "diameter_mm": 9.0 if n % 3 else None}
            yield {"scan": str(scan.pk), "name": scan.name, "at": [1.0, 2.0, 3.0], "components": [n / 7] * 6, **about}

    job = Job.objects.create(kind="synthesis.atlas", title="Atlas", owner=owner, status=JobStatus.SUCCEEDED)
    content = {"points": list(points())}
    atlas = SignatureAtlas.objects.create(
        job=job, generator=generator, dataset=dataset, content=content, patch_count=count, scans_shown=len(scans)
    )
    Job.objects.filter(pk=job.pk).update(payload={"atlas": str(atlas.pk)})
    together(AtlasPatch, (row_of(atlas, n, point) for n, point in enumerate(content["points"])))
    return atlas


def make_study(dataset: Dataset, owner: User, raters: list[User], **fields: Any) -> tuple[Study, list[StudyRater]]:
    study = Study.objects.create(owner=owner, **ASKED, confidence_levels=3, cases_planned=2000, **fields)
    study.datasets.set([dataset])
    record(study=study, actor=owner, action="created")
    return study, together(StudyRater, (StudyRater(study=study, user=one, number=n) for n, one in enumerate(raters, 1)))


def make_draft(dataset: Dataset, owner: User, raters: list[User], orders: list[EditOrder], size: Size) -> Study:
    study, _ = make_study(dataset, owner, raters)
    cases = together(Case, (Case(study=study, code=f"d{n}") for n in range(size.cases)))
    together(CaseTruth, (truth(case, orders[n // 2], synthetic=bool(n % 2), n=n) for n, case in enumerate(cases)))
    return study


def truth(case: Case, order: EditOrder, *, synthetic: bool, n: int) -> CaseTruth:
    scan = order.result_scan if synthetic else order.source_scan
    place = [float(n % 7), 2.0, 110.0]
    return CaseTruth(case=case, synthetic=synthetic, scan=scan, place_lps_mm=place, diameter_mm=9, depth_mm=5.0)


def make_running(dataset: Dataset, owner: User, raters: list[User], scan: Scan, size: Size) -> Study:
    now = timezone.now()
    study, people = make_study(
        dataset,
        owner,
        raters,
        state=StudyState.COLLECTING,
        locked_at=now,
        opened_at=now,
        protocol=_protocol(size.cases, size.raters),
        leak_audit={"findings": [{"name": uuid.uuid4().hex, "leak": False}] * 2000},
    )
    StudySeal.objects.create(study=study, schedule_seed="0" * 32, salt="0" * 64)
    cases = together(Case, (Case(study=study, code=f"r{n}") for n in range(size.cases)))
    together(
        CaseTruth,
        (CaseTruth(case=one, synthetic=False, scan=scan, place_lps_mm=[1, 2, 110], diameter_mm=9) for one in cases),
    )
    shape = {"size_zyx": [1, 8, 8], "spacing_zyx_mm": [1.0, 1.0, 1.0], "start_slice": 0, "digest": "x"}
    stimuli = together(Stimulus, (Stimulus(case=one, key=f"stimuli/{one.pk}", **shape) for one in cases))
    sessions = together(Session, (Session(rater=person) for person in people))
    slots = together(
        Presentation,
        (
            Presentation(session=session, position=position, stimulus=stimulus)
            for session in sessions
            for position, stimulus in enumerate(stimuli)
        ),
    )
    together(RatingEvent, (rating(study, n, slot) for n, slot in enumerate(slots, 1) if slot.position % 10))
    return study


def rating(study: Study, n: int, slot: Presentation) -> RatingEvent:
    now = timezone.now()
    times = {"shown_at": now, "answered_at": now, "reading_ms": 4200, "load_ms": 30, "hidden_ms": 0}
    about = {"client_event_id": uuid.uuid4(), "answer": "real", "confidence": 2}
    return RatingEvent(study=study, sequence=n, presentation=slot, **about, **times, previous_digest=str(n), digest="d")


@dataclass(frozen=True)
class Measured:
    path: str
    cpu_ms: float
    queries: int
    kilobytes: float

    @property
    def row(self) -> str:
        return f"| `{self.path}` | {self.cpu_ms:.0f} | {self.queries} | {self.kilobytes:.0f} |"


def measure(installation: Installation) -> list[Measured]:
    """Every address that answers a GET, by the first person who may see it."""
    paths: dict[str, str] = {}
    for things in installation.things:
        kind = "draft" if things is installation.things[0] else "running"
        for address in addresses(things):
            if not FILES.search(address.route):
                of_study = "study" in things.ids and str(things.ids["study"]) in address.path
                paths.setdefault(address.path, f"{address.route} ({kind})" if of_study else address.route)
    found: dict[str, Measured] = {}
    for person in (installation.owner, installation.administrator, installation.rater):
        client = client_of(person)
        for path, name in paths.items():
            if path not in found and (seen := measured(client, path, name)) is not None:
                found[path] = seen
    client = client_of(installation.owner)
    for path, name in sorted_tables(installation).items():
        if (seen := measured(client, path, name)) is not None:
            found[path] = seen
    return sorted(found.values(), key=lambda one: -one.cpu_ms)


def client_of(person: User) -> Client:
    # A page that reads more of a protocol than the rows here have is left out, and its error told.
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def sorted_tables(installation: Installation) -> dict[str, str]:
    """Late pages in another order than the first: the most that a list is asked for."""
    ids = installation.things[0].ids
    return {
        f"/synthesis/atlas/{ids['atlas']}/patches/?ordering=-pc3&page=1000": "synthesis/atlas/patches, sorted, last",
        f"/datasets/{ids['dataset']}/?ordering=-name&page=100": "datasets/scans, sorted, page 100",
    }


def measured(client: Client, path: str, name: str) -> Measured | None:
    begun = time.process_time()
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
        size = sum(map(len, answer)) if answer.streaming else len(answer.content)
    asked = len(queries)
    if answer.status_code >= 500:
        print(f"not measured: {name}")
    if answer.status_code != 200:
        return None
    spent = [1000 * (time.process_time() - begun)]
    if spent[0] < PATIENCE_MS:
        spent = [timed(client, path) for _ in range(REPEATS)]
    return Measured(name, statistics.median(spent), asked, size / 1024)


def timed(client: Client, path: str) -> float:
    start = time.process_time()
    client.get(path).getvalue()
    return 1000 * (time.process_time() - start)


def main(size: Size, *, shown: int) -> bool:
    with empty_database():
        start = time.monotonic()
        installation = make_installation(size)
        print(f"{size}, made in {time.monotonic() - start:.0f} s; {connection.vendor}, {platform.processor()}")
        found = measure(installation)
    print("| address | processor, ms | queries | size, KiB |\n|---|---|---|---|")
    print("\n".join(one.row for one in found[:shown]))
    slow = [one for one in found if one.cpu_ms > LIMIT_MS]
    print(f"{len(found)} pages and lists, median of {REPEATS}; {len(slow)} above {LIMIT_MS:.0f} ms")
    return not slow


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the full size")
    parser.add_argument("--shown", type=int, default=25, help="how many of the slowest are listed")
    given = parser.parse_args()
    whole = Size()
    wanted = Size(**{name: max(2, round(given.share * value)) for name, value in vars(whole).items()})
    raise SystemExit(0 if main(wanted, shown=given.shown) else 1)
