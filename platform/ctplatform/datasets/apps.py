from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "ctplatform.datasets"
    label = "datasets"
