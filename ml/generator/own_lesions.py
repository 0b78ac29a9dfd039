"""A bank of a person's own lesions: which of them are fit to be exemplars, and the bank made of those."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ml.errors import NoExemplarError, TrainingError
from ml.generator.bank import NORMAL_COUNT, Lesions, bank_of, measured, normal_patches
from ml.generator.model import Generator
from ml.generator.shapes import signed_depth_mm
from ml.generator.signatures import SignatureBank, SignatureSpace
from ml.patches.case import LesionRecord, LiverCase, Volume
from ml.scans.lesions import LESION_KINDS

# Of smaller lesions (mm) the profile over depth is little more than the scanner's blur. Set by hand.
SMALLEST_MM = 8.0
# A core (the inner half by depth) that is darker (HU) holds fat or gas, which none of the kinds stands for.
DARKEST_CORE_HU = -75.0
# Lesions must be darker than the liver around them by so much (HU): less can't be asked for.
WEAKEST_CONTRAST_HU = -10.0
# Why a lesion is no exemplar, in words for cards and pages.
CUT, SMALL, UNKNOWN_KIND, FAT_OR_GAS, BRIGHT, NOT_DECODED = (
    "cut by the edge of the scan",
    "smaller than 8 mm",
    "of a kind that generators don't know",
    "with fat or gas in the core (below -75 HU)",
    "not darker than the liver by 10 HU",
    "decoded to no lesion",
)


@dataclass(frozen=True)
class Gathered:
    """What one scan gives: its fit lesions, normal patches (m, Z, Y, X), and why others were left out."""

    case: str
    lesions: Lesions | None
    normals: Volume
    left_out: Counter[str]


@dataclass(frozen=True)
class OwnBank:
    """A bank and its principal components, and whose lesions it holds.

    ``lesions``, ``patients`` and ``scans`` count what is new in it, ``beside`` whether the generator's own exemplars
    are there as well, ``normals_of_before`` whether its normal liver is, ``left_out`` lesions by reason,
    ``case_names`` the scans that gave lesions or normal liver.
    """

    bank: SignatureBank
    space: SignatureSpace
    beside: bool
    normals_of_before: bool
    lesions: int
    patients: int
    scans: int
    left_out: dict[str, int]
    case_names: tuple[str, ...]

    def to_card(self) -> dict[str, Any]:
        """What a card tells of it."""
        counted = {"lesions": self.lesions, "patients": self.patients, "scans": self.scans}
        kept = {"beside_those_of_before": self.beside, "normal_liver_of_before": self.normals_of_before}
        return {**kept, **counted, "left_out": self.left_out}


def check_can_edit(generator: Generator) -> None:
    """Raises TrainingError for a generator whose exemplars nobody could insert."""
    if not generator.net.volumetric:
        raise TrainingError(
            f"{generator.name} sees too few slices to edit with, so a bank of lesions is of no use to it. "
            "Choose a three-dimensional generator."
        )


def gather(case: LiverCase, generator: Generator, *, normals: int, seed: int) -> Gathered:
    """The fit lesions of a case, and ``normals`` patches of its normal liver where that is known."""
    reasons = [(record, why_unfit(case, record)) for record in case.lesions]
    fit = [(case, record) for record, reason in reasons if not reason]
    left_out = Counter(reason for _, reason in reasons if reason)
    found = measured(generator, fit, np.random.default_rng([seed, 872])) if fit else None
    if found is not None:
        dark = np.flatnonzero(found.contrasts_hu <= WEAKEST_CONTRAST_HU)
        if len(dark) < len(fit):
            left_out[BRIGHT] += len(fit) - len(dark)
        found = chosen(found, dark) if len(dark) else None
    patches = np.zeros((0, *generator.net.patch_zyx), np.float32)
    if case.all_drawn:
        # A liver full of lesions has exemplars and nothing that is normal.
        with contextlib.suppress(TrainingError):
            patches = normal_patches(generator, [case], normals, seed=seed)
    return Gathered(case.name, found, patches, left_out)


def why_unfit(case: LiverCase, record: LesionRecord) -> str:
    """Why a lesion can't be an exemplar, before its patch is looked at; empty where it may be one."""
    where = np.argwhere(case.labels == record.label)
    low, high = where.min(0), where.max(0)
    if (low == 0).any() or (high == np.array(case.grid.size_zyx) - 1).any():
        return CUT
    if record.diameter_mm < SMALLEST_MM:
        return SMALL
    if record.kind and record.kind not in LESION_KINDS:
        return UNKNOWN_KIND
    box = tuple(slice(int(a) - 1, int(b) + 2) for a, b in zip(low, high, strict=True))
    inside = case.labels[box] == record.label
    depth = signed_depth_mm(inside, case.grid.spacing_zyx_mm)
    core = inside & (depth >= depth.max() / 2)
    return FAT_OR_GAS if float(np.median(case.hu[box][core])) < DARKEST_CORE_HU else ""


