from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "ctplatform.datasets"
    label = "datasets"

    def ready(self) -> None:
        from ctplatform import waiting
        from ctplatform.datasets import jobs  # noqa: F401 - registers the kinds of work
        from ctplatform.datasets.waiting import waiting_for

        waiting.register(waiting_for)
