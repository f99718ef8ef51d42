"""When the far end's reports say that it hears nothing of us."""

import pytest

from pbx.sent_watch import FarEndReport, SentWatch

GOOD, DEAF, LOSING = FarEndReport(True, 0.02), FarEndReport(False), FarEndReport(True, 0.97)


@pytest.mark.parametrize("bad", [DEAF, LOSING])
def test_two_reports_in_a_row_tell(bad: FarEndReport) -> None:
    watch = SentWatch(0.0)
    assert not watch.reported(bad, 6.0)
    assert watch.reported(bad, 11.0)


def test_reports_of_the_time_before_the_answer_are_passed_over() -> None:
    watch = SentWatch(10.0)
    assert not any(watch.reported(DEAF, at) for at in (11.0, 13.0, 14.9, 15.1))


def test_a_good_one_between_them_counts() -> None:
    watch = SentWatch(0.0)
    reports = [DEAF, GOOD, DEAF, GOOD]
    assert not any(watch.reported(one, 10.0 + at) for at, one in enumerate(reports))


def test_on_hold_nothing_is_expected() -> None:
    watch = SentWatch(0.0)
    assert not watch.reported(DEAF, 6.0)
    watch.pause(20.0)
    assert not watch.reported(DEAF, 22.0)
    assert not watch.reported(DEAF, 26.0)


def test_a_report_without_a_share_is_one_of_who_hears() -> None:
    watch = SentWatch(0.0)
    assert not any(watch.reported(FarEndReport(True), 6.0 + at) for at in range(9))
