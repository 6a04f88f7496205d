from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers import durations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("1h0m0s", timedelta(hours=1)),
        ("300ms", timedelta(milliseconds=300)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("2.s", timedelta(seconds=2)),
        ("7us", timedelta(microseconds=7)),
        ("7\u00b5s", timedelta(microseconds=7)),
        ("7\u03bcs", timedelta(microseconds=7)),
        ("1999ns", timedelta(microseconds=1)),
        ("30s1m", timedelta(seconds=90)),
        ("2562047h", timedelta(hours=2562047)),
    ],
)
def test_parse_reads_what_go_reads(text: str, expected: timedelta) -> None:
    assert durations.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "5", "5 minutes", "5 m", " 5m", "5m ", "5m\n", "m", ".s", "-5m", "+5m"),
        *("1d", "1h30", "5M", "1e3s", "\u0665m", "nan", "1" * 70 + "s"),
    ],
)
def test_parse_refuses_what_go_refuses_and_any_sign(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write 5m, 90s or 1h30m"):
        durations.parse(text)


def test_the_refusal_quotes_the_text() -> None:
    with pytest.raises(ValueError, match=r"^'5 minutes' is not a duration: write 5m, 90s or 1h30m$"):
        durations.parse("5 minutes")


@pytest.mark.parametrize("text", ["2562048h", "9" * 60 + "h"])
def test_parse_refuses_what_go_cannot_count(text: str) -> None:
    with pytest.raises(ValueError, match="is too long: a duration ends at 292 years"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(), "0s"),
        (timedelta(microseconds=7), "7us"),
        (timedelta(microseconds=1500), "1.5ms"),
        (timedelta(milliseconds=300), "300ms"),
        (timedelta(microseconds=999_999), "999.999ms"),
        (timedelta(seconds=1), "1s"),
        (timedelta(seconds=10), "10s"),
        (timedelta(seconds=90.5), "1m30.5s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(hours=1, microseconds=1), "1h0.000001s"),
        (timedelta(days=400), "9600h"),
    ],
)
def test_format_is_short(duration: timedelta, expected: str) -> None:
    assert durations.format(duration) == expected


def test_format_refuses_less_than_no_time() -> None:
    with pytest.raises(ValueError, match="not negative"):
        durations.format(timedelta(microseconds=-1))


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=100_000)))
def test_what_is_formatted_is_parsed_back(duration: timedelta) -> None:
    assert durations.parse(durations.format(duration)) == duration


@given(st.text(max_size=80))
def test_any_text_is_a_duration_or_is_refused_with_a_reason(text: str) -> None:
    try:
        durations.parse(text)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = "a duration"
    assert "a duration" in refusal
