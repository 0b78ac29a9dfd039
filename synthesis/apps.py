from django.apps import AppConfig


class SynthesisConfig(AppConfig):
    name = "synthesis"

    def ready(self) -> None:
        from synthesis import clearing, jobs  # noqa: F401 - listens to deletions; registers the kinds of work
