"""What a soak says at its end."""

from .samples import MIB


def report(world):
    """Prints the books and the verdicts; how many failed."""
    print(f"\n  {'the books':<58}{'clients':>22}{'server':>14}")
    for row in world.rows:
        print(row)
    print()
    wrong = [row for row in world.rows if not row.is_right]
    faults, gauges = world.books.faults, str(world.left) if world.left else "are 0"
    verdicts = [
        ("books add up", not wrong, f"{len(world.rows) - len(wrong)} of {len(world.rows)} rows"),
        ("every reader got all that it was due, in order", not faults, f"{len(world.accounts)} readers' accounts"),
        ("nothing is left of clients that have gone", not world.left, f"gauges {gauges}"),
        ("no descriptor is left", not world.files, f"{world.files:+d}"),
    ]
    if len(world.samples.all) >= 8:
        rise, error = world.samples.growth
        told = f"{rise / 1024:+.1f} ± {error / 1024:.1f} KiB a minute in the second half"
        verdicts.append(("memory is flat", world.samples.is_flat, told))
    for name, is_right, told in verdicts:
        print(f"{'ok  ' if is_right else 'FAIL'}  {name}: {told}")
    for fault in faults:
        print(f"      {fault}")
    if world.samples.all:
        print(f"resident at most, medians of a minute: {max(sample.rss for sample in world.samples.all) / MIB:.1f} MiB")
    return sum(not is_right for _, is_right, _ in verdicts)
