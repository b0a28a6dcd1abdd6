"""What the gateway is put through: `scripts/torture` runs it and writes docs/reliability.md.

Each scenario starts or takes a real gateway (`rig.py`), throws something at it (`corpus/`,
`load.py`) and gives rows of the table: what was thrown, what was expected, what was seen.
The short form of each runs with the tests (`test_short_form.py`), without the claims that depend
on speed.
"""
