"""`python -m tests.torture.fuzz image --seconds 60`: fuzz one parser, guided by coverage."""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service", "python_multipart", "PIL"]):
    from tests.torture.fuzz.seeds import seeds_of
    from tests.torture.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until the time is over or an exception comes that is none of ours."""
    parser = argparse.ArgumentParser("tests.torture.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for number, seed in enumerate(seeds_of(flags.target)):
        (corpus / f"{number:04}").write_bytes(seed)
    options = (
        f"-max_total_time={flags.seconds}",
        f"-seed={flags.seed}",
        "-max_len=8192",
        "-timeout=25",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={corpus}/",
    )
    atheris.Setup([sys.argv[0], str(corpus), *options], TARGETS[flags.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
