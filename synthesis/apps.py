from django.apps import AppConfig


class SynthesisConfig(AppConfig):
    name = "synthesis"

    def ready(self) -> None:
        from synthesis import jobs  # noqa: F401 - registers the kinds of work
