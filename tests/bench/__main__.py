"""`make bench`: all benches, one after the other. Each prints ratios and times of this run and of this machine."""

# ruff: noqa: T201 - a bench prints its figures
import subprocess
import sys

BENCHES = ("drain", "beside_load", "fleet", "store_call", "open_claims", "ddl_overhead", "history_size", "random_ddl")

for name in BENCHES:
    print(f"== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)
