"""How cases are shown, and what digests are of, in words."""

from readerstudy.locking.stimuli import round_trip_of
from readerstudy.models import DisplayMode, Study

DIGEST_WORDS = {
    "protocol": "Protocol",
    "plan": "Analysis plan",
    "schedule": "Orders",
    "ledger_head": "Last entry of the ledger",
    "ledger_entries": "Entries of the ledger",
    "truth_digest": "Truth: kind, scan, place and patient of every case, salted",
    "stimuli_digest": "Pictures that raters are shown, salted",
    "codes_digest": "Codes of the cases, salted",
    "slots_digest": "Stored order of every rater, salted",
    "match_digest": "How alike the kinds are, salted",
}


def display_words(study: Study) -> str:
    """How cases are shown, with the depth of a stack as it was frozen or is planned."""
    asked, frozen = study.asked, study.protocol.get("display")
    slices = frozen["size_zyx"][0] if frozen else study.stack_slices
    what = {
        DisplayMode.PATCH: f"magnified square patches of {asked.field_of_view_mm:g} mm",
        DisplayMode.SLICE: "whole axial slices",
        DisplayMode.STACK: f"stacks of {slices} axial slices",
    }[DisplayMode(asked.display_mode)]
    if asked.task.mark is not None:
        what += " in which nothing tells the place"
    elif asked.ringed:
        what += " with a ring around the place"
    window = f"{what}, window {asked.window_center_hu:g}/{asked.window_width_hu:g} HU"
    window += ", which raters may change and keep" if asked.window_may_stay else ", with which every case begins"
    trip = round_trip_of(study).in_words()
    return f"{window}; before, every case was {trip}" if trip else window
