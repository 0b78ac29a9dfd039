"""Training as a job: it learns, shows what it does, and goes on after a kill as if nothing had happened."""

from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from synthesis.generators import training
from synthesis.models import TrainingRun
from tests.factories import make_scan, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.recipe]


@pytest.fixture
def scan(phantom_scan):
    return phantom_scan


def order(scan, *others, steps=8):
    run = training.order_training(
        ordered_by=scan.dataset.owner, name="Tiny", scans=[scan, *others], objective="iae_content", steps=steps, seed=3
    )
    run.config["batch"] = 2
    run.save()
    return run


def test_a_killed_training_goes_on_as_if_never_stopped(scan, monkeypatch):
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 8)
    monkeypatch.setattr("ml.training.run.CHECKPOINT_EVERY", 4)
    monkeypatch.setattr("ml.training.run.LOG_EVERY", 1)
    straight = run_to_the_end(order(scan))

    class KilledError(BaseException):
        pass

    def dies_at_six(run, trainer):
        if trainer.done == 4:
            original_samples(run, trainer)
            trainer.step_of_death = 6

    original_samples = training.save_samples
    monkeypatch.setattr(training, "save_samples", dies_at_six)
    broken = order(scan)
    from ml.training.trainer import Trainer

    original_step = Trainer.step

    def step(trainer):
        if getattr(trainer, "step_of_death", None) == trainer.done:
            raise KilledError
        return original_step(trainer)

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(KilledError):
        execute(str(broken.job_id))
    assert TrainingRun.objects.get(pk=broken.pk).curve[-1]["step"] == 6
    monkeypatch.setattr(Trainer, "step", original_step)
    Job.objects.filter(pk=broken.job_id).update(status=JobStatus.QUEUED)
    resumed = run_to_the_end(broken)
    assert resumed.curve == straight.curve


def run_to_the_end(run):
    execute(str(run.job_id))
    run.refresh_from_db()
    run.job.refresh_from_db()
    # Eight steps decode to no lesion, so the end is either a generator or this honest refusal.
    if run.job.status == JobStatus.FAILED:
        assert "train longer" in run.job.error
    else:
        assert run.job.status == JobStatus.SUCCEEDED
        assert run.generator is not None
    return run


def test_a_cancelled_training_keeps_its_curve(scan, monkeypatch):
    monkeypatch.setattr(training, "REPORT_EVERY_STEPS", 2)
    monkeypatch.setattr("ml.training.run.LOG_EVERY", 2)
    run = order(scan, steps=50)
    from ml.training.trainer import Trainer

    original_step = Trainer.step

    def step(trainer):
        if trainer.done == 3:
            jobs.cancel(job=Job.objects.get(pk=run.job_id), actor=run.job.owner)
        return original_step(trainer)

    monkeypatch.setattr(Trainer, "step", step)
    execute(str(run.job_id))
    run.refresh_from_db()
    assert run.job.status == JobStatus.CANCELLED
    assert [point["step"] for point in run.curve] == [2, 4]


