"""What the page of a study says of its protocol, in the reader's language; protocol and report say it in English."""

from django.utils.formats import number_format
from django.utils.translation import gettext

from readerstudy.blinding.round_trip import RoundTrip
from readerstudy.hounsfield import HU_HIGH, HU_LOW


def round_trip_words(trip: RoundTrip) -> list[str]:
    """One for each step; nothing where nothing is done."""
    steps = []
    if trip.spacing_mm is not None:
        spacing = number_format(f"{trip.spacing_mm:g}")
        steps.append(gettext("resampled in the plane to %(spacing)s mm and back") % {"spacing": spacing})
    if (trip.low_hu, trip.high_hu) != (HU_LOW, HU_HIGH):
        steps.append(gettext("limited to %(low)s to %(high)s HU") % {"low": trip.low_hu, "high": trip.high_hu})
    if trip.step_hu > 1:
        steps.append(gettext("rounded to multiples of %(step)s HU") % {"step": trip.step_hu})
    return steps
