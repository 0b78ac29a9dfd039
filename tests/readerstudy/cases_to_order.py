"""Cases as the rules of orders see them."""

from hypothesis import strategies as st

from readerstudy.blinding.schedule import CaseToOrder


@st.composite
def case_lists(draw):
    per_kind = draw(st.integers(2, 25))
    scans = draw(st.integers(1, 8))
    cases = []
    for number in range(2 * per_kind):
        scan = draw(st.integers(0, scans - 1))
        place = draw(st.integers(0, 5))
        cases.append(
            CaseToOrder(
                case_id=f"case-{number:03d}",
                synthetic=number < per_kind,
                scan=f"scan-{scan}",
                place=f"scan-{scan} place-{place}" if draw(st.booleans()) else f"own-{number}",
            )
        )
    return cases


def forty_cases():
    return [CaseToOrder(case_id=f"c{n:02d}", synthetic=n % 2 == 0, scan=f"s{n // 4}", place=f"p{n}") for n in range(40)]
