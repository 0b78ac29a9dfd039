from django.apps import AppConfig


class SynthesisConfig(AppConfig):
    name = "synthesis"

    def ready(self) -> None:
        from synthesis import jobs  # noqa: F401 - listens to deletions; registers the kinds of work
        from synthesis.atlas import deletion  # noqa: F401 - listens to deletions; registers the kinds of work
