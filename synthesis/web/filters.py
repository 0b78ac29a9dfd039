import django_filters

from ctplatform.jobs.models import JobStatus
from synthesis.models import Operation, Review, SynthesisJob


class SynthesisFilter(django_filters.FilterSet):
    operation = django_filters.ChoiceFilter(choices=Operation.choices, empty_label="Any operation")
    status = django_filters.ChoiceFilter(
        field_name="job__status", choices=JobStatus.choices, label="Status", empty_label="Any status"
    )
    review = django_filters.ChoiceFilter(choices=Review.choices, empty_label="Any review")
    batch = django_filters.UUIDFilter()
    scan = django_filters.UUIDFilter(field_name="source_scan")

    class Meta:
        model = SynthesisJob
        fields = ["operation", "status", "review", "batch", "scan"]
