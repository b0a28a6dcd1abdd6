"""The options of `stn-model reproduce`."""

from pathlib import Path

from model_export.serving_cli import Commands, Formatter


def add_reproduce(commands: Commands, formatter: Formatter, data_help: str) -> None:
    """Add `reproduce` to the command line."""
    parser = commands.add_parser(
        "reproduce",
        help="repeat the paper's experiments, and put the errors beside the paper's",
        formatter_class=formatter,
        description="""\
Train the cells of the paper's table 1, and print it with our figures: R (rotated), RTS (rotated,
scaled, moved), P (projective), E (elastic) and TC (moved and cluttered, 60 x 60), each read by fcn,
cnn, st-fcn-TRANSFORM and st-cnn-TRANSFORM, where TRANSFORM is affine, projective or tps.

Each cell keeps its state in a folder of its own below --out, written after each epoch: killed at
any moment, the same command goes on from there. A finished cell is not trained again.
OUT/table1.md, table1.csv and table1.png have what is there so far; a cell's log.jsonl has a line
for each epoch.
The test digits, distorted once from a fixed seed, are looked at once, when a cell is done.

All cells together take days of one core; an ST-CNN takes 50 to 115 CPU minutes.""",
        epilog="""\
examples:
  stn-model reproduce table1 --data mnist/ --out table1 --only RTS:st-cnn-affine --threads 1
  stn-model reproduce table1 --out table1 --budget 0     (train nothing, print the table)""",
    )
    parser.add_argument("what", choices=("table1",), help="the paper's table on distorted digits")
    parser.add_argument("--out", required=True, type=Path, help="folder of the cells' folders")
    parser.add_argument("--data", help=data_help)
    parser.add_argument(
        "--only",
        action="append",
        metavar="EXPERIMENT:NETWORK",
        help="this cell; may be repeated, and sets the order (default: all)",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings of each cell")
    parser.add_argument(
        "--budget",
        type=float,
        metavar="MINUTES",
        help="CPU minutes to spend now; training stops at the end of the epoch that reaches it "
        "(default: no end)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="instead of each recipe's own, to try things out"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads that TensorFlow may use")
