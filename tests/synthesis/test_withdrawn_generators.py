"""A withdrawn consent reaches generators: no stored file holds a voxel, a mask or a signature of the scan any more."""

import gzip
import io
import threading
import zipfile

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from safetensors.numpy import load_file

from ctplatform.celery import app
from ctplatform.datasets.exporting.orders import request_export
from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models import Export, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.tasks import finish_withdrawals_task
from ctplatform.datasets.withdrawal import withdraw
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from ml.editing import LesionSpec
from ml.generator.card import CARD_NAME, DEMO_FOLDER, WEIGHTS_NAME
from ml.generator.emptied import write_without_exemplars
from ml.generator.files import load_generator
from synthesis.atlas.services import order_atlas
from synthesis.edits.services import order_insertion
from synthesis.generators import banks, training, withdrawn
from synthesis.generators import services as generators
from synthesis.generators.withdrawn import STOPPED, holders
from synthesis.models import EditOrder, ExemplarBank, Generator, SignatureAtlas, TrainingRun
from tests.factories import edited_here, make_dataset, make_generator, make_scan, make_user
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "storage"
    settings.MEDIA_ROOT.mkdir()


@pytest.fixture
def let_go(django_capture_on_commit_callbacks):
    def run(scan):
        with django_capture_on_commit_callbacks(execute=True):
            withdraw(scan=scan, user=scan.dataset.owner, reason="Consent withdrawn")

    return run


@pytest.fixture
def scan():
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    return make_scan(make_dataset(), grid=grid, masks=masks, origin=Origin.ACQUIRED)


@pytest.fixture
def other(scan):
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    return make_scan(scan.dataset, grid=grid, masks=masks, origin=Origin.ACQUIRED)


def ended(job_id, status=JobStatus.SUCCEEDED):
    execute(str(job_id))
    job = Job.objects.get(pk=job_id)
    assert job.status == status, job.error
    return job


def stored_keys(folder="."):
    folders, files = default_storage.listdir(folder)
    inner = [key for name in folders for key in stored_keys(f"{folder}/{name}")]
    return [f"{folder}/{name}" for name in files] + inner


def unpacked(content):
    """The bytes of a file, and of whatever is packed into it."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from unpacked(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(archive.read(name))
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        yield np.asarray(Image.open(io.BytesIO(content))).tobytes()


def holding(*needles):
    """The stored files in which one of these byte strings is found, by the folder they lie in."""
    found = [
        key for key in stored_keys() if any(n in part for part in unpacked(voxels.load_bytes(key)) for n in needles)
    ]
    return sorted(found), {key.split("/")[1] for key in found}


def planted_in(scan):
    """Rows of voxels, of its masks and of its thumbnail that no other scan has."""
    hu = voxels.read_volume(scan.pk, scan.geometry)
    needles = [hu[len(hu) // 2, hu.shape[1] // 2].astype("<i2").tobytes()]
    thumbnail = np.asarray(Image.open(io.BytesIO(voxels.load_bytes(voxels.thumbnail_key(scan.pk)))))
    needles.append(thumbnail[len(thumbnail) // 2].tobytes())
    for mask in scan.masks.all():
        plane = max(voxels.read_labels(mask.pk, scan.geometry), key=np.count_nonzero)
        needles.append(plane.tobytes())
    return needles


def signatures_of(generator):
    """Bytes of every exemplar and of normal liver, as they lie in the weights' file."""
    bank = generators.load(generator).bank
    return [row.tobytes() for rows in (bank.lesion_codes, bank.profiles_hu, bank.normal_codes) for row in rows]


