"""The E-model against values that ITU-T G.107, G.109 and G.113 print, and others' curves."""

import pytest

from pbx.e_model import CODECS, G711_UNCONCEALED, opinion, rating


def test_a_perfect_line_has_the_rating_of_the_default_values() -> None:
    assert rating(0, 0) == pytest.approx(93.2, abs=0.05)
    assert opinion(rating(0, 0)) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "mos"),
    # Annex B, table B.1: the lower limits of the classes of users' satisfaction.
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0), (120, 4.5)],
)
def test_the_opinion_that_a_rating_stands_for(r: float, mos: float) -> None:
    assert opinion(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("loss", "ie"), [(0, 11), (0.5, 13), (1, 15), (2, 19), (4, 26), (8, 36)])
def test_g729_by_the_table_of_g113(loss: float, ie: float) -> None:
    impaired = rating(0, 0) - rating(0, loss, CODECS["g729"])
    assert impaired == pytest.approx(ie, abs=1.2)


@pytest.mark.parametrize(("loss", "ie"), [(2, 7), (3, 10), (5, 15), (7, 20)])
def test_g711_with_concealment_by_the_table_of_g113(loss: float, ie: float) -> None:
    assert rating(0, 0) - rating(0, loss) == pytest.approx(ie, abs=1.0)


def test_g711_without_concealment_loses_a_quarter_with_each_percent_at_first() -> None:
    # G.113: 25 at 1 %, which the formula of G.107 flattens.
    assert 17 < rating(0, 0) - rating(0, 1, G711_UNCONCEALED) < 25
    assert rating(0, 5, G711_UNCONCEALED) < 50 < rating(0, 5)


@pytest.mark.parametrize("delay_ms", [50, 100, 150, 200, 250, 300, 350])
def test_delay_costs_what_others_have_fitted(delay_ms: float) -> None:
    # R. G. Cole and J. H. Rosenbluth, Voice over IP performance monitoring (2001), of G.107's
    # curve at its default values.
    fitted = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    assert rating(0, 0) - rating(delay_ms, 0) == pytest.approx(fitted, abs=2.5)


def test_bursts_of_loss_weigh_more() -> None:
    assert rating(0, 5, burst_ratio=2) < rating(0, 5, burst_ratio=1)
    assert rating(0, 5, burst_ratio=0.2) == rating(0, 5)


def test_a_rating_is_never_below_zero() -> None:
    assert rating(2000, 100, G711_UNCONCEALED, 10) == 0


def test_a_wideband_line_may_be_rated_above_any_narrow_one() -> None:
    best = rating(0, 0, CODECS["g722"])
    assert best == 116
    assert opinion(best, wideband=True) > opinion(rating(0, 0)) - 0.1
    assert rating(0, 5, CODECS["g722"]) < best
