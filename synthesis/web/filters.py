import django_filters

from ctplatform.datasets.models import Verdict
from ctplatform.jobs.models import JobStatus
from synthesis.models import OPERATION_CHOICES, SynthesisJob


class SynthesisFilter(django_filters.FilterSet):
    operation = django_filters.ChoiceFilter(choices=OPERATION_CHOICES, empty_label="Any operation")
    status = django_filters.ChoiceFilter(
        field_name="job__status", choices=JobStatus.choices, label="Status", empty_label="Any status"
    )
    review = django_filters.ChoiceFilter(
        field_name="result_scan__provenance__verdict",
        choices=Verdict.choices,
        label="Review",
        empty_label="Any review",
    )
    batch = django_filters.UUIDFilter()
    scan = django_filters.UUIDFilter(field_name="source_scan")

    class Meta:
        model = SynthesisJob
        fields = ["operation", "status", "review", "batch", "scan"]