@pytest.mark.recipe
def test_after_a_withdrawal_no_stored_file_holds_anything_of_the_scan(phantom_scan, generator, let_go, monkeypatch):
    monkeypatch.setattr("ml.generator.own_lesions.NORMAL_COUNT", 24)
    scan, owner = phantom_scan, phantom_scan.dataset.owner
    edit = make_scan(
        scan.dataset,
        grid=scan.geometry,
        volume=np.roll(voxels.read_volume(scan.pk, scan.geometry), 1, axis=2),
        origin=Origin.SYNTHETIC,
        source_scan=scan,
        provenance=edited_here(),
    )
    kept = make_scan(make_dataset(owner))
    for form in (ExportFormat.DICOM, ExportFormat.NIFTI):
        ended(request_export(user=owner, scans=[scan, kept], form=form, masks=True).pk)
    made = Generator.objects.get(pk=ended(order(scan, generator).job_id).result["generator"])
    beside = Generator.objects.get(pk=ended(order(scan, generator, beside=True).job_id).result["generator"])
    atlas = order_atlas(ordered_by=owner, generator=generator, dataset=scan.dataset)
    ended(atlas.job_id)
    atlas.refresh_from_db()
    sheet = np.asarray(Image.open(io.BytesIO(voxels.load_bytes(atlas.sheet_key))))
    run = training_with(scan)
    planted = [*planted_in(scan), *planted_in(edit), *signatures_of(made), sheet[20].tobytes(), b"a patch of the scan"]
    _, before = holding(*planted)
    assert before == {"scans", "masks", "exports", "generators", "atlas", "training"}, "the search sees all of these"
    unhurt = planted_in(kept), signatures_of(generator)
    let_go(scan)
    assert holding(*planted) == ([], set())
    assert all(holding(needle)[0] for needles in unhurt for needle in needles[:2])
    assert not Export.objects.exists()
    assert not SignatureAtlas.objects.exists()
    run.refresh_from_db()
    assert run.samples_key == ""
    for emptied, source in ((made, generator), (beside, generator)):
        emptied.refresh_from_db()
        left, networks = generators.load(emptied), generators.load(source)
        assert len(left.bank.lesion_codes) == len(left.bank.normal_codes) == 0
        assert all(
            (a == b).all() for a, b in zip(left.encoder.parameters(), networks.encoder.parameters(), strict=True)
        )
    generator.refresh_from_db()
    assert generator.emptied_at is None


def order(scan, generator, **told):
    told = {"ordered_by": scan.dataset.owner, "name": "Ward 7", "dataset": scan.dataset, **told}
    return banks.order_bank(generator=generator, **told)


def training_with(*scans, **changes):
    run = training.order_training(
        ordered_by=scans[0].dataset.owner, name="Tiny", scans=scans, objective="iae_content", steps=10, seed=1
    )
    for name in ("checkpoint-5-a.pt", "samples-5-a.png"):
        voxels.save_bytes(f"{run.folder}/{name}", b"a patch of the scan")
    TrainingRun.objects.filter(pk=run.pk).update(samples_key=f"{run.folder}/samples-5-a.png", **changes)
    return run


def made_of(scan, source=None, **fields):
    """A generator with its files, as a bank of the scan's lesions leaves it."""
    made = make_generator(card={"banks": [{"normal_liver_of_before": False}]})
    bank = ExemplarBank.objects.create(
        job=Job.objects.create(
            kind=banks.BANK_KIND, title="Bank", owner=scan.dataset.owner, status=JobStatus.SUCCEEDED
        ),
        name="Ward 7",
        source=source or make_generator(),
        dataset=scan.dataset,
        generator=made,
        **fields,
    )
    bank.scans.set([scan])
    return made


def test_what_has_none_of_its_exemplars_stays_as_it_is(scan, other):
    first, second = made_of(scan), made_of(other)
    instead, beside = made_of(other, first), made_of(other, first, beside=True)
    after_that = made_of(other, beside, beside=True)
    matched = made_of(other, first)
    Generator.objects.filter(pk=matched.pk).update(card={"banks": [{"normal_liver_of_before": True}]})
    assert holders([scan.pk]) == {first.pk, beside.pk, after_that.pk, matched.pk}
    assert holders([other.pk]) == {made.pk for made in (second, instead, beside, after_that, matched)}


def test_a_card_that_does_not_tell_may_have_normal_liver_of_before(scan, other):
    first = made_of(scan)
    told, untold = made_of(other, first), made_of(other, first, all_drawn=False)
    Generator.objects.filter(pk__in=[told.pk, untold.pk]).update(card={})
    assert holders([scan.pk]) == {first.pk, untold.pk}


def test_networks_stay_and_files_with_exemplars_go(tmp_path):
    digest = write_without_exemplars(DEMO_FOLDER, tmp_path / "networks")
    before, after = (load_file(folder / "weights.safetensors") for folder in (DEMO_FOLDER, tmp_path / "networks"))
    assert before.keys() == after.keys()
    for name, values in after.items():
        if name.startswith(("encoder.", "decoder.")):
            assert np.array_equal(values, before[name])
        else:
            assert not values.any()
    loaded = load_generator(tmp_path / "networks")
    assert loaded.digest == digest
    assert loaded.card["data"]["bank_lesions"] == {"hypodense": 0, "cystic": 0, "ring_enhancing": 0}


