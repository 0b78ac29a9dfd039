"""What is deposited in a registry before the first rating: everything that was frozen, and nothing of a single case.

A draft has the same document with the mark of a draft and without digests: to write by, not to deposit. Names of
raters, the seed of the draw and the tables behind the digests stay in the study.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from ctplatform.documents.document import Block, Bullets, Document, Facts, Paragraph, Section, moment_words
from ctplatform.documents.html import html_file
from ctplatform.documents.pdf import pdf
from readerstudy.auditing.certificate import limits_words
from readerstudy.blinding import free_order, repeated_order, tuple_order
from readerstudy.design.following import frozen_following, in_prose
from readerstudy.design.phases import continued, phase_words
from readerstudy.ledger.turns import policy_of
from readerstudy.models import Feedback, GoingBack, Study
from readerstudy.planning.arrival import ArrivalPolicy
from readerstudy.planning.plans import plan_of, sentences_of
from readerstudy.report.display import DIGEST_WORDS, display_words
from readerstudy.report.feedback_words import REGISTERED
from readerstudy.report.zipping import checksums
from readerstudy.tasks.labels import GERMAN

SIZE_UNKNOWN = "Not stated: the plan has no paragraph on why the study has this size."
BY_THE_AUTHORS = (
    "Name and number of the registry",
    "Ethics approval, or why none is needed",
    "Funding and competing interests",
    "Who the raters are: specialty, experience, how they were recruited",
    "Why the margin of equivalence is what it is, unless the plan says so",
    "Where scans, ratings and code will be available",
)

IN_GERMAN = "German: raters read the names of answers and of levels of confidence in German"


def registration(study: Study) -> Document:
    frozen = study.protocol
    settled = study.locked_at or timezone.now()
    what = "Registration of a blinded reader study" if frozen else "Draft of a registration, nothing is frozen"
    return Document(
        title=study.asked.title,
        subtitle=what,
        moment=settled.isoformat(),
        opening=[_opening(study)],
        sections=[
            Section(title="Question", blocks=_question(study)),
            Section(title="Design", blocks=[Facts(rows=_design(study))]),
            Section(title="Size", blocks=[Paragraph(text=plan_of(study).sample_size or SIZE_UNKNOWN)]),
            Section(title="Analysis plan", blocks=[Bullets(items=_plan(study))]),
            *([Section(title="What was frozen", blocks=_proof(study, frozen))] if frozen else []),
            Section(
                title="What the platform does not know",
                blocks=[
                    Paragraph(text="Whoever deposits this adds, where the registry asks for it:"),
                    Bullets(items=BY_THE_AUTHORS),
                ],
            ),
        ],
    )


def registration_files(study: Study) -> dict[str, bytes]:
    """File name to content, the same bytes whenever they are made of a locked study."""
    document = registration(study)
    files = {"registration.pdf": pdf(document), "registration.html": html_file(document).encode()}
    if study.protocol:
        frozen = study.protocol["analysis_plan"]
        files["plan.json"] = json.dumps(frozen, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    return {**files, "SHA256SUMS": checksums(files)}


def _opening(study: Study) -> Block:
    if not study.locked_at:
        return Paragraph(
            text="This study is not locked: everything below may still change, and there is no digest to hold it to.",
            tone="warning",
        )
    since = f"open for ratings since {moment_words(study.opened_at)}" if study.opened_at else "not open for ratings yet"
    return Paragraph(
        text=f"Protocol, cases, orders and analysis plan were frozen on {moment_words(study.locked_at)}; {since}.",
        tone="note",
    )


def _question(study: Study) -> list[Block]:
    asked = study.asked
    told = asked.instructions.strip()
    each = " of each image" if asked.task.images > 1 else ""
    return [
        Paragraph(text=asked.question),
        Paragraph(text=f"Answers: {asked.task.answers_in_words()}."),
        *(Paragraph(text=f"Then{each}: {item.question} Answers: {item.in_words()}.") for item in asked.questions),
        *(
            [Paragraph(text=f"After the last case, once: {asked.end_question} Answered in own words.")]
            if asked.end_question
            else []
        ),
        *([Paragraph(text=f"Instructions to the raters: {told}")] if told else []),
    ]


def _plan(study: Study) -> list[str]:
    """In the words that were frozen, whatever a later version says."""
    frozen = study.protocol.get("analysis_plan")
    return list(frozen["in_words"]) if frozen and "in_words" in frozen else sentences_of(study, plan_of(study))


def _design(study: Study) -> list[tuple[str, str]]:
    return [
        *_followed(study),
        *([("Earlier study", words)] if (words := phase_words(continued(study))) else []),
        ("Cases", _cases(study)),
        ("Raters", _raters(study)),
        ("Display", display_words(study)),
        *([("Language", IN_GERMAN)] if study.asked.language == GERMAN else []),
        ("Lesions", _lesions(study)),
        ("Order", _order(study)),
        ("Changes of answers", str((policy_of(study) if study.protocol else GoingBack(study.going_back)).label)),
        ("Late answers", _late(study)),
        ("Blinding", _blinding(study)),
        ("Unblinding", _unblinding(study)),
    ]


def _followed(study: Study) -> list[tuple[str, str]]:
    frozen = study.protocol.get("published") if study.protocol else frozen_following(study).get("published")
    if not frozen:
        return []
    return [("Follows", f"{frozen['reference']}, doi {frozen['doi']}. {in_prose(frozen['departures'])}".rstrip())]


def _cases(study: Study) -> str:
    cases: Mapping[str, Any] = study.protocol.get("cases", {})
    if not cases:
        of_real, of_synthetic = study.asked.task.of_each_kind
        real = study.cases_planned * of_real // (of_real + of_synthetic)
        return f"{real} real and {study.cases_planned - real} synthetic cases are planned"
    controls = cases.get("positive_controls", 0)
    synthetic = cases["synthetic"]
    beside = _beside(study, controls)
    real = cases["count"] - synthetic - controls - beside
    with_real = f" in trials with {beside} real ones" if beside else ""
    apart = f"; {controls} positive controls, edits degraded on purpose{with_real}, counted apart" if controls else ""
    return f"{real} real and {synthetic} synthetic cases{apart}. Every rater reads all of them"


def _beside(study: Study, controls: int) -> int:
    """Real images in the trials of the positive controls, all synthetic images of which are controls."""
    of_real, of_synthetic = study.asked.task.of_each_kind
    return controls * of_real // of_synthetic if study.asked.task.images > 1 else 0


def _raters(study: Study) -> str:
    frozen = study.protocol.get("raters")
    if frozen is None:
        return f"{study.raters.panel().count() or 'none'} chosen so far"
    people = [rater for rater in frozen if "program" not in rater]
    programs = [f"{rater['program']['name']} {rater['program']['version']}" for rater in frozen if "program" in rater]
    simulated = sum(rater["simulated"] for rater in people)
    words = str(len(people))
    if simulated:
        words += f", {'all' if simulated == len(people) else simulated} simulated: a dry run"
    sizes = Counter(rater["group"] for rater in people if rater.get("group"))
    if sizes:
        words += f", in groups: {', '.join(f'{size} {name}' for name, size in sorted(sizes.items()))}"
    return f"{words}; programs beside them: {', '.join(programs)}" if programs else words


def _lesions(study: Study) -> str:
    frozen = study.protocol.get("cases", {})
    low, high = frozen.get("diameter_limits_mm", (study.diameter_min_mm, study.diameter_max_mm))
    twins = frozen.get("twins_allowed", study.twins_allowed)
    twice = "one rater may see a scan and its edited twin" if twins else "no two cases show the same part of a scan"
    flow = frozen.get("flow") or {}
    edits = (
        f"; of {flow['edited']} edits {flow['accepted']} were accepted in the review, {flow['rejected']} rejected, "
        f"{flow['not_reviewed']} not reviewed"
        if "edited" in flow
        else ""
    )
    return f"Lesions of {low:g} to {high:g} mm, drawn so that the kinds are alike in all but the lesion; {twice}{edits}"


DRAWN_WORDS = {
    free_order.ALGORITHM: "shuffled without regard to the kinds",
    repeated_order.ALGORITHM: "shuffled without regard to the kinds",
    tuple_order.ALGORITHM: "of the trials and of the images in each, shuffled without regard to the kinds",
}


def _order(study: Study) -> str:
    several = study.asked.task.images > 1
    frozen = study.protocol.get("order", {"algorithm": tuple_order.ALGORITHM if several else free_order.ALGORITHM})
    names = ("scan_distance", "place_distance", "repeats", "repeat_distance")
    asked = frozen.get("constraints") or {name: getattr(study, name) for name in names}
    repeats = (
        f"; {asked['repeats']} cases come twice, drawn for each rater without regard to their kind, at least "
        f"{asked['repeat_distance']} places apart, the first answer counts"
        if asked.get("repeats")
        else ""
    )
    # Studies that were locked before have orders by the rule of then.
    drawn = DRAWN_WORDS.get(frozen["algorithm"], "drawn in balanced blocks")
    return (
        f"Every rater has an own order, {drawn} and stored before the first answer; "
        f"{asked['scan_distance']} places apart for cases of one scan, {asked['place_distance']} for those of one "
        f"place{repeats}. {REGISTERED[Feedback(study.asked.feedback)]}"
    )


def _late(study: Study) -> str:
    frozen = study.protocol.get("arrival")
    hours = ArrivalPolicy(**frozen).grace_hours if frozen else 0 if study.protocol else study.grace_hours
    return f"Given before the closing, they count when they arrive within {hours} hours" if hours else "Do not count"


def _blinding(study: Study) -> str:
    audit = study.protocol.get("leak_audit") or {}
    if not audit:
        return "Before the lock all that raters receive is tested for whether it tells the kinds apart"
    found = "nothing was found" if audit["passed"] else "something was found"
    return (
        "Before the lock all that raters receive was tested for whether it tells the kinds apart; "
        f"{found}. {limits_words(audit)}"
    )


def _unblinding(study: Study) -> str:
    two = study.protocol.get("unblinding_by_two", False) if study.protocol else study.unblinding_by_two
    return f"After the closing, by {'two people' if two else 'one person'} under their name, with date, for good"


def _proof(study: Study, frozen: Mapping[str, Any]) -> list[Block]:
    digests = [
        ("Protocol", study.protocol_digest),
        ("Analysis plan", study.plan_digest),
        ("Orders", study.schedule_digest),
        *((DIGEST_WORDS.get(name, name), digest) for name, digest in frozen["sealed"].items()),
    ]
    return [
        Paragraph(
            text="SHA-256. Salt, names of the raters and the tables behind the digests stay sealed in the study until "
            "the unblinding; the auditor's archive then holds them, with a script that computes these digests again.",
        ),
        Facts(rows=[*digests, ("Study", str(study.pk))], digests=True),
    ]
