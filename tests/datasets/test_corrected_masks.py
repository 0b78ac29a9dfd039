"""Masks that a person corrects by brush: what is stored, who may, and what is refused."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctplatform.accounts.models import Role
from ctplatform.datasets import services
from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import MadeBy, Mask, MaskCorrection, Origin, Scan
from ctplatform.datasets.scans import corrected, voxels
from ctplatform.datasets.scans import flips as flips_module
from ctplatform.datasets.scans.corrected import correct_mask, take_back_correction
from ctplatform.datasets.scans.flips import Flips
from ctplatform.datasets.withdrawal import withdraw
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def scan():
    grid = small_grid(oblique=True)
    made = make_scan(
        make_dataset(),
        grid=grid,
        origin=Origin.ACQUIRED,
        masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (3, 12, 16), 7)},
    )
    made.masks.filter(kind=MaskKind.LIVER).update(made_by=MadeBy.ESTIMATED, note="confidence 0.8")
    return made


def liver_of(scan):
    return scan.masks.get(kind=MaskKind.LIVER)


def labels_of(scan, kind=MaskKind.LIVER):
    return voxels.read_labels(scan.masks.get(kind=kind).pk, scan.geometry)


def lengths_of(turned):
    """The slow and obvious way: one voxel after the other."""
    found, state = [0], False
    for voxel in turned.ravel().tolist():
        if voxel != state:
            found.append(0)
            state = voxel
        found[-1] += 1
    return found if len(found) % 2 == 0 else found[:-1]


def stroke(scan, centre_zyx=(2, 4, 8), diameter_mm=8):
    """Partly in the liver and partly beside it."""
    return ball(scan.geometry, centre_zyx, diameter_mm)


def correct(scan, turned, *, user=None, base="", kind=MaskKind.LIVER):
    base = liver_of(scan).pk if base == "" else base
    return correct_mask(scan=scan, user=user or scan.dataset.owner, kind=kind, base=base, lengths=lengths_of(turned))


@pytest.fixture
def post(client):
    def send(scan, body, user=None):
        content = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = token_headers(user or scan.dataset.owner)
        address = reverse("datasets-api:scan-corrected-mask", args=[scan.pk])
        return client.post(address, content, content_type="application/json", headers=headers)

    return send


def test_what_was_painted_turns_over_and_nothing_else(scan, stored_files, django_capture_on_commit_callbacks):
    before, old, turned = labels_of(scan), liver_of(scan), stroke(scan)
    others = {kind: labels_of(scan, kind) for kind in (MaskKind.LESION,)}
    packed = [voxels.load_bytes(voxels.mask_slice_key(old.pk, z)) for z in range(scan.slices)]
    grid, digest = scan.grid, scan.content_digest
    with django_capture_on_commit_callbacks(execute=True):
        new = correct(scan, turned)
    after = labels_of(scan)
    assert np.array_equal(after[~turned], before[~turned])
    assert np.array_equal(after[turned], 1 - before[turned])
    for z in range(scan.slices):
        if not turned[z].any():
            assert voxels.load_bytes(voxels.mask_slice_key(new.pk, z)) == packed[z]
    made = new.corrections.get()
    assert (made.voxels_added, made.voxels_removed) == (
        np.count_nonzero(turned & (before == 0)),
        np.count_nonzero(turned & (before == 1)),
    )
    assert made.voxels_added
    assert made.voxels_removed
    assert new.pk != old.pk
    assert not [path for path in stored_files() if str(old.pk) in path]
    scan.refresh_from_db()
    assert (scan.grid, scan.content_digest) == (grid, digest)
    assert np.array_equal(labels_of(scan, MaskKind.LESION), others[MaskKind.LESION])


def test_the_mask_and_the_record_tell_who_corrected_what(scan, client):
    second = make_user(Role.ADMINISTRATOR)
    correct(scan, stroke(scan))
    correct(scan, stroke(scan, (4, 18, 20)), user=second)
    owner, mask = scan.dataset.owner, liver_of(scan)
    assert (mask.made_by, mask.note) == (MadeBy.ESTIMATED, "confidence 0.8")
    assert mask.correctors == [owner.username, second.username]
    assert mask.told == f"confidence 0.8; corrected by {owner.username}, {second.username}"
    scan.refresh_from_db()
    notes = [note for note in scan.import_report["notes"] if note.startswith("liver mask: by hand")]
    assert [str(person) in note for person, note in zip((owner, second), notes, strict=True)] == [True, True]
    client.force_login(owner)
    page = shown(client.get(scan.get_absolute_url()))
    assert f"Corrected by {owner.username}, {second.username}" in page
    (described_liver,) = [one for one in described(scan).masks if one.kind == MaskKind.LIVER]
    assert described_liver.made_by == "Estimated by the platform, corrected by hand"


def test_a_corrected_estimate_is_accepted_and_a_later_correction_waits_again(scan):
    correct(scan, stroke(scan))
    services.accept_liver(scan=scan, user=scan.dataset.owner, seen=liver_of(scan).pk)
    assert liver_of(scan).accepted_by == scan.dataset.owner
    correct(scan, stroke(scan, (4, 18, 20)))
    assert liver_of(scan).accepted_by is None


def test_an_acceptance_holds_for_the_version_that_was_looked_at(scan, client):
    seen = liver_of(scan).pk
    correct(scan, stroke(scan), user=make_user(Role.ADMINISTRATOR))
    client.force_login(scan.dataset.owner)
    accept = reverse("datasets:accept-liver", args=[scan.pk])
    for body in ({"mask": seen}, {}, {"mask": "no mask"}):
        assert "is another one than the page showed" in shown(client.post(accept, body, follow=True))
        assert liver_of(scan).accepted_by is None
    page = client.get(scan.get_absolute_url()).content.decode()
    assert f'name="mask" value="{liver_of(scan).pk}"' in page
    client.post(accept, {"mask": liver_of(scan).pk})
    assert liver_of(scan).accepted_by == scan.dataset.owner


def test_earlier_corrections_go_over_without_being_read(scan):
    """Whoever saves for the hundredth time must not carry the ninety-nine before."""
    correct(scan, stroke(scan))
    made = list(MaskCorrection.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as asked:
        correct(scan, stroke(scan, (4, 18, 20)))
    assert not [one for one in asked.captured_queries if one["sql"].startswith("SELECT") and "flips" in one["sql"]]
    assert list(liver_of(scan).corrections.order_by("pk").values_list("pk", flat=True)[:1]) == made
    assert Mask.objects.filter(scan=scan).count() == 2


def test_pages_and_slices_read_no_flips(scan, client):
    correct(scan, stroke(scan))
    client.force_login(scan.dataset.owner)
    addresses = [
        scan.get_absolute_url(),
        reverse("datasets-api:scan-detail", args=[scan.pk]),
        reverse("datasets-api:scan-slices", args=[scan.pk, 0]),
    ]
    for address in addresses:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        assert not [one for one in asked.captured_queries if "flips" in one["sql"]]


def test_a_contrast_is_that_of_the_lesions_that_are_there(scan, monkeypatch, stored_files):
    """New lesions that are saved while a liver is corrected are not told the contrast of the old ones."""
    compare = corrected.lesion_contrasts

    def meanwhile(*given):
        found = compare(*given)
        scan.masks.filter(kind=MaskKind.LESION).delete()
        scan.masks.create(kind=MaskKind.LESION, made_by=MadeBy.IMPORTED)
        scan.lesions.update(contrast_hu=None)
        return found

    monkeypatch.setattr(corrected, "lesion_contrasts", meanwhile)
    before, files = liver_of(scan), stored_files()
    with pytest.raises(ConflictError, match="changed a mask of this scan meanwhile"):
        correct(scan, stroke(scan))
    assert liver_of(scan) == before
    assert stored_files() == files
    assert scan.lesions.get().contrast_hu is None


def test_a_scan_that_is_deleted_meanwhile_is_told(scan, post, monkeypatch, stored_files):
    save = corrected._Correction.save

    def meanwhile(correction):
        Scan.objects.filter(pk=scan.pk).delete()
        return save(correction)

    monkeypatch.setattr(corrected._Correction, "save", meanwhile)
    before = liver_of(scan).pk
    files = stored_files()
    answer = post(scan, {"kind": "liver", "base": str(before), "lengths": lengths_of(stroke(scan))})
    assert answer.status_code == 409
    assert "deleted this scan meanwhile" in answer.content.decode()
    assert stored_files() == files


def test_whoever_reads_a_mask_that_another_version_replaced_is_told(scan, django_capture_on_commit_callbacks):
    before = liver_of(scan)
    with django_capture_on_commit_callbacks(execute=True):
        correct(scan, stroke(scan))
    with pytest.raises(ConflictError, match="changed a mask meanwhile"):
        voxels.read_labels(before.pk, scan.geometry)


def test_lesions_are_compared_with_the_corrected_liver(scan):
    scan.lesions.update(contrast_hu=None)
    correct(scan, stroke(scan))
    assert scan.lesions.get().contrast_hu is not None


def test_who_saves_second_is_told_and_changes_nothing(scan, post, stored_files):
    base, second = liver_of(scan).pk, make_user(Role.ADMINISTRATOR)
    correct(scan, stroke(scan), user=second)
    now, files = labels_of(scan), stored_files()
    answer = post(scan, {"kind": "liver", "base": str(base), "lengths": lengths_of(stroke(scan, (4, 18, 20)))})
    assert (answer.status_code, answer.json()["code"]) == (409, "mask_changed")
    assert second.username in answer.json()["detail"]
    assert np.array_equal(labels_of(scan), now)
    assert stored_files() == files
    assert MaskCorrection.objects.count() == 1


def test_of_two_at_one_moment_one_is_saved(scan, monkeypatch, stored_files):
    """The other one commits, in another process, while the files of this one are being written."""
    monkeypatch.setattr(corrected, "_whole_volumes", nullcontext())
    write, base = voxels.write_edited_labels, liver_of(scan).pk

    def slowly(*args):
        write(*args)
        monkeypatch.setattr(voxels, "write_edited_labels", write)
        correct(scan, stroke(scan, (4, 18, 20)), base=base)

    monkeypatch.setattr(voxels, "write_edited_labels", slowly)
    with pytest.raises(ConflictError, match="since you opened it"):
        correct(scan, stroke(scan), base=base)
    mask = liver_of(scan)
    assert np.array_equal(labels_of(scan) != liver_box(scan.geometry), stroke(scan, (4, 18, 20)))
    kept = {path.split("/")[2] for path in stored_files() if path.startswith("./masks/")}
    assert kept <= {str(mask.pk), str(base), str(scan.masks.get(kind=MaskKind.LESION).pk)}


def test_one_scan_at_a_time_is_held_in_memory(scan, monkeypatch):
    write, held = voxels.write_edited_labels, []

    def looking(*args):
        held.append(corrected._whole_volumes.locked())
        write(*args)

    monkeypatch.setattr(voxels, "write_edited_labels", looking)
    correct(scan, stroke(scan))
    assert held == [True]
    assert not corrected._whole_volumes.locked()


def test_files_that_go_meanwhile_are_a_conflict(scan):
    default_storage.delete(voxels.mask_slice_key(liver_of(scan).pk, 3))
    with pytest.raises(ConflictError, match="meanwhile"):
        correct(scan, stroke(scan))


def test_a_mask_is_drawn_where_there_was_none(scan):
    turned = stroke(scan)
    vessels = correct(scan, turned, kind=MaskKind.VESSEL, base=None)
    assert (vessels.made_by, vessels.correctors) == (MadeBy.DRAWN, [scan.dataset.owner.username])
    assert np.array_equal(labels_of(scan, MaskKind.VESSEL), turned)
    with pytest.raises(ConflictError, match="since you opened it"):
        correct(scan, turned, kind=MaskKind.VESSEL, base=None)


def test_a_correction_is_taken_back_bit_for_bit(scan, client):
    before = labels_of(scan)
    correct(scan, stroke(scan, (4, 18, 20)))
    between = labels_of(scan)
    correct(scan, stroke(scan))
    first = liver_of(scan).corrections.last()
    with pytest.raises(ConflictError, match="no longer the last"):
        take_back_correction(scan=scan, user=scan.dataset.owner, correction=first.pk)
    client.force_login(scan.dataset.owner)
    last = liver_of(scan).corrections.first()
    address = reverse("datasets:take-back-correction", args=[scan.pk])
    assert "was taken back" in shown(client.post(address, {"correction": last.pk}, follow=True))
    assert np.array_equal(labels_of(scan), between)
    made = list(liver_of(scan).corrections.all())
    assert (made[0].voxels_added, made[0].voxels_removed) == (last.voxels_removed, last.voxels_added)
    assert len(made) == 3
    assert not np.array_equal(between, before)
    assert "no longer the last" in shown(client.post(address, {"correction": "x"}, follow=True))


def test_a_mask_that_was_drawn_by_mistake_is_taken_away(scan, stored_files, django_capture_on_commit_callbacks):
    """Otherwise one dab would be the liver for good: an estimate is only made where there is none."""
    with django_capture_on_commit_callbacks(execute=True):
        liver_of(scan).delete()
        scan.lesions.update(contrast_hu=None)
    before = stored_files()
    lengths = lengths_of(stroke(scan))
    drawn = correct_mask(scan=scan, user=scan.dataset.owner, kind=MaskKind.LIVER, base=None, lengths=lengths)
    assert described(scan).masks[-1].by_hand
    with django_capture_on_commit_callbacks(execute=True):
        gone = take_back_correction(scan=scan, user=scan.dataset.owner, correction=drawn.corrections.get().pk)
    assert gone is None
    assert not scan.masks.filter(kind=MaskKind.LIVER).exists()
    assert stored_files() == before
    scan.refresh_from_db()
    assert "taken away by" in scan.import_report["notes"][-1]
    assert not scan.lesions.filter(contrast_hu__isnull=False).exists()
    services.request_liver_estimate(scan=scan, user=scan.dataset.owner)


def test_members_look_and_do_not_paint(scan, post):
    member, stranger = make_user(), make_user()
    scan.dataset.members.add(member)
    body = {"kind": "liver", "base": str(liver_of(scan).pk), "lengths": [0, 5]}
    assert post(scan, body, member).status_code == 403
    assert post(scan, body, stranger).status_code == 404
    correct(scan, stroke(scan))
    with pytest.raises(ForbiddenError):
        take_back_correction(scan=scan, user=member, correction=liver_of(scan).corrections.get().pk)


def test_the_page_offers_the_brush_to_those_who_may(scan, client):
    member = make_user()
    scan.dataset.members.add(member)
    for person, offered in ((scan.dataset.owner, True), (member, False)):
        client.force_login(person)
        assert (b"data-correct-url" in client.get(scan.get_absolute_url()).content) is offered


HOSTILE = [
    ({"lengths": []}, "nothing to save"),
    ({"lengths": [0]}, "no lengths within"),
    ({"lengths": [0, 0]}, "no lengths within"),
    ({"lengths": [3, 2, 0, 4]}, "no lengths within"),
    ({"lengths": [-1, 4]}, "no lengths within"),
    ({"lengths": [0, 10**40]}, "no lengths within"),
    ({"lengths": [6 * 24 * 32, 1]}, "beyond the last voxel"),
    ({"lengths": [0, True]}, "whole numbers"),
    ({"lengths": [0, 1.5]}, "whole numbers"),
    ({"lengths": ["0", "4"]}, "whole numbers"),
    ({"lengths": {"0": 4}}, "whole numbers"),
    ({"lengths": None}, "null"),
    ({"kind": "changed"}, "not a valid choice"),
    ({"base": "x"}, "UUID"),
]


@pytest.mark.parametrize(("wrong", "said"), HOSTILE, ids=[str(wrong) for wrong, _ in HOSTILE])
def test_what_is_no_correction_is_refused(scan, post, wrong, said, stored_files):
    before, files = liver_of(scan).pk, stored_files()
    answer = post(scan, {"kind": "liver", "base": str(before), "lengths": [0, 4], **wrong})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert liver_of(scan).pk == before
    assert stored_files() == files


@pytest.mark.parametrize("body", ["", "[", "[]", "null", '{"kind": "liver"}', b"\xff\xfe"])
def test_what_is_no_body_is_refused(scan, post, body):
    assert post(scan, body).status_code == 400


def test_too_much_is_refused_before_it_is_read(scan, post, monkeypatch):
    body = {"kind": "liver", "base": str(liver_of(scan).pk), "lengths": [0, 4] * 8}
    monkeypatch.setattr(flips_module, "MOST_RUNS", 5)
    assert "in smaller steps" in post(scan, body).json()["detail"]
    monkeypatch.setattr(flips_module, "MOST_BYTES", 20)
    assert "in smaller steps" in post(scan, "x" * 21).json()["detail"]


def test_the_last_voxel_is_one_of_the_scan(scan):
    everything = np.prod(scan.geometry.size_zyx)
    correct_mask(
        scan=scan,
        user=scan.dataset.owner,
        kind=MaskKind.LIVER,
        base=liver_of(scan).pk,
        lengths=[int(everything) - 1, 1],
    )
    assert labels_of(scan)[-1, -1, -1] == 1


def test_a_mask_of_nothing_is_refused(scan, stored_files):
    files = stored_files()
    with pytest.raises(DomainError, match="Not one voxel"):
        correct(scan, liver_box(scan.geometry))
    assert stored_files() == files


def test_masks_of_edits_and_withdrawn_scans_stay(scan):
    edit = make_scan(
        scan.dataset,
        origin=Origin.SYNTHETIC,
        provenance=edited_here(),
        source_scan=scan,
        masks={MaskKind.LIVER: liver_box(small_grid())},
    )
    with pytest.raises(ConflictError, match="belong to its edit"):
        correct(edit, stroke(edit))
    correct(scan, stroke(scan))
    withdraw(scan=scan, user=scan.dataset.owner, reason="consent withdrawn")
    assert not MaskCorrection.objects.exists()
    scan.refresh_from_db()
    with pytest.raises(ConflictError, match="withdrawn"):
        correct(scan, stroke(scan), base=None)


def test_what_is_stored_of_a_correction_says_the_same_again(scan):
    for seed in range(20):
        turned = np.random.default_rng(seed).random(scan.geometry.size_zyx) < 0.03 * (seed + 1)
        flips = Flips.of(lengths_of(turned), scan.geometry)
        again = Flips.from_bytes(flips.to_bytes(), scan.geometry)
        found = np.zeros(scan.geometry.size_zyx, dtype=bool)
        for z, plane in again.by_slice().items():
            found[z] = plane
        assert np.array_equal(found, turned)