def test_files_with_exemplars_go_even_where_they_can_not_be_exchanged(scan, let_go):
    made = made_of(scan)
    for name in generators.ARTEFACT_FILES:
        voxels.save_bytes(f"{made.storage_prefix}/{name}", b"damaged")
    let_go(scan)
    assert not any(made.digest in key for key in stored_keys())
    made.refresh_from_db()
    assert made.emptied_at


def test_a_generator_that_can_not_be_read_keeps_neither_pixels_nor_another_generator(scan, let_go):
    """Whichever of the two comes first."""
    unreadable, readable = made_of(scan), demo_of(scan)
    run, planted = training_with(scan), planted_in(scan)
    let_go(scan)
    assert holding(*planted, b"a patch of the scan") == ([], set())
    for generator in (unreadable, readable):
        generator.refresh_from_db()
    assert (unreadable.emptied_digest, bool(unreadable.emptied_at)) == ("", True)
    assert len(generators.load(readable).bank.lesion_codes) == 0
    assert not any(str(run.pk) in key for key in stored_keys())


@pytest.fixture
def let_go_unfinished(scan):
    """Withdrawn by a process that was killed before it came to the files."""

    def run():
        withdraw(scan=scan, user=scan.dataset.owner, reason="Consent withdrawn")

    return run


@pytest.fixture
def finish(django_capture_on_commit_callbacks):
    def run():
        with django_capture_on_commit_callbacks(execute=True):
            finish_withdrawals_task()
            call_command("sweep_storage", hours=-1)

    return run


def test_files_that_a_killed_process_left_are_not_given_out_and_go_later(scan, let_go_unfinished, finish, client):
    unreadable, made, run = made_of(scan), demo_of(scan), training_with(scan)
    planted = [*planted_in(scan), *signatures_of(made), b"a patch of the scan"]
    voxels.save_bytes(f"{unreadable.storage_prefix}/{WEIGHTS_NAME}", b"damaged")
    let_go_unfinished()
    made.refresh_from_db()
    client.force_login(scan.dataset.owner)
    files = [f"{made.get_absolute_url()}{name}" for name in ("card.json", "weights.safetensors")]
    assert [status_of(client, file) for file in files] == [404, 404]
    assert files[1] not in shown(client.get(made.get_absolute_url()))
    with pytest.raises(DomainError, match="not stored without its exemplars"):
        generators.load(made)
    assert holding(*planted)[1] == {"scans", "masks", "generators", "training"}
    finish()
    assert holding(*planted) == ([], set())
    assert not any(unreadable.digest in key or str(run.pk) in key for key in stored_keys())
    made.refresh_from_db()
    assert len(generators.load(made).bank.lesion_codes) == 0
    assert [status_of(client, file) for file in files] == [200, 200]
    before = stored_keys()
    finish()
    assert stored_keys() == before


def status_of(client, address):
    answer = client.get(address)
    # Read to its end, a file is closed.
    list(answer)
    return answer.status_code


def test_an_exchange_that_was_broken_off_is_done_again(scan, let_go_unfinished, finish, monkeypatch):
    made = demo_of(scan)
    let_go_unfinished()
    with monkeypatch.context() as broken:
        broken.setattr(withdrawn, "discard_files", lambda _digest: None)
        broken.setattr(Generator, "save", lambda *_, **__: 1 / 0)
        finish()
    assert len(made_files(made)) == 4, "new ones without their row, and those of before"
    finish()
    made.refresh_from_db()
    assert {key.rpartition("/")[0] for key in made_files(made)} == {f"./{made.storage_prefix}"}


def made_files(made):
    return [key for key in stored_keys() if made.digest in key or str(made.pk) in key]


def test_withdrawals_of_an_earlier_version_are_followed(scan, other, finish):
    made, kept, run = demo_of(scan), made_of(other), training_with(scan)
    Scan.objects.filter(pk=scan.pk).update(
        withdrawn_at=timezone.now(), withdrawn_by=scan.dataset.owner, withdrawn_reason="Consent withdrawn"
    )
    finish()
    for row in (made, kept, run.job):
        row.refresh_from_db()
    assert (bool(made.emptied_digest), kept.emptied_at) == (True, None)
    assert run.job.error == STOPPED
    assert not any(made.digest in key or str(run.pk) in key for key in stored_keys())


