from django.apps import AppConfig


class SynthesisConfig(AppConfig):
    name = "synthesis"

    def ready(self) -> None:
        from ctplatform import waiting
        from ctplatform.datasets.scans.added_masks import guard_lesions
        from ctplatform.datasets.services import warn_of_verdicts
        from ctplatform.datasets.withdrawal import finish_withdrawals_with, follow_withdrawals
        from synthesis import jobs  # noqa: F401 - listens to deletions; registers the kinds of work
        from synthesis.atlas import deletion
        from synthesis.edits.fixed_lesions import refuse_for_removals
        from synthesis.edits.reviewing import warning_of_ghosts
        from synthesis.generators import withdrawn
        from synthesis.waiting import waiting_for

        follow_withdrawals(deletion.follow_withdrawal)
        follow_withdrawals(withdrawn.follow_withdrawal)
        finish_withdrawals_with(withdrawn.finish_withdrawals)
        guard_lesions(refuse_for_removals)
        warn_of_verdicts(warning_of_ghosts)
        waiting.register(waiting_for)
