from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "ctplatform.jobs"
    label = "jobs"
