from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "ctplatform.datasets"
    label = "datasets"

    def ready(self) -> None:
        from ctplatform.datasets import jobs  # noqa: F401
