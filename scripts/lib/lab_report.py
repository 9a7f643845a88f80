"""Writes report.md and report.json from the results of scripts/lab, one JSON object a line."""

import json
import pathlib
import statistics
import sys

from plots import chart

results_path, out_dir, machine = sys.argv[1:]
results = [json.loads(line) for line in pathlib.Path(results_path).read_text().splitlines()]
out = pathlib.Path(out_dir)
(out / "report.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1))


def group(key):
    found = {}
    for result in results:
        found.setdefault(key(result), []).append(result)
    return found


def median(values):
    return statistics.median(list(values))


def succeeded_per_s(result):
    """Requests that were answered as hoped, polls left out."""
    overall = result["overall"]
    return overall["succeededMs"]["count"] / (result["durationMs"] / 1e3) if "succeededMs" in overall else overall["ratePerS"]


def runs_of(subject, scenario):
    return [r for r in results if (r["subject"], r["scenarioName"]) == (subject, scenario)]


def rate(subject, scenario="authorize"):
    return median(succeeded_per_s(r) for r in runs_of(subject, scenario))


def per_request_us(result, component):
    """CPU time of a component for each request, polls included, in microseconds."""
    return result["cpuSeconds"][component] * 1e6 / max(1, result["succeeded"] + result["unexpected"])


lines = [
    "# Load laboratory",
    "",
    f"Machine: {machine}. Medians of {sum(r['subject'] == 'plain handler' for r in results)} round(s), each of all subjects in turn; the",
    "load generator and all servers were on the same machine, all safety was on. Rates and latencies are of requests answered as hoped.",
    "",
    "| subject | scenario | a second | p50 ms | p99 ms | p99.9 ms | unexpected | server CPU, us a request | memory MiB |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
]
for (subject, scenario), runs in group(lambda r: (r["subject"], r["scenarioName"])).items():
    of = lambda read: median(read(r) for r in runs)
    if subject == "ceiling":
        lines.append(f"| {subject}: a bare client, 400 in one transaction | {scenario} | {of(succeeded_per_s):.0f} | | | | | | |")
        continue
    p = lambda name: of(lambda r: r["overall"]["succeededMs"][name])
    unexpected = sum(r["unexpected"] for r in runs)
    cpu = of(lambda r: per_request_us(r, "subject"))
    lines.append(
        f"| {subject} | {scenario} | {of(succeeded_per_s):.0f} | {p('p50'):.1f} | {p('p99'):.1f} | {p('p99.9'):.1f} "
        f"| {unexpected} | {cpu:.0f} | {of(lambda r: r['memoryMiB'][-1]):.0f} |"
    )

core = median(1e6 / per_request_us(r, "subject") for r in runs_of("rialto", "authorize"))
lines += [
    "",
    "| ratio, in one run | is | wanted |",
    "| --- | --- | --- |",
    f"| Rialto on real servers / the ceiling | {rate('rialto') / rate('ceiling'):.2f} | 0.6 |",
    f"| Rialto on real servers / the plain handler | {rate('rialto') / rate('plain handler'):.1f} | 8 |",
    f"| Rialto / Rialto with batches of one | {rate('rialto') / rate('rialto, batches of one'):.1f} | |",
    f"| hot merchant / spread | {rate('rialto', 'hot merchant') / rate('rialto'):.2f} | 0.5 |",
    f"| authorizations a second that one core of server CPU carries | {core:.0f} | 2500 |",
]
for subject, scenario in [("rialto", "full flow, 1000/s"), ("rialto, embedded", "full flow, 1000/s")]:
    runs = runs_of(subject, scenario)
    flows = median(r["flows"]["finished"] / (r["durationMs"] / 1e3) for r in runs)
    behind = max((r["flows"]["ledgerDrainMs"] or float("inf")) for r in runs)
    lines.append(f"| {subject}: flows finished of 1 000 a second | {flows:.0f} | 1000 |")
    lines.append(f"| {subject}: the ledger is behind at their end, ms | {behind:.0f} | 2000 |")
for r in runs_of("rialto", "authorize, 10 minutes"):
    lines.append(f"| memory after a minute and after 10 at full load, MiB | {r['memoryMiB'][6]}, {r['memoryMiB'][-1]} | under 300, flat |")
if large := [s for s in dict.fromkeys(r["scenarioName"] for r in results) if s.endswith("more a table")]:
    lines.append(f"| {large[0]} / the first rounds | {rate('rialto', large[0]) / rate('rialto'):.2f} | 0.8 |")
per_request_kib = lambda result, component: result["writtenBytes"][component] / 1024 / max(1, result["succeeded"] + result["unexpected"])
lines += ["", "| a request on real servers takes | CPU, us: Rialto | MariaDB, both | Kafka | Redis | written, KiB: Rialto and its PSP | MariaDB, both | Kafka |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
for scenario in dict.fromkeys(r["scenarioName"] for r in results if r["subject"] == "rialto"):
    runs = runs_of("rialto", scenario)
    mean = lambda read, *names: median(sum(read(r, name) for name in names) for r in runs)
    cpu = " | ".join(f"{mean(per_request_us, *names):.0f}" for names in [("subject",), ("mariadb-1", "mariadb-2"), ("kafka",), ("redis",)])
    disk = " | ".join(f"{mean(per_request_kib, *names):.1f}" for names in [("subject",), ("mariadb-1", "mariadb-2"), ("kafka",)])
    lines.append(f"| {scenario} | {cpu} | {disk} |")


def plot(name, *about):
    (out / f"{name}.svg").write_text(chart(*about))
    lines.extend(["", f"![{about[0]}]({name}.svg)"])


# The last round's runs: a line through medians of seconds would show nothing that happened.
last = {(r["subject"], r["scenarioName"]): r for r in results if r["subject"] != "ceiling"}
authorized = {subject: r for (subject, scenario), r in last.items() if scenario == "authorize"}
over_time = lambda r, key: [(second + 1, value[key]) for second, value in enumerate(r["seconds"])]
plot("throughput", "Authorizations, closed loop, 256 connections", "second", "answered as hoped in it", {s: over_time(r, "succeeded") for s, r in authorized.items()})
plot("latency", "Their latency", "second", "p99 of the second, ms", {s: over_time(r, "p99Ms") for s, r in authorized.items()})
levels = ["p50", "p90", "p95", "p99", "p99.9"]
curve = lambda r: [(place, r["overall"]["latencyMs"][level]) for place, level in enumerate(levels)]
open_loop = {f"{subject}: {scenario}": curve(r) for (subject, scenario), r in last.items() if "open loop" in scenario or "full flow" in scenario}
plot("percentiles", "Latency at a given rate", "percentile", "ms", open_loop, levels)
if (out / "flame.svg").exists():
    lines += ["", "![Where the time goes](flame.svg)"]
(out / "report.md").write_text("\n".join(lines) + "\n")