def test_every_periodic_task_is_there():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def demo_of(scan):
    """A generator whose exemplars count as those of the scan."""
    made = generators.register(folder=DEMO_FOLDER, name="Demo", registered_by=make_user())
    bank = order(scan, make_generator())
    Job.objects.filter(pk=bank.job_id).update(status=JobStatus.SUCCEEDED)
    ExemplarBank.objects.filter(pk=bank.pk).update(generator=made)
    return made


@pytest.fixture
def emptied(scan, let_go):
    made = demo_of(scan)
    let_go(scan)
    made.refresh_from_db()
    return made


def uploaded_again(owner):
    parts = {
        part: SimpleUploadedFile(file, DEMO_FOLDER.joinpath(file).read_bytes())
        for part, file in (("card", CARD_NAME), ("weights", WEIGHTS_NAME))
    }
    return generators.order_registration(ordered_by=owner, name="Again", **parts)


def test_its_artefact_is_refused_before_anything_is_stored(emptied, other):
    before = stored_keys()
    with pytest.raises(DomainError, match="don't come back"):
        uploaded_again(other.dataset.owner)
    with pytest.raises(DomainError, match="don't come back"):
        generators.register(folder=DEMO_FOLDER, name="Again", registered_by=other.dataset.owner)
    assert stored_keys() == before


def test_an_artefact_that_is_emptied_while_it_is_taken_in_leaves_nothing(
    scan, let_go, monkeypatch, django_capture_on_commit_callbacks
):
    made, store = demo_of(scan), generators.store
    job = uploaded_again(make_user())

    def withdrawn_meanwhile(**told):
        let_go(scan)
        with monkeypatch.context() as unnoticed:
            unnoticed.setattr(generators, "refuse_emptied", lambda _digest: None)
            return store(**told)

    monkeypatch.setattr(generators, "store", withdrawn_meanwhile)
    assert "don't come back" in ended(job.pk, JobStatus.FAILED).error
    with django_capture_on_commit_callbacks(execute=True):
        generators.abandon_registration(job.payload, "as its end did, whose transaction is not written in a test")
    assert not any(made.digest in key for key in stored_keys())


def test_exemplars_are_not_taken_over_between_the_withdrawal_and_the_emptying(
    scan, other, let_go_unfinished, monkeypatch
):
    source, store = demo_of(scan), generators.store
    Scan.objects.filter(pk=other.pk).update(dataset=make_dataset(other.dataset.owner))
    other.refresh_from_db()
    bank = order(other, source, beside=True)

    def withdrawn_meanwhile(**told):
        stored = store(**{**told, "folder": DEMO_FOLDER})
        let_go_unfinished()
        # Only what the end itself asks stands in the way.
        monkeypatch.setattr(generators, "refuse_emptied", lambda _digest: None)
        return stored

    monkeypatch.setattr(generators, "store", withdrawn_meanwhile)
    monkeypatch.setattr(generators, "note_digest", lambda *_: None)
    monkeypatch.setattr(banks, "make", lambda *_: None)
    assert "has lost its exemplars meanwhile" in ended(bank.job_id, JobStatus.FAILED).error


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
def test_a_withdrawal_waits_for_whoever_takes_exemplars_over_and_finds_what_came_out(scan, other):
    def let_go():
        try:
            withdraw(scan=scan, user=scan.dataset.owner, reason="Consent withdrawn")
        finally:
            connections.close_all()

    source, withdrawing = made_of(scan), threading.Thread(target=let_go)
    with transaction.atomic():
        Generator.objects.select_for_update(no_key=True).get(pk=source.pk)
        beside = made_of(other, source, beside=True)
        withdrawing.start()
        with connection.cursor() as cursor:
            while not cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert withdrawing.is_alive()
    withdrawing.join()
    for made in (source, beside):
        made.refresh_from_db()
        assert made.emptied_at


