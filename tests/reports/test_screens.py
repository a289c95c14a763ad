"""Single screens: labels, channels, first responses, inbox by label, drilldown, diagnosis."""

from __future__ import annotations

from orchestration.reports import Reports
from tests.reports.conftest import DAY, MONDAY, NEW_YORK
from tests.support.answers import Question
from tests.support.screens import drilldown, label_summary
from tests.support.warehouse import SupportWarehouse

DAYS = ("2025-10-27", "2025-11-03")


def test_labels_are_all_there_and_average_nothing_to_zero(
    reports: Reports, helpdesk: SupportWarehouse
) -> None:
    table = reports.label_summary(*DAYS).set_index("id")
    assert table["name"].to_dict() == {11: "billing", 12: "unused"}
    assert table.loc[11, "avg_first_response_time"] == 0.1
    assert table.loc[12, "avg_resolution_time"] == 0
    window = Question(*(reports.timeseries("reply_time", *DAYS).index[[0, -1]]))
    expected = label_summary(helpdesk.accounts()[NEW_YORK], window)
    until = window.until.isoformat()
    assert reports.label_summary(window.since, until).set_index("id").to_dict("index") == expected


def test_channels_statuses_and_responses(reports: Reports) -> None:
    channels = reports.channel_summary(*DAYS).iloc[0].to_dict()
    assert channels == {
        "channel_type": "Channel::WebWidget",
        "open": 7, "resolved": 0, "pending": 0, "snoozed": 0, "total": 7,
    }  # fmt: skip
    responses = reports.first_response_distribution(*DAYS).iloc[0].to_dict()
    assert responses["0-1h"] == 1
    assert sum(responses[name] for name in ("1-4h", "4-8h", "8-24h", "24h+")) == 0


def test_the_matrix_has_every_inbox_and_label(reports: Reports) -> None:
    matrix = reports.inbox_label_matrix(*DAYS)
    counts = matrix.set_index(["inbox_id", "label_id"])["count"].to_dict()
    assert counts == {(11, 11): 1, (11, 12): 0, (12, 11): 0, (12, 12): 0}


def test_a_drilldown_shows_what_a_bucket_counts(
    reports: Reports, helpdesk: SupportWarehouse
) -> None:
    account = helpdesk.accounts()[NEW_YORK]
    week = reports.timeseries("reply_time", "2025-10-26", "2025-11-09", group_by="week")
    question = Question(week.index[0], week.index[1] + 7 * DAY)
    for metric in (
        "resolutions_count",
        "bot_resolutions_count",
        "bot_handoffs_count",
        "conversations_count",
        "outgoing_messages_count",
    ):
        bucket = week.index[0]
        rows = reports.drilldown(metric, bucket, "week", question.since, question.until)
        expected = drilldown(account, metric, question, bucket, "week", "America/New_York")
        assert len(rows) == len(expected)
        assert (rows["total_count"] == len(expected)).all()
        page = reports.drilldown(
            metric, bucket, "week", question.since, question.until, page=2, per_page=1
        )
        assert page["conversation_id"].tolist() == rows["conversation_id"].tolist()[1:2]


def test_the_diagnosis_tells_rates_before_and_after(reports: Reports) -> None:
    found = reports.diagnose_bots("2025-10-27", "2025-11-10").iloc[0]
    assert (found["bot_conversations"], found["both_conversations"]) == (5, 4)
    assert (found["before_resolution_rate"], found["after_resolution_rate"]) == (200, 120)
    samples = found["samples"]
    assert [sample["conversation_id"] for sample in samples] == [100, 103, 106, 109]
    assert samples[0]["status"] == "open"
    assert samples[0]["handoff_at"].startswith(str((MONDAY + 2 * DAY).date()))
    nobody = reports.diagnose_bots("2015-01-01", "2015-01-02").iloc[0]
    assert nobody["before_sum"] is None or nobody.isna()["before_sum"]


def test_durations_in_words(helpdesk: SupportWarehouse) -> None:
    texts = {
        93600: "1 day 2 hours", 3660: "1 hour 1 minute", 62: "1 minute 2 seconds",
        55.2: "55 seconds", 90061: "1 day 1 hour", 86401: "1 day 1 second", 0: "N/A", None: "N/A",
    }  # fmt: skip
    for seconds, text in texts.items():
        assert helpdesk.rows("select report.duration_text(%s)", seconds) == [(text,)]
