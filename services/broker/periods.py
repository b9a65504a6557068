"""Periods and working days (民法典 art. 200-204). Pure."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime

SHANGHAI = ZoneInfo("Asia/Shanghai")
_REMEMBERED = 8_192  # days of some years, each with a few lengths
_MONTHS = 12
_SATURDAY = 5
_LONGEST_SHIFT = timedelta(days=9)
"""By how much one holiday moves the end of a window of some working days at the very most."""
# Month and day between which the State Council has ever put a holiday or a swapped working day: New Year,
# Spring Festival, Qingming, Labour Day, Dragon Boat, Mid-Autumn with National Day.
_SEASONS = ((1224, 1231), (101, 105), (117, 301), (329, 410), (422, 512), (525, 626), (908, 1013))


def day_of(moment: datetime) -> date:
    """The date in Asia/Shanghai: every legal date is one (`RULINGS` T1)."""
    return moment.astimezone(SHANGHAI).date()


@lru_cache(_REMEMBERED)
def add_months(day: date, months: int) -> date:
    """The corresponding day, or the month's last where there is none (art. 202). Never rolled (`RULINGS`
    T3).
    """
    years, month = divmod(day.year * _MONTHS + day.month - 1 + months, _MONTHS)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


@lru_cache(_REMEMBERED)
def working_day_after(day: date, count: int) -> date:
    """The `count`-th working day after `day`, on weekends alone: no table of holiday notices is here yet."""
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < _SATURDAY
    return day


def is_provisional(after: date, deadline: date, day: date) -> bool:
    """Whether a holiday notice could change on which side of `deadline`, counted from `after` on weekends
    alone, `day` falls (`RULINGS` T4).
    """
    if abs(day - deadline) > _LONGEST_SHIFT:
        return False
    days = (after + timedelta(days=n) for n in range(1, (deadline - after).days + 1))
    return any(start <= d.month * 100 + d.day <= end for d in days for start, end in _SEASONS)
