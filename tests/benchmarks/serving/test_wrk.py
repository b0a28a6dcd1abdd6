"""What wrk prints is read, and what it is told is what was meant."""

from pathlib import Path

import pytest

from benchmarks.serving import wrk
from benchmarks.serving.messages import Request

PRINTED = """Running 2s test @ http://127.0.0.1:8000
  1 threads and 8 connections
Requests/sec:    498.20
BENCH {"requests":1000,"bytes":500000,"microseconds":2007000,"p50":1500.0,"p99":9000.5,\
"status":40,"socket":2,"timeout":3}
"""


def test_a_run_is_read_in_seconds_and_milliseconds() -> None:
    tally = wrk.parse(PRINTED)

    assert (tally.seconds, tally.p50_ms, tally.p99_ms) == (2.007, 1.5, 9.0005)


def test_the_size_of_an_answer_is_that_of_the_average_one() -> None:
    assert wrk.parse(PRINTED).answer_bytes == 500


def test_refusals_are_errors_and_no_good_answers() -> None:
    """A server that refuses fast is not fast."""
    tally = wrk.parse(PRINTED)

    assert (tally.good, tally.errors) == (960, 45)


def test_a_run_that_measured_nothing_says_what_wrk_said() -> None:
    with pytest.raises(RuntimeError, match="unable to connect to 127"):
        wrk.parse("", "unable to connect to 127.0.0.1:8000 Connection refused\n")


def test_the_script_sends_the_body_byte_for_byte(tmp_path: Path) -> None:
    """Zeros, quotes and line ends stay out of the Lua source: they lie in a file of their own."""
    body = bytes(range(256))

    script = wrk.write_script(Request("/predict?include=warped", "image/png", body), tmp_path)

    text = script.read_text()
    sent = text.partition('io.open("')[2].partition('"')[0]
    assert Path(sent).read_bytes() == body
    assert 'wrk.path = "/predict?include=warped"' in text
    assert 'wrk.headers["Content-Type"] = "image/png"' in text


def test_without_wrk_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(FileNotFoundError, match="apt-get install wrk"):
        wrk.find()
