"""The result as tables, and which targets it meets."""

from statistics import median

# An ack may take so much longer than JetStream's own, in milliseconds.
ACK_EXTRA_MS = 0.5
# The least share of what JetStream takes in packs of the same size, and of a single server's fan-out.
LEAST_OF_RAW, LEAST_OF_SINGLE = 0.8, 0.9


def middle(results):
    """The median of each number of several results of one form."""
    if isinstance(results[0], dict):
        return {key: middle([result[key] for result in results]) for key in results[0]}
    if isinstance(results[0], list):
        return [middle(list(each)) for each in zip(*results)]
    return median(results)


def targets(figures):
    """Each target that was measured: what it is, what was found, and whether that meets it."""
    found = []
    if "ack" in figures:
        apus, raw = figures["ack"]["apus"]["p50_ms"], figures["ack"]["jetstream"]["p50_ms"]
        found.append((f"ack p50 ≤ JetStream's + {ACK_EXTRA_MS} ms", f"{apus:.2f} ms, JetStream {raw:.2f} ms",
                      apus <= raw + ACK_EXTRA_MS))
    if "topics" in figures:
        apus = figures["topics"]["apus"]["per_second"]
        share = apus / figures["topics"]["jetstream"]["messages_per_second"]
        found.append((f"16 topics ≥ {LEAST_OF_RAW} of raw packs of that size", f"{share:.2f} ({apus:,.0f} publishes/s)",
                      share >= LEAST_OF_RAW))
    if "fanout" in figures:
        single, node = (figures["fanout"][name]["deliveries_per_core_second"] for name in ("single", "1 node"))
        found.append((f"fan-out of a node ≥ {LEAST_OF_SINGLE} of a single server's", f"{node / single:.2f}",
                      node >= LEAST_OF_SINGLE * single))
    return found


def text(result):
    figures, lines = result["figures"], [f"{result['date']}, {result['machine']}, {result['load']}", ""]
    if "ack" in figures:
        lines += ["| one publish at a time | p50 ms | p99 ms | a second |", "|---|---:|---:|---:|"]
        lines += [f"| {name} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {row['per_second']:,.0f} |"
                  for name, row in figures["ack"].items()]
    if "topics" in figures:
        apus, raw = figures["topics"]["apus"], figures["topics"]["jetstream"]
        lines += ["", "| 16 busy topics | publishes/s | p50 ms | p99 ms | of a pack |", "|---|---:|---:|---:|---:|"]
        lines += [
            f"| apus | {apus['per_second']:,.0f} | {apus['p50_ms']:.2f} | {apus['p99_ms']:.2f} "
            f"| {apus['messages_per_pack']:.1f} messages, {apus['bytes_per_pack']:,.0f} bytes |",
            f"| jetstream, packs of that size | {raw['messages_per_second']:,.0f} | {raw['p50_ms']:.2f} "
            f"| {raw['p99_ms']:.2f} | {raw['per_second']:,.0f} packs/s |",
        ]
    if "shares" in figures:
        lines += ["", "| packs of one message | publishes/s | µs of the node | µs of each other node | µs of NATS |",
                  "|---|---:|---:|---:|---:|"]
        lines += [f"| {name} | {row['publishes_per_second']:,.0f} | {row['node_us_per_pack']:.0f} "
                  f"| {row['other_node_us_per_pack']:.0f} | {row['nats_us_per_pack']:.0f} |"
                  for name, row in figures["shares"].items()]
    if "fanout" in figures:
        lines += ["", "| fan-out | µs of a core a delivery | deliveries a core-second, of all nodes "
                  "| µs of NATS a publish |", "|---|---:|---:|---:|"]
        lines += [f"| {name} | {row['cpu_us_per_delivery']:.2f} | {row['deliveries_per_core_second']:,.0f} "
                  f"| {row['nats_cpu_us_per_publish']:.1f} |" for name, row in figures["fanout"].items()]
    if "scale" in figures:
        row = figures["scale"]
        lines += ["", f"{row['topics']:,.0f} topics: {row['made_per_second']:,.0f} made a second; a node "
                  f"{row['node_bytes_per_topic']:,.0f} bytes a topic, a node that starts {row['start_bytes_per_topic']:,.0f}"
                  f", three NATS servers {row['nats_bytes_per_topic_of_three']:,.0f}; a start {row['start_seconds']:.1f} s"]
    lines += ["", "| target | found | |", "|---|---|---|"]
    lines += [f"| {what} | {found} | {'met' if is_met else '**missed**'} |" for what, found, is_met in targets(figures)]
    lines += [f"\nFAILED {problem}" for problem in result["failed"]]
    return "\n".join(lines) + "\n"