def test_it_edits_no_more_and_says_so_and_its_networks_are_of_use(emptied, other, client):
    owner = other.dataset.owner
    spec = LesionSpec(kind="hypodense", diameter_mm=9, contrast_hu=-40, seed=1)
    with pytest.raises(ConflictError, match="a scan of theirs was withdrawn"):
        order_insertion(ordered_by=owner, scan=other, generator=emptied, centre_lps_mm=[0.0, 0.0, 0.0], spec=spec)
    client.force_login(owner)
    told = client.get(f"/api/synthesis/generators/{emptied.pk}/").json()
    assert told["emptied_at"]
    assert "consent" not in str(told).lower(), "why is for those who may see the scan"
    page = shown(client.get(emptied.get_absolute_url()))
    assert "Without exemplars since" in page
    assert "Consent withdrawn" not in page
    assert "No exemplars" in shown(client.get(reverse("synthesis:generators")))
    assert emptied not in Generator.objects.with_exemplars()
    assert order(other, emptied).source == emptied
    files = client.get(f"{emptied.get_absolute_url()}weights.safetensors")
    assert len(b"".join(files.streaming_content)) < DEMO_FOLDER.joinpath("weights.safetensors").stat().st_size


def test_work_that_waits_ends_with_the_reason_and_is_not_tried_again(scan, other, let_go):
    source = made_of(scan)
    bank, run = order(scan, make_generator()), training_with(scan, other)
    of_the_rest = order(other, source, name="Rest")
    with_exemplars = EditOrder.objects.create(
        job=Job.objects.create(kind="synthesis.edit", title="Edit", owner=other.dataset.owner),
        operation="insert",
        generator=source,
        source_scan=other,
        centre_lps_mm=[0, 0, 0],
        diameter_mm=9,
        seed=1,
        ordered_by=other.dataset.owner,
    )
    unconcerned = training_with(other)
    # The source has no files here, and that stops none of the rest.
    let_go(scan)
    for row in (bank, run, of_the_rest, with_exemplars):
        row.job.refresh_from_db()
        assert (row.job.status, row.job.error) == (JobStatus.FAILED, STOPPED)
    for row in (bank, run):
        with pytest.raises(ConflictError, match="withdrawn"):
            jobs.retry(job=row.job, actor=row.job.owner)
    unconcerned.job.refresh_from_db()
    assert unconcerned.job.status == JobStatus.QUEUED


def test_a_training_that_runs_ends_and_leaves_neither_checkpoint_nor_picture(
    scan, other, let_go, monkeypatch, django_capture_on_commit_callbacks
):
    run = training_with(scan, other)

    def withdrawn_meanwhile(_trainer, sink):
        let_go(scan)
        # As a loop that saves once more before it reports.
        voxels.save_bytes(f"{run.folder}/checkpoint-9-b.pt", b"a patch of the scan")
        sink.context.progress(0.5)

    monkeypatch.setattr("ml.training.run.run", withdrawn_meanwhile)
    ended(run.job_id, JobStatus.CANCELLED)
    with django_capture_on_commit_callbacks(execute=True):
        training.abandon_training(run.job.payload, "as its end did, whose transaction is not written in a test")
    assert not any(str(run.pk) in key for key in stored_keys())


@pytest.mark.parametrize("what", ["a training", "a bank", "a package"])
def test_what_was_read_before_the_withdrawal_is_not_written_after_it(scan, let_go, monkeypatch, what):
    owner = scan.dataset.owner
    store = generators.store

    def withdrawn_meanwhile(**told):
        stored = store(**{**told, "folder": DEMO_FOLDER})
        let_go(scan)
        return stored

    monkeypatch.setattr(generators, "store", withdrawn_meanwhile)
    monkeypatch.setattr(generators, "note_digest", lambda *_: None)
    if what == "a bank":
        monkeypatch.setattr(banks, "make", lambda *_: None)
        job = order(scan, make_generator()).job
    elif what == "a training":
        monkeypatch.setattr("ml.training.run.run", lambda *_: None)
        monkeypatch.setattr(training, "export", lambda *_: {})
        job = training_with(scan).job
    else:
        from ctplatform.datasets.exporting import execution

        store_package = execution.store_package

        def stored_before(*told, **more):
            made = store_package(*told, **more)
            let_go(scan)
            return made

        monkeypatch.setattr(execution, "store_package", stored_before)
        job = request_export(user=owner, scans=[scan], form=ExportFormat.NIFTI, masks=False)
    planted = planted_in(scan)
    assert "was withdrawn" in ended(job.pk, JobStatus.FAILED).error
    assert not Generator.objects.exclude(name="Test").exists()
    assert not Export.objects.exists()
    assert holding(*planted)[0] == []