def test_half_a_checkpoint_is_passed_over_and_one_picture_is_kept(scan):
    run = order(scan)
    trainer = make_trainer(run, scan)
    for _ in range(2):
        trainer.step()
        training.save_checkpoint(run, trainer)
        training.save_samples(run, trainer)
    (whole,) = training.checkpoints(run)
    content = voxels.load_bytes(f"{run.folder}/{whole}")
    voxels.save_bytes(f"{run.folder}/checkpoint-9-killed.pt", content[: len(content) // 2])
    voxels.save_bytes(f"{run.folder}/checkpoint-10-killed.pt", b"")
    again = make_trainer(run, scan)
    training.restore(run, again)
    assert again.done == 2
    assert training.checkpoints(run) == [whole]
    run.refresh_from_db()
    pictures = [name for name in default_storage.listdir(run.folder)[1] if name.startswith("samples-2")]
    assert [f"{run.folder}/{name}" for name in pictures] == [run.samples_key]
    assert not [name for name in default_storage.listdir(run.folder)[1] if name.startswith("samples-1")]
    training.discard_checkpoints(run)
    assert training.checkpoints(run) == []


def make_trainer(run, scan):
    from ml.nets.config import NetConfig
    from ml.training.config import TrainConfig
    from ml.training.trainer import Trainer

    config = TrainConfig(**run.config)
    return Trainer([training.case_of(scan)], NetConfig(noise=config.adversarial), config, device="cpu")


def test_a_training_that_came_apart_says_so_and_keeps_its_last_checkpoint(scan, monkeypatch):
    from ml.training.trainer import Trainer

    monkeypatch.setattr("ml.training.run.CHECKPOINT_EVERY", 1)
    original_step = Trainer.step

    def step(trainer):
        return original_step(trainer) | ({"content": float("nan")} if trainer.done == 3 else {})

    monkeypatch.setattr(Trainer, "step", step)
    run = order(scan)
    execute(str(run.job_id))
    run.job.refresh_from_db()
    assert run.job.status == JobStatus.FAILED
    assert "content is no number any more at step 3" in run.job.error
    assert [training.checkpoint_step(name) for name in training.checkpoints(run)] == [2]


def test_of_five_patients_one_only_watches_and_a_training_that_gains_nothing_stops(scan, monkeypatch):
    from ml.training.trainer import Trainer

    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 8)
    monkeypatch.setattr("ml.training.trainer.VALIDATE_EVERY", 1)
    monkeypatch.setattr("ml.training.run.LOG_EVERY", 1)
    monkeypatch.setattr(training, "PATIENCE_CHECKS", 3)
    monkeypatch.setattr(training, "save_samples", lambda *_: None)
    monkeypatch.setattr(Trainer, "validate", lambda _: {"validation_content": 1.0})
    original_case = training.case_of
    one = original_case(scan)
    monkeypatch.setattr(training, "case_of", lambda other, _: replace(one, name=other.subject))
    others = [make_scan(scan.dataset) for _ in range(4)]
    assert training.held_out([scan, scan, *others[:3]]) == {}
    run = order(scan, *others, steps=50)
    said = []
    original_ending = training.ending
    monkeypatch.setattr(training, "ending", lambda trainer: said.append(original_ending(trainer)))
    execute(str(run.job_id))
    run.refresh_from_db()
    assert [point["step"] for point in run.curve] == [1, 2, 3]
    assert said == ["stopped at step 3, because the held-out patients gained nothing more"]
    assert all(point["validation_content"] == 1.0 for point in run.curve)


def test_the_page_shows_curves_to_its_owner_only(scan, client, monkeypatch):
    run = order(scan)
    TrainingRun.objects.update(curve=[{"step": 10, "content": 0.5}, {"step": 20, "content": 0.25}])
    client.force_login(scan.dataset.owner)
    page = client.get(f"/synthesis/training/{run.pk}/").content.decode()
    assert "content: 0.250 at step 20" in page
    assert "<polyline" in page
    client.force_login(make_user())
    assert client.get(f"/synthesis/training/{run.pk}/").status_code == 404
    assert client.get(f"/synthesis/training/{run.pk}/samples.png").status_code == 404


def test_training_without_any_lesion_is_refused():
    with pytest.raises(DomainError, match="known lesion"):
        order(make_scan())


def test_files_of_a_generator_without_row_go_with_its_training(scan, django_capture_on_commit_callbacks):
    run = order(scan)
    TrainingRun.objects.filter(pk=run.pk).update(stored_digest="d" * 64)
    for digest in ("d" * 64, "e" * 64):
        default_storage.save(f"generators/{digest}/weights.safetensors", ContentFile(b"weights"))
    with django_capture_on_commit_callbacks(execute=True):
        jobs.cancel(job=run.job, actor=run.job.owner)
    assert not default_storage.exists(f"generators/{'d' * 64}/weights.safetensors")
    assert default_storage.exists(f"generators/{'e' * 64}/weights.safetensors")
