"""The table that `make test-faults` prints: each test of a fault records one
row, as a comment line of its own; table.sh gathers them at the end."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sim"))
from simulator import in_time  # noqa: E402

COLUMNS = ("fault", "what", "runs", "seed", "lost", "doubled", "repeats",
           "worst", "bound")


def record(fault, what, *, runs=1, seed="-", lost=0, doubled=0, repeats=0,
           worst_s=None, bound_s=None):
    """fault: its number in the matrix, or a word.  Lost, doubled and unknown
    repeats are counted, never assumed: see from_stack().  Bounds in s."""
    def seconds(value):
        return "-" if value is None else f"{value:.1f} s"

    print("# row|" + "|".join(map(str, (
        fault, what, runs, seed, lost, doubled, repeats, seconds(worst_s),
        seconds(bound_s)))), flush=True)
    assert lost == 0, f"fault {fault}: {lost} lost"
    assert doubled == 0, f"fault {fault}: {doubled} doubled"
    if worst_s is not None and bound_s is not None:
        in_time(worst_s, bound_s, f"fault {fault}, {what}")


def from_stack(stack, expected):
    """lost, doubled and repeats, from the simulator's ledger and the
    deliveries: expected says how many people were to get one message."""
    entries = stack.entries()
    per_address = {}
    for entry in entries:
        per_address[entry["address"]] = per_address.get(
            entry["address"], 0) + 1
    repeats = stack.number("SELECT count(*) FROM delivery WHERE repeated")
    surplus = sum(count - 1 for count in per_address.values())
    return {"lost": expected - len(per_address),
            "doubled": max(0, surplus - repeats), "repeats": repeats}
