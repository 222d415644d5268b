"""Benchmarks: fastebm beside vectorised C, NumPy and its peers, measured in one run.

`python -m benchmarks [NAME ...] [--json FILE]` prints the tables. Nothing is compared with a figure from another
machine or another day: every reference runs here, in turns with fastebm, and ratios are taken turn by turn.
"""
