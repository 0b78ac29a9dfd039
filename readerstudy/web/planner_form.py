"""What the planner asks: what is believed before a study."""

import math
import re
from typing import Any

import numpy as np
from django import forms
from django.utils.translation import gettext, gettext_lazy

from readerstudy.analysis import FEWEST_PILOT_CASES, PilotReading, read_pilot

# Goals that compare: two groups of raters, or two phases.
COMPARISONS = ("groups", "phases")


class PlannerForm(forms.Form):
    """What is believed before a study. Every field has a default, so that the page always has an answer."""

    goal = forms.ChoiceField(
        choices=[
            ("equivalent", gettext_lazy("Show that raters are no better than chance")),
            ("detect", gettext_lazy("Show that raters can tell")),
            ("groups", gettext_lazy("Show that two groups of raters differ")),
            ("phases", gettext_lazy("Show that raters change between two phases on the same cases")),
        ],
        label=gettext_lazy("Goal"),
        initial="equivalent",
    )
    measure = forms.ChoiceField(
        choices=[
            ("auc", gettext_lazy("AUC averaged over raters; raters and cases random")),
            ("panel_accuracy", gettext_lazy("Accuracy of these raters together; cases random")),
            ("ensemble", gettext_lazy("Majority of the panel as one rater")),
        ],
        label=gettext_lazy("Primary analysis"),
        initial="auc",
    )
    effect = forms.FloatField(
        min_value=0.01,
        max_value=0.99,
        initial=0.5,
        label=gettext_lazy("True AUC or share correct"),
        help_text=gettext_lazy("0.5 is chance; for the goal “can tell” what you expect, such as 0.65"),
    )
    second = forms.FloatField(
        min_value=0.01,
        max_value=0.99,
        initial=0.7,
        label=gettext_lazy("AUC of the other group, or of the later phase"),
        help_text=gettext_lazy(
            "Only for those two goals: the value before is then that of the one group, or of the earlier phase"
        ),
    )
    kept = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=0.5,
        label=gettext_lazy("Of two phases: how alike a rater's own errors are"),
        help_text=gettext_lazy("0: what a rater gets wrong alone is anew by chance; 1: the same errors in both phases"),
    )
    change_sd = forms.FloatField(
        min_value=0,
        max_value=2,
        initial=0.1,
        label=gettext_lazy("Of two phases: spread of the change"),
        help_text=gettext_lazy("Standard deviation between raters of how much their d′ changes"),
    )
    margin_points = forms.FloatField(
        min_value=1, max_value=49, initial=15, label=gettext_lazy("Margin (percentage points)")
    )
    alpha = forms.FloatField(min_value=0.001, max_value=0.2, initial=0.05, label=gettext_lazy("Alpha"))
    target = forms.FloatField(min_value=0.5, max_value=0.99, initial=0.8, label=gettext_lazy("Power wanted"))
    agreement = forms.ChoiceField(
        choices=[
            ("kappa", gettext_lazy("I expect a kappa")),
            ("pilot", gettext_lazy("From the ratings of a pilot")),
            ("unknown", gettext_lazy("Unknown: plan for a range")),
        ],
        label=gettext_lazy("How alike raters answer"),
        initial="kappa",
        help_text=gettext_lazy("The more raters err on the same cases, the less each of them adds"),
    )
    kappa = forms.FloatField(
        min_value=0,
        max_value=0.95,
        initial=0.25,
        label=gettext_lazy("Kappa expected"),
        help_text=gettext_lazy("Between two raters' answers"),
    )
    kappa_low = forms.FloatField(
        min_value=0, max_value=0.95, initial=0.1, label=gettext_lazy("If unknown: kappa at least")
    )
    kappa_high = forms.FloatField(
        min_value=0, max_value=0.95, initial=0.5, label=gettext_lazy("If unknown: kappa at most")
    )
    pilot = forms.CharField(
        required=False,
        max_length=6000,
        initial="",
        widget=forms.Textarea(attrs={"rows": 4}),
        label=gettext_lazy("Pilot: one line per case"),
        help_text=gettext_lazy(
            "1 (synthetic) or 0 (real), then every rater's rating, higher is more surely synthetic; “-” for none"
        ),
    )
    rater_sd = forms.FloatField(
        min_value=0,
        max_value=2,
        initial=0.2,
        label=gettext_lazy("Spread of raters"),
        help_text=gettext_lazy(
            "Standard deviation of d′ between raters, for every analysis; a pilot's own spread takes its place"
        ),
    )
    cases_per_patient = forms.FloatField(
        min_value=1,
        max_value=100,
        initial=1,
        label=gettext_lazy("Cases per patient"),
        help_text=gettext_lazy("Of one kind; on average"),
    )
    alike = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=0.3,
        label=gettext_lazy("Likeness of a patient's cases"),
        help_text=gettext_lazy(
            "0: no more alike than cases of different patients; 1: as alike as the same case seen twice"
        ),
    )
    seconds_per_case = forms.FloatField(min_value=1, max_value=600, initial=20, label=gettext_lazy("Seconds per case"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("agreement") == "pilot" and "pilot" in cleaned:
            try:
                cleaned["pilot_reading"] = pilot_reading(cleaned["pilot"])
            except ValueError as error:
                self.add_error("pilot", gettext("This pilot can't be used: %(error)s.") % {"error": error})
        if cleaned.get("agreement") == "unknown" and cleaned.get("kappa_low", 0) > cleaned.get("kappa_high", 1):
            self.add_error("kappa_high", gettext("The largest kappa is below the smallest one."))
        if cleaned.get("goal") in COMPARISONS:
            self._refuse_other_comparisons(cleaned)
        return cleaned

    def _refuse_other_comparisons(self, cleaned: dict[str, Any]) -> None:
        """Two groups and two phases are planned for areas, and for one case of each patient."""
        if cleaned.get("measure") != "auc":
            self.add_error("measure", gettext("Two groups and two phases are planned by the AUC."))
        if cleaned.get("cases_per_patient", 1) != 1:
            self.add_error(
                "cases_per_patient", gettext("Two groups and two phases are planned for one case of each patient.")
            )
        if cleaned.get("effect") == cleaned.get("second"):
            self.add_error(
                "second", gettext("No study finds a difference where there is none: the two values are the same.")
            )


def pilot_reading(text: str) -> PilotReading:
    """Read a pilot's lines; ValueError says what does not fit."""
    rows = [re.split(r"[,;\s]+", line.strip()) for line in text.splitlines() if line.strip()]
    if not rows or len({len(row) for row in rows}) != 1:
        raise ValueError(gettext("every line needs a truth and one rating per rater"))
    try:
        values = [[math.nan if cell in {"-", "NA"} else float(cell) for cell in row] for row in rows]
    except ValueError as error:
        raise ValueError(gettext("a rating is a number, or “-” where there is none")) from error
    table = np.array(values)
    truth, ratings = table[:, 0], table[:, 1:]
    if not np.isin(truth, (0, 1)).all():
        raise ValueError(gettext("the truth of a case is 1 (synthetic) or 0 (real)"))
    if ratings.shape[1] < 2 or min((truth == kind).sum() for kind in (0, 1)) < FEWEST_PILOT_CASES:
        message = gettext("a pilot needs two raters and %(fewest)s cases of each kind")
        raise ValueError(message % {"fewest": FEWEST_PILOT_CASES})
    return read_pilot(truth=truth, ratings=ratings)