def chosen(lesions: Lesions, rows: Any) -> Lesions:
    """Some of the lesions."""
    return Lesions(
        lesions.patches[rows],
        [lesions.kinds[row] for row in rows],
        lesions.diameters_mm[rows],
        lesions.contrasts_hu[rows],
        lesions.profiles_hu[rows],
    )


def normals_each(scans: int) -> int:
    """How many normal patches every one of so many scans gives, so that a bank gets its number."""
    return -(-NORMAL_COUNT // max(1, scans))


def assemble(parts: Sequence[Gathered], generator: Generator, *, beside: bool, seed: int) -> OwnBank:
    """The bank of all fit lesions, instead of the generator's exemplars or beside them.

    Where no scan shows normal liver, lesions are matched with the generator's own. Raises TrainingError when no
    lesion is fit, NoExemplarError when none of the fit ones decodes to a lesion.
    """
    left_out = sum((part.left_out for part in parts), Counter[str]())
    giving = [(part.case, part.lesions) for part in parts if part.lesions is not None]
    if not giving:
        raise TrainingError(f"No lesion of these scans is fit to be an exemplar. {left_out_in_words(left_out)}".strip())
    lesions = Lesions.joined([found for _, found in giving])
    normals = np.concatenate([part.normals for part in parts])
    normal_codes = generator.encode(normals) if len(normals) else generator.bank.normal_codes
    if not len(normal_codes):
        raise TrainingError(
            f"None of these scans shows normal liver, and {generator.name} has none of its own any more. "
            "Add scans of which all lesions are drawn."
        )
    try:
        bank, _, kept = bank_of(generator, lesions, normal_codes, seed=seed)
    except NoExemplarError as error:
        raise NoExemplarError(
            f"None of {len(lesions.kinds)} fit lesions decodes to a lesion in {generator.name}. "
            "Train it further on these scans first."
        ) from error
    if len(kept) < len(lesions.kinds):
        left_out[NOT_DECODED] += len(lesions.kinds) - len(kept)
    if beside:
        bank = (
            both(generator.bank, bank)
            if len(normals)
            else replace(both(generator.bank, bank), normal_codes=normal_codes)
        )
    owners = [number for number, (_, found) in enumerate(giving) for _ in found.kinds]
    scans = {owners[row] for row in kept}
    return OwnBank(
        bank=bank,
        space=SignatureSpace.fit(np.concatenate([bank.lesion_codes, bank.normal_codes])),
        beside=beside,
        normals_of_before=beside or not len(normals),
        lesions=len(kept),
        patients=len({giving[number][0] for number in scans}),
        scans=len(scans),
        left_out=dict(left_out),
        case_names=tuple(dict.fromkeys(p.case for p in parts if p.lesions is not None or len(p.normals))),
    )


def both(first: SignatureBank, second: SignatureBank) -> SignatureBank:
    """The exemplars and normal codes of two banks, the first one's first."""
    names = [field.name for field in fields(SignatureBank)]
    return SignatureBank(**{n: np.concatenate([getattr(first, n), getattr(second, n)]) for n in names})


def left_out_in_words(left_out: dict[str, int]) -> str:
    """Lesions that are no exemplars, counted by reason, as a sentence; empty where there are none."""
    if not left_out:
        return ""
    return f"Left out: {', '.join(f'{count} {reason}' for reason, count in sorted(left_out.items()))}."
