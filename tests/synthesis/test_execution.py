"""Real edits by the demo's generator: what changes, what must not, and what is told."""

import re

import numpy as np
import pytest
from django.conf import settings

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, MadeBy, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import JobStatus
from ml.editing.spec import LesionSpec
from synthesis.edits import services
from synthesis.edits.placement import PlacementRules, allowed_places, draw_places, refuse_unless_parenchyma
from synthesis.edits.rows import write_insertion
from synthesis.generator_reports import training_in_words
from synthesis.generators import services as generators
from synthesis.models import EditOrder, Generator
from tests.factories import make_user

pytestmark = pytest.mark.django_db
DEMO = settings.ROOT / "ml" / "weights" / "demo"


@pytest.fixture
def place(phantom_scan):
    grid = phantom_scan.geometry
    masks = {m.kind: voxels.read_labels(m.pk, grid) > 0 for m in phantom_scan.masks.all()}
    rules = PlacementRules(min_depth_mm=12)
    allowed = allowed_places(
        grid=grid,
        liver=masks[MaskKind.LIVER],
        vessels=masks[MaskKind.VESSEL],
        lesions=masks[MaskKind.LESION],
        rules=rules,
        radius_mm=7,
    )
    return [
        float(c) for c in draw_places(grid=grid, allowed=allowed, count=1, rules=rules, rng=np.random.default_rng(4))[0]
    ]


def insert(scan, generator, place, **changes):
    spec = LesionSpec(**{"kind": "hypodense", "diameter_mm": 14, "contrast_hu": -50, "seed": 9, **changes})
    synthesis = services.order_insertion(
        ordered_by=scan.dataset.owner, scan=scan, generator=generator, centre_lps_mm=place, spec=spec
    )
    return run(synthesis)


def run(synthesis):
    execute(str(synthesis.job_id))
    synthesis.refresh_from_db()
    synthesis.job.refresh_from_db()
    return synthesis


def volumes(synthesis):
    grid = synthesis.source_scan.geometry
    return (
        voxels.read_volume(synthesis.source_scan_id, grid),
        voxels.read_volume(synthesis.result_scan_id, grid),
    )


def test_outside_the_changed_voxels_nothing_changes(phantom_scan, generator, place):
    synthesis = insert(phantom_scan, generator, place)
    assert synthesis.job.status == JobStatus.SUCCEEDED, synthesis.job.error
    before, after = volumes(synthesis)
    grid = phantom_scan.geometry
    changed = voxels.read_labels(synthesis.result_scan.masks.get(kind=MaskKind.CHANGED).pk, grid) > 0
    assert np.array_equal(before != after, changed)
    assert changed.any()
    liver = voxels.read_labels(phantom_scan.masks.get(kind=MaskKind.LIVER).pk, grid) > 0
    assert not changed[~liver].any()
    untouched = [z for z in range(grid.size_zyx[0]) if not changed[z].any()]
    assert untouched
    for z in untouched:
        source, result = (
            voxels.load_bytes(voxels.scan_slice_key(scan, z))
            for scan in (synthesis.source_scan_id, synthesis.result_scan_id)
        )
        assert source == result


def test_geometry_and_subject_stay_and_the_result_is_marked_synthetic(phantom_scan, generator, place):
    result = insert(phantom_scan, generator, place).result_scan
    assert result.geometry == phantom_scan.geometry
    assert (result.origin, result.subject, result.source_scan) == (Origin.SYNTHETIC, phantom_scan.subject, phantom_scan)
    made = result.provenance
    assert (made.generator_name, made.generator_digest) == (generator.name, generator.digest)
    assert (made.made, made.operation, made.seed, made.verdict) == ("here", "insert", 9, "pending")
    assert (made.centre_lps_mm, made.source_scan) == (place, phantom_scan)
    assert made.precision == "float32"
    assert made.processor
    assert {"device", "exemplar", "slice_overlap"} <= set(made.details)
    assert made.details["training"] == training_in_words(generator.card) != ""
    assert result.masks.get(kind=MaskKind.CHANGED).made_by == MadeBy.SYNTHESIS


def test_what_was_asked_is_what_is_measured(phantom_scan, generator, place):
    synthesis = insert(phantom_scan, generator, place)
    assert synthesis.provenance.measured["diameter_mm"] == pytest.approx(14, rel=0.1)
    assert synthesis.provenance.measured["contrast_hu"] == pytest.approx(-50, abs=10)
    off_mm = np.linalg.norm(np.subtract(synthesis.provenance.measured["centre_lps_mm"], place))
    assert off_mm <= max(phantom_scan.geometry.spacing_zyx_mm)
    inserted = Lesion.objects.get(scan=synthesis.result_scan, inserted=True)
    assert inserted.diameter_mm == pytest.approx(14, rel=0.1)
    assert inserted.kind == "hypodense"
    assert Lesion.objects.filter(scan=synthesis.result_scan, inserted=False).count() == phantom_scan.lesions.count()


def test_the_same_seed_gives_the_same_voxels_and_is_stored_once(phantom_scan, generator, place):
    first = insert(phantom_scan, generator, place)
    again = insert(phantom_scan, generator, place)
    assert again.job.status == JobStatus.FAILED
    assert first.result_scan.name in again.job.error
    other = insert(phantom_scan, generator, place, seed=10)
    assert other.job.status == JobStatus.SUCCEEDED
    assert not np.array_equal(volumes(first)[1], volumes(other)[1])
    assert Scan.objects.filter(origin=Origin.SYNTHETIC).count() == 2


