#!/usr/bin/env python3
"""Reads a folder of `tessera relay simulate` as a stranger would: only its files and simulation.json, with Python's own library.

It checks names, digests and line counts, shows from the two worlds' samples a lower bound of epsilon (Clopper-Pearson), and says whether
that contradicts what the folder claims. Exit 0: not contradicted. Exit 1: contradicted, or the folder is not what it says it is.

False alarms: a right mechanism is contradicted with a probability of at most LEVEL per file pair.
"""
import bisect
import hashlib
import json
import math
import pathlib
import sys

LEVEL = 1e-6
THRESHOLDS = 256


def beta_fraction(x, a, b):
    """The continued fraction of the incomplete beta function (Lentz)."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    h = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            h *= d * c
        if abs(d * c - 1.0) < 1e-14:
            return h
    raise ArithmeticError("the fraction does not converge")


def beta(x, a, b):
    """I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta(1.0 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) * beta_fraction(x, a, b) / a


def chance_low(hits, trials, level):
    """The lower Clopper-Pearson bound."""
    if hits == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if beta(middle, hits, trials - hits + 1) < level:
            low = middle
        else:
            high = middle
    return low


def chance_high(hits, trials, level):
    """The upper one."""
    return 1.0 - chance_low(trials - hits, trials, level)


def epsilon_shown(one, two, delta):
    """The largest epsilon that the samples show to be exceeded at delta, over events "at most t" and "at least t"."""
    one, two = sorted(one), sorted(two)
    both = sorted(one + two)
    cuts = sorted({both[(len(both) - 1) * step // THRESHOLDS] for step in range(THRESHOLDS + 1)})
    share = LEVEL / (8 * len(cuts))
    best = 0.0
    for cut in cuts:
        up_to = [bisect.bisect_right(sample, cut) for sample in (one, two)]
        from_on = [len(sample) - bisect.bisect_left(sample, cut) for sample in (one, two)]
        for hits in (up_to, from_on):
            for p, q, n, m in ((hits[0], hits[1], len(one), len(two)), (hits[1], hits[0], len(two), len(one))):
                if p / n - delta <= q / m * math.exp(best):
                    continue
                low, high = chance_low(p, n, share) - delta, chance_high(q, m, share)
                if low > high:
                    best = max(best, math.log(low / high))
    return best


def numbers(path, rounds, digest):
    """The numbers of a file that is exactly what was described."""
    raw = path.read_bytes()
    assert hashlib.sha256(raw).hexdigest() == digest, f"{path}: another digest than simulation.json has"
    assert raw.endswith(b"\n") and b"\r" not in raw, f"{path}: lines do not end in a line feed alone"
    lines = raw[:-1].split(b"\n")
    assert len(lines) == rounds, f"{path}: {len(lines)} lines for {rounds} rounds"
    found = [int(line) for line in lines]
    assert all(str(number).encode() == line for number, line in zip(found, lines)), f"{path}: not plain decimal integers"
    return found


def place_file(place, buckets, full):
    """The file that a place adds to; in full mode null cells lie in the one bucket."""
    if place == "offline":
        return None
    if place == "null":
        return "bucket-0000.txt" if full else "null.txt"
    return f"bucket-{int(place.removeprefix('bucket:')):04}.txt"


def audit(folder):
    """Checks a folder; returns what was found as a dictionary."""
    told = json.loads((folder / "simulation.json").read_text())
    assert told["schema"] == "tessera.relay-simulation/1", "another format"
    names = [f"bucket-{n:04}.txt" for n in range(told["buckets"])] + ["null.txt", "swap.txt"]
    expected = {f"world-{w}/{name}" for w in "ab" for name in names}
    assert set(told["files"]) == expected, "the files are not those of this many buckets"
    there = {str(path.relative_to(folder)) for w in "ab" for path in (folder / f"world-{w}").iterdir()}
    assert there == expected, "the folder holds other files than simulation.json names"
    read = {path: numbers(folder / path, told["rounds"], digest) for path, digest in told["files"].items()}
    full = told["buckets"] == 1
    places = [place_file(told[f"world_{w}"], told["buckets"], full) for w in "ab"]
    for world in "ab":
        counts = [read[f"world-{world}/{place}"] if place else [0] * told["rounds"] for place in places]
        swap = [b - a for a, b in zip(*counts)]
        assert swap == read[f"world-{world}/swap.txt"], f"world-{world}/swap.txt is not the difference of its counts"
    claim, event = told["claim"], told["event"]
    shown = {"joint": epsilon_shown(read["world-a/swap.txt"], read["world-b/swap.txt"], claim["delta"])}
    shown["bucket"] = max(
        epsilon_shown(read[f"world-a/{place}"], read[f"world-b/{place}"], claim["delta"]) for place in places if place
    )
    stated = {name: claim["epsilon"] if event[name]["epsilon"] is None else event[name]["epsilon"] for name in shown}
    contradicted = [name for name in shown if shown[name] > min(stated[name], claim["epsilon"])]
    return {"rounds": told["rounds"], "claim": claim, "stated": stated, "shown": shown, "contradicted": contradicted}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: read.py DIR")
    try:
        found = audit(pathlib.Path(sys.argv[1]))
    except (AssertionError, OSError, KeyError, ValueError) as fault:
        sys.exit(f"not a simulation: {fault}")
    print(json.dumps(found, indent=1))
    sys.exit(1 if found["contradicted"] else 0)


if __name__ == "__main__":
    main()
