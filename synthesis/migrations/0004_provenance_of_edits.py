"""What an edit's scan told in its import report, and its job of the verdict, moves to the table of provenances.

Backwards it is written where it stood, but for what the former version never had: scans that other programs made.
"""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

NOTE = "synthesis"
DETAILS = ("device", "exemplar", "signature_gain", "slice_overlap")


def to_table(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Provenance = apps.get_model("datasets", "Provenance")
    for job in _jobs_with_result(apps):
        scan = job.result_scan
        told = scan.import_report.pop(NOTE, {})
        Provenance.objects.create(
            scan=scan,
            made="here",
            operation=job.operation,
            source_scan_id=job.source_scan_id,
            **dict(zip(("centre_x_mm", "centre_y_mm", "centre_z_mm"), job.centre_lps_mm, strict=True)),
            diameter_mm=job.diameter_mm,
            kind=job.kind,
            contrast_hu=job.contrast_hu,
            seed=job.seed,
            generator_name=job.generator.name or job.generator.digest[:10],
            generator_digest=job.generator.digest,
            precision=told.get("precision", ""),
            processor=told.get("processor", ""),
            measured=job.measured or told.get("measured", {}),
            details={name: told[name] for name in DETAILS if name in told},
            **_verdict(job, told.get("accepted")),
        )
        scan.save(update_fields=["import_report"])
    _keep_those_without_order(apps)


def _verdict(job: Any, accepted: bool | None) -> dict[str, Any]:
    """What two places said alike. Where they differ nobody knows what holds, so it is reviewed again."""
    said = {True: "accepted", False: "rejected"}.get(accepted, "pending")  # type: ignore[arg-type]
    unknown = said == "pending" or job.reviewed_by_id is None or job.reviewed_at is None
    if unknown or said != job.review or (said == "rejected" and not job.review_reason):
        return {}
    return {
        "verdict": said,
        "verdict_reason": job.review_reason,
        "reviewed_by_id": job.reviewed_by_id,
        "reviewed_at": job.reviewed_at,
    }


def _keep_those_without_order(apps: StateApps) -> None:
    """A synthetic scan that nobody ordered here: its note says what is known of it, which is no verdict."""
    Provenance = apps.get_model("datasets", "Provenance")
    for scan in apps.get_model("datasets", "Scan").objects.filter(origin="synthetic", provenance=None):
        Provenance.objects.create(
            scan=scan,
            made="elsewhere",
            operation="whole",
            source_scan_id=scan.source_scan_id,
            generator_name="Not recorded",
            details=scan.import_report.pop(NOTE, {}),
        )
        scan.save(update_fields=["import_report"])


def to_note(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Provenance = apps.get_model("datasets", "Provenance")
    if Provenance.objects.filter(made="elsewhere").exists():
        raise RuntimeError("Scans that other programs made can't go back to a version that doesn't know them.")
    for job in _jobs_with_result(apps).select_related("result_scan__provenance"):
        made = job.result_scan.provenance
        job.measured, job.review, job.review_reason = made.measured, made.verdict, made.verdict_reason
        job.reviewed_by_id, job.reviewed_at = made.reviewed_by_id, made.reviewed_at
        job.save(update_fields=["measured", "review", "review_reason", "reviewed_by", "reviewed_at"])
        job.result_scan.import_report[NOTE] = _note(job, made)
        job.result_scan.save(update_fields=["import_report"])
    Provenance.objects.all().delete()


def _note(job: Any, made: Any) -> dict[str, Any]:
    return {
        "operation": made.operation,
        "centre_lps_mm": [made.centre_x_mm, made.centre_y_mm, made.centre_z_mm],
        "kind": made.kind,
        "diameter_mm": made.diameter_mm,
        "contrast_hu": made.contrast_hu,
        "seed": made.seed,
        "generator_digest": made.generator_digest,
        "source_scan": str(made.source_scan_id),
        "synthesis_job": str(job.pk),
        "accepted": {"accepted": True, "rejected": False}.get(made.verdict),
        "precision": made.precision,
        "processor": made.processor,
        "measured": made.measured,
        **made.details,
    }


def _jobs_with_result(apps: StateApps) -> Any:
    jobs = apps.get_model("synthesis", "SynthesisJob").objects.exclude(result_scan=None)
    return jobs.select_related("result_scan", "generator")


class Migration(migrations.Migration):
    dependencies = [("datasets", "0002_provenance"), ("synthesis", "0003_signature_atlas")]
    operations = [migrations.RunPython(to_table, to_note, elidable=False)]