def test_a_removal_takes_the_lesion_out_of_the_table_and_out_of_the_picture(phantom_scan, generator):
    lesion = phantom_scan.lesions.filter(diameter_mm__gte=6).order_by("contrast_hu").first()
    synthesis = run(
        services.order_removal(ordered_by=phantom_scan.dataset.owner, lesion=lesion, generator=generator, seed=1)
    )
    assert synthesis.job.status == JobStatus.SUCCEEDED, synthesis.job.error
    before, after = volumes(synthesis)
    labels = voxels.read_labels(phantom_scan.masks.get(kind=MaskKind.LESION).pk, phantom_scan.geometry)
    liver = voxels.read_labels(phantom_scan.masks.get(kind=MaskKind.LIVER).pk, phantom_scan.geometry) > 0
    level = before[liver & (labels == 0)].mean()
    inside = labels == lesion.number
    assert abs(after[inside].mean() - level) < 0.4 * abs(before[inside].mean() - level)
    assert not synthesis.result_scan.lesions.filter(number=lesion.number).exists()
    assert 0 <= synthesis.provenance.measured["ghost_noise"] < 1
    assert synthesis.provenance.details["beyond_mask_mm"] == 0
    for other in labels[labels > 0]:
        if other != lesion.number:
            assert np.array_equal(before[labels == other], after[labels == other])
            break


def test_a_place_outside_the_liver_is_refused_before_it_is_ordered(phantom_scan, generator):
    corner = [float(c) for c in phantom_scan.geometry.to_world([8, 2, 2])]
    with pytest.raises(DomainError, match="outside the liver"):
        insert(phantom_scan, generator, corner)
    assert not EditOrder.objects.exists()


@pytest.fixture
def tip(phantom, phantom_scan):
    """The thin left end of the liver, where fat and air share the mask's voxels."""
    voxels_zyx = np.argwhere(phantom.liver & (phantom.labels == 0))
    return [float(c) for c in phantom_scan.geometry.to_world(voxels_zyx[np.argmax(voxels_zyx[:, 2])])]


def test_a_place_that_is_no_parenchyma_is_refused_with_one_that_is(phantom_scan, generator, tip):
    with pytest.raises(DomainError, match="no liver parenchyma") as refused:
        insert(phantom_scan, generator, tip)
    assert not EditOrder.objects.exists()
    x, y, z = re.search(r"mm away: (\S+), (\S+), (\S+) \(LPS", refused.value.message).groups()
    refuse_unless_parenchyma(phantom_scan, [float(x), float(y), float(z)], radius_mm=7)


def test_a_lesion_that_does_not_fit_fails_with_its_reason(phantom_scan, generator, tip):
    spec = LesionSpec(kind="hypodense", diameter_mm=60, contrast_hu=-50, seed=9)
    owner = phantom_scan.dataset.owner
    synthesis = run(
        write_insertion(ordered_by=owner, scan=phantom_scan, generator=generator, centre_lps_mm=tip, spec=spec)
    )
    assert synthesis.job.status == JobStatus.FAILED
    assert "lesion" in synthesis.job.error
    assert synthesis.result_scan is None
    assert not Scan.objects.filter(origin=Origin.SYNTHETIC).exists()


def test_exchanged_weights_are_refused(phantom_scan, generator, place):
    from django.core.files.storage import default_storage

    generators._load.cache_clear()
    key = f"{generator.storage_prefix}/weights.safetensors"
    content = bytearray(voxels.load_bytes(key))
    content[-1] ^= 1
    default_storage.delete(key)
    voxels.save_bytes(key, bytes(content))
    try:
        synthesis = insert(phantom_scan, generator, place)
        assert synthesis.job.status == JobStatus.FAILED
        assert "damaged" in synthesis.job.error
    finally:
        default_storage.delete(key)
        voxels.save_bytes(key, (DEMO / "weights.safetensors").read_bytes())


def test_the_same_generator_is_registered_once(generator):
    again = generators.register(folder=DEMO, name="Again", registered_by=make_user())
    assert again == generator
    assert Generator.objects.count() == 1
    assert again.reports == generator.reports


def test_an_uploaded_generator_is_checked_by_a_worker(client, django_capture_on_commit_callbacks):
    from django.core.files.uploadedfile import SimpleUploadedFile

    from ctplatform.jobs.models import Job

    owner = make_user()
    client.force_login(owner)

    def upload(weights):
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(
                "/synthesis/generators/register/",
                {
                    "name": "Uploaded",
                    "card": SimpleUploadedFile("card.json", (DEMO / "card.json").read_bytes()),
                    "weights": SimpleUploadedFile("weights.safetensors", weights),
                },
            )
        assert answer.status_code == 302
        return Job.objects.filter(owner=owner).latest("created_at")

    broken = upload(b"not weights")
    assert (broken.status, "can't be registered" in broken.error) == (JobStatus.FAILED, True)
    assert not Generator.objects.exists()
    good = upload((DEMO / "weights.safetensors").read_bytes())
    assert good.status == JobStatus.SUCCEEDED, good.error
    assert Generator.objects.get().name == "Uploaded"
