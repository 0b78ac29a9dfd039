"""The way of an older installation's edits into the table of provenances, and back."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

OLD = [("datasets", "0001_initial"), ("synthesis", "0003_signature_atlas")]
NEW = [("datasets", "0002_provenance"), ("synthesis", "0005_verdict_in_provenance")]
MOMENT = timezone.now()


def at(state):
    executor = MigrationExecutor(connection)
    executor.migrate(state)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in dict(state)]
    return executor.loader.project_state([*others, *state]).apps


@pytest.fixture
def old(transactional_db):
    """The tables as they were before, and afterwards as they are."""
    apps = at(OLD)
    yield apps
    latest = MigrationExecutor(connection)
    latest.migrate(latest.loader.graph.leaf_nodes())


class OldInstallation:
    def __init__(self, apps):
        self.model = apps.get_model
        self.person = apps.get_model("accounts", "User").objects.create(username="reviewer", role="coordinator")
        self.dataset = self.model("datasets", "Dataset").objects.create(name="Old", owner=self.person)
        self.generator = self.model("synthesis", "Generator").objects.create(
            name="Demo", digest="a" * 64, storage_prefix="g", registered_by=self.person
        )
        self.source = self.scan("source", origin="acquired", import_report={"format": "NIfTI"})

    def scan(self, name, **fields):
        return self.model("datasets", "Scan").objects.create(
            dataset=self.dataset,
            name=name,
            subject="S",
            grid={},
            slices=1,
            slice_spacing_mm=1,
            pixel_spacing_mm=1,
            content_digest=name,
            created_by=self.person,
            **fields,
        )

    def edit(self, name, *, accepted, operation="insert", **review):
        told = {
            "operation": operation,
            "accepted": accepted,
            "precision": "float32",
            "processor": "AVX2",
            "device": "cpu",
            "slice_overlap": 0.5,
        }
        result = self.scan(
            name, origin="synthetic", source_scan=self.source, import_report={"synthesis": told, "note": "kept"}
        )
        self.order(operation=operation, result_scan=result, measured={"diameter_mm": 11.5}, **review)
        return result.pk

    def order(self, *, operation="insert", **fields):
        job = self.model("jobs", "Job").objects.create(kind="synthesis.edit", title="t", owner=self.person)
        self.model("synthesis", "SynthesisJob").objects.create(
            job=job,
            operation=operation,
            generator=self.generator,
            source_scan=self.source,
            centre_lps_mm=[1.5, -2.5, 3.0],
            kind="cystic" if operation == "insert" else "",
            diameter_mm=12.0,
            contrast_hu=-40.0,
            seed=7,
            ordered_by=self.person,
            **fields,
        )

    def reviewed(self, review, reason=""):
        return {"review": review, "review_reason": reason, "reviewed_by": self.person, "reviewed_at": MOMENT}


def test_edits_of_an_older_installation_are_carried_over_and_back(old):
    before = OldInstallation(old)
    scans = {
        "accepted": before.edit("one", accepted=True, **before.reviewed("accepted")),
        "rejected": before.edit("two", accepted=False, operation="remove", **before.reviewed("rejected", "Seam")),
        "pending": before.edit("three", accepted=None),
    }
    before.order()  # failed: without a result

    apps = at(NEW)
    provenances = apps.get_model("datasets", "Provenance").objects
    assert {row.verdict: row.scan_id for row in provenances.all()} == scans
    removed = provenances.get(verdict="rejected")
    assert (removed.made, removed.operation, removed.source_scan_id) == ("here", "remove", before.source.pk)
    assert (removed.centre_x_mm, removed.centre_y_mm, removed.centre_z_mm) == (1.5, -2.5, 3.0)
    assert (removed.diameter_mm, removed.contrast_hu, removed.seed) == (12.0, -40.0, 7)
    assert (removed.generator_name, removed.generator_digest) == ("Demo", "a" * 64)
    assert (removed.precision, removed.processor) == ("float32", "AVX2")
    assert (removed.measured, removed.details) == ({"diameter_mm": 11.5}, {"device": "cpu", "slice_overlap": 0.5})
    assert (removed.verdict_reason, removed.reviewed_by_id, removed.reviewed_at) == ("Seam", before.person.pk, MOMENT)
    reports = apps.get_model("datasets", "Scan").objects.filter(origin="synthetic").values_list("import_report")
    assert {str(report) for (report,) in reports} == {"{'note': 'kept'}"}

    apps = at(OLD)
    orders = apps.get_model("synthesis", "SynthesisJob").objects
    assert orders.filter(result_scan=None).get().review == "pending"
    for verdict, accepted in (("accepted", True), ("rejected", False), ("pending", None)):
        order = orders.get(result_scan=scans[verdict])
        assert (order.review, order.measured) == (verdict, {"diameter_mm": 11.5})
        told = order.result_scan.import_report["synthesis"]
        assert (told["accepted"], told["seed"], told["precision"]) == (accepted, 7, "float32")
        assert (told["centre_lps_mm"], told["device"]) == ([1.5, -2.5, 3.0], "cpu")
    rejected = orders.get(review="rejected")
    assert (rejected.review_reason, rejected.reviewed_by_id, rejected.reviewed_at) == ("Seam", before.person.pk, MOMENT)


def test_what_two_places_told_differently_is_reviewed_again(old):
    before = OldInstallation(old)
    before.edit("forged", accepted=True)  # nobody reviewed it
    before.edit("torn", accepted=True, **before.reviewed("rejected", "Seam"))
    before.edit("half", accepted=False, **before.reviewed("rejected"))
    apps = at(NEW)
    verdicts = apps.get_model("datasets", "Provenance").objects.values_list("verdict", "reviewed_by", "verdict_reason")
    assert list(verdicts) == [("pending", None, "")] * 3


def test_a_synthetic_scan_without_an_order_keeps_its_note_and_bars_the_way_back(old):
    before = OldInstallation(old)
    stray = before.scan("stray", origin="synthetic", import_report={"synthesis": {"accepted": True}})
    apps = at(NEW)
    kept = apps.get_model("datasets", "Provenance").objects.get(scan_id=stray.pk)
    assert (kept.made, kept.operation, kept.verdict) == ("elsewhere", "whole", "pending")
    assert (kept.generator_name, kept.details) == ("Not recorded", {"accepted": True})
    with pytest.raises(RuntimeError, match="other programs made"):
        at(OLD)
    assert kept._meta.model.objects.count() == 1
