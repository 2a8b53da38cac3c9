"""What the Grafana dashboard of Apus shows: rows of panels, with their queries. See dashboard.py.

Where several servers are chosen, counts are sums, and what is late or full is shown for each server.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    description: str
    # A query and its legend, each.
    queries: list[tuple[str, str]]
    kind: str = "timeseries"
    width: int = 8
    # From where on it is orange, and red.
    limits: tuple = ()
    stacked: bool = False


def stat(title, unit, description, query, limits=()):
    return Panel(title, unit, description, [(query, "")], "stat", 4, limits)


def by(label, metric):
    """The rates of a counter, by a label."""
    return [(f"sum by ({label}) (rate({metric}[$r]))", f"{{{{{label}}}}}")]


def quantiles(metric, labels="instance"):
    legend = " ".join(f"{{{{{label}}}}}" for label in labels.split(", "))
    return [(f"histogram_quantile({quantile}, sum by (le, {labels}) (rate({metric}_bucket[$r])))", f"{name} {legend}")
            for quantile, name in ((0.5, "p50"), (0.99, "p99"))]


OVERVIEW = [
    stat("Servers up", "short", "Servers whose metrics Prometheus can read.", "sum(up)"),
    stat("Connections", "short", "Open WebSockets, event streams and requests that wait for messages.",
         "sum(apus_connections)"),
    stat("Published", "cps", "Messages taken into topics, each second.",
         "sum(rate(apus_messages_published_total[$r]))"),
    stat("Delivered", "cps", "Messages handed to subscribers' sockets, each second.",
         "sum(rate(apus_messages_delivered_total[$r]))"),
    stat("Dropped", "percentunit", "The share of due messages that connected subscribers did not get.",
         'sum(rate(apus_messages_dropped_total{reason!="ended"}[$r])) / (sum(rate(apus_messages_delivered_total[$r])) '
         '+ sum(rate(apus_messages_dropped_total{reason!="ended"}[$r])))', (0.001, 0.01)),
    stat("Memory", "percentunit", "Memory in use, as a share of max_memory: the fullest server.",
         "max(sum by (job, instance) (apus_memory_bytes) / on (job, instance) (apus_memory_limit_bytes > 0))",
         (0.85, 0.9)),
    Panel("Versions", "short", "Servers by the version that they run.",
          [("count by (version) (apus_build_info)", "{{version}}")], width=8),
    Panel("Running for", "s", "Time since each server was started.",
          [("time() - process_start_time_seconds", "{{instance}}")], width=8),
    Panel("Processor", "percentunit", "Cores in use; 100 % is one core.",
          [("rate(process_cpu_seconds_total[$r])", "{{instance}}")], width=8),
]

DELIVERY = [
    Panel("Messages in", "cps", "Published messages; those times the subscriptions they are for (matched); and kept "
          "messages that subscribers asked for (replayed).",
          [("sum(rate(apus_messages_published_total[$r]))", "published"),
           ("sum(rate(apus_messages_matched_total[$r]))", "matched"),
           ("sum(rate(apus_messages_replayed_total[$r]))", "replayed")]),
    Panel("What became of them", "cps", "Every matched or replayed message ends in one of these ways.",
          [("sum(rate(apus_messages_delivered_total[$r]))", "delivered"),
           ("sum(rate(apus_messages_dropped_total[$r]))", "dropped"),
           ("sum(rate(apus_messages_expired_total[$r]))", "expired"),
           ("sum(rate(apus_messages_conflated_total[$r]))", "conflated"),
           ("sum(rate(apus_messages_own_total[$r]))", "own")], stacked=True),
    Panel("How long messages take", "s", "From a publisher to the sockets of all subscribers: the oldest message of each "
          "turn of a loop. Slow subscribers are not in it.", quantiles("apus_delivery_seconds"), limits=(0.5,)),
    Panel("Pending", "short", "Messages that are due and have not been delivered yet.",
          [("apus_messages_pending", "{{instance}}")]),
    Panel("Mean wait for delivery", "s", "Pending messages divided by deliveries a second, which is how long a message "
          "waits on average (Little's law). Slow subscribers raise it.",
          [("avg_over_time(apus_messages_pending[$r]) / (rate(apus_messages_delivered_total[$r]) > 0)",
            "{{instance}}")]),
    Panel("Repeats and purges", "cps", "Messages not taken again within a dedupe_window, and messages purged from "
          "history.",
          [("sum(rate(apus_messages_duplicate_total[$r]))", "duplicate"),
           ("sum(rate(apus_messages_purged_total[$r]))", "purged")]),
    Panel("Compressed size", "percentunit", "The size of compressed messages, as a share of the original.",
          [("sum(rate(apus_compression_output_bytes_total[$r])) / sum(rate(apus_compression_input_bytes_total[$r]))",
            "sent"),
           ("sum(rate(apus_decompression_input_bytes_total[$r])) "
            "/ sum(rate(apus_decompression_output_bytes_total[$r]))", "received")]),
]

SLOW_CONSUMERS = [
    Panel("Dropped", "cps", "Messages that subscriptions did not get, by reason. `ended` is what was pending when a "
          "subscriber left.", by("reason", "apus_messages_dropped_total")),
    Panel("Furthest behind", "short", "Messages that the slowest subscription has yet to get. "
          "`GET /subscribers?sort=lag&limit=1` names it.", [("apus_lag_messages_max", "{{instance}}")]),
    Panel("Disconnected as too slow", "short", "Slow subscribers that were told SLOW_CONSUMER, in each interval.",
          [('increase(apus_errors_total{code="SLOW_CONSUMER"}[$r])', "{{instance}}")]),
    Panel("Publishers that wait for a subscriber", "short", "Held back by a slow subscriber under throttle.",
          [("apus_throttled_publishers", "{{instance}}")]),
    Panel("Publishers that wait for a loop", "short", "Held back until an event loop has caught up.",
          [("apus_held_publishers", "{{instance}}")]),
    Panel("Publishes delayed for a loop", "cps", "How often a publish had to wait for an event loop.",
          [("rate(apus_publishes_held_total[$r])", "{{instance}}")]),
]

CONNECTIONS = [
    Panel("Connections", "short", "WebSockets; event streams, together with requests that wait for messages.",
          [("sum by (transport) (apus_connections)", "{{transport}}")], stacked=True),
    Panel("Opened", "cps", "WebSockets opened, and those of them with compression.",
          [("sum(rate(apus_connections_opened_total[$r]))", "opened"),
           ("sum(rate(apus_connections_compressed_total[$r]))", "with compression")]),
    Panel("Closed", "cps", "WebSockets that ended, by the code of the close.",
          by("reason", "apus_connections_closed_total")),
    Panel("Refused", "cps", "WebSocket handshakes and connections that were refused, by reason.",
          [("sum by (reason) (rate(apus_handshakes_refused_total[$r]))", "handshake: {{reason}}"),
           ("sum by (reason) (rate(apus_connections_refused_total[$r]))", "connection: {{reason}}")]),
    Panel("Subscriptions", "short", "Subscriptions to topics, those that wait for their topic, and patterns.",
          [("sum(apus_subscriptions)", "subscriptions"), ("sum(apus_subscriptions_waiting)", "waiting"),
           ("sum(apus_filters)", "patterns")]),
    Panel("Topics and consoles", "short", "Topics that exist, and consoles that are open.",
          [("sum(apus_topics)", "topics"), ("sum(apus_consoles)", "consoles")]),
    Panel("Open files", "percentunit", "Open files as a share of the maximum, which bounds connections.",
          [("process_open_fds / process_max_fds", "{{instance}}")], limits=(0.8, 0.95)),
    Panel("Of the limits", "percentunit", "Connections, topics and consoles, as shares of max_connections, max_topics and "
          "max_consoles.",
          [("sum without (transport) (apus_connections) / apus_connections_limit", "connections {{instance}}"),
           ("apus_topics / apus_topics_limit", "topics {{instance}}"),
           ("apus_consoles / apus_consoles_limit", "consoles {{instance}}")], limits=(0.85, 0.95)),
    Panel("Ready and draining", "short", "1 while /readyz says that the server is ready; 1 while it drains.",
          [("apus_ready", "ready {{instance}}"), ("apus_draining", "draining {{instance}}")]),
    Panel("Bytes", "Bps", "Read from WebSockets; given to WebSockets and event streams.",
          [("sum(rate(apus_received_bytes_total[$r]))", "received"),
           ("sum(rate(apus_sent_bytes_total[$r]))", "sent")]),
    Panel("TLS handshakes", "cps", "Handshakes that clients began, by what became of them.",
          by("result", "apus_tls_handshakes_total")),
]

MEMORY = [
    Panel("Of the limit", "percentunit", "What counts against max_memory. From 90 % on the connections furthest behind "
          "are closed, at 100 % new work is refused.",
          [("sum by (job, instance) (apus_memory_bytes) / on (job, instance) (apus_memory_limit_bytes > 0)",
            "{{instance}}")], limits=(0.85, 0.9)),
    Panel("By use", "bytes", "Logs of topics, bytes that wait for sockets, incomplete messages, and everything else.",
          [("sum by (part) (apus_memory_bytes)", "{{part}}")], stacked=True),
    Panel("Of the process", "bytes", "Resident memory, as the system sees it, and the size of all messages in logs.",
          [("process_resident_memory_bytes", "resident {{instance}}"), ("apus_log_bytes", "messages {{instance}}")]),
    Panel("Full", "short", "1 while new work is refused.", [("apus_memory_full", "{{instance}}")], width=12),
    Panel("Connections closed to free memory", "short", "In each interval.",
          [("increase(apus_memory_cut_connections_total[$r])", "{{instance}}")], width=12),
]

LOOPS = [
    Panel("How late loops are", "s", "How late event loops handled what others had published for their subscribers, "
          "and their timers.",
          quantiles("apus_loop_lag_seconds", "instance, loop"), width=12, limits=(0.1,)),
    Panel("Work of loops", "cps", "How often each loop was measured. One that stands still is stuck, or idle.",
          [("rate(apus_loop_lag_seconds_count[$r])", "{{instance}} {{loop}}")], width=12),
]

DURABILITY = [
    Panel("Commits", "cps", "Commits written, messages in them, and commits that failed.",
          [("sum(rate(apus_commits_total[$r]))", "commits"),
           ("sum(rate(apus_committed_messages_total[$r]))", "messages"),
           ("sum(rate(apus_commit_failures_total[$r]))", "failed")]),
    Panel("How long commits take", "s", "Written and, for topics of `disk`, flushed.",
          quantiles("apus_commit_seconds"), limits=(0.5,)),
    Panel("Written", "Bps", "Bytes of commits, and of messages that were moved to make room.",
          [("sum(rate(apus_committed_bytes_total[$r]))", "written")]),
    Panel("Data folder", "bytes", "Bytes of messages on the disk, and those that history still wants.",
          [("sum(apus_data_bytes)", "on the disk"), ("sum(apus_data_wanted_bytes)", "wanted")]),
    Panel("Segments", "short", "Files with messages.", [("apus_data_segments", "{{instance}}")]),
    Panel("Of data_bytes", "percentunit", "Bytes of messages as a share of data_bytes, where that is set.",
          [("apus_data_bytes / (apus_data_limit_bytes > 0)", "{{instance}}")], limits=(0.85, 0.95)),
    Panel("Free on the disk", "bytes", "Bytes free on the data folder's file system.",
          [("apus_data_free_bytes", "{{instance}}")]),
    Panel("Disk has failed", "short", "1 when nothing can be kept until the server is started again.",
          [("apus_journal_failed", "{{instance}}")]),
]

HTTP = [
    Panel("Requests by status", "reqps", "HTTP requests answered, without WebSocket handshakes.",
          by("status", "apus_http_requests_total"), stacked=True),
    Panel("Requests by method", "reqps", "HTTP requests answered, without WebSocket handshakes.",
          by("method", "apus_http_requests_total"), stacked=True),
    Panel("How long answers take", "s", "From the head of a request to the head of its answer, waits of long polls and "
          "of publishes under throttle included.", quantiles("apus_http_request_duration_seconds")),
]

ERRORS = [
    Panel("Errors by code", "cps", "Commands and requests refused, over WebSocket and HTTP.",
          [("sum by (code) (rate(apus_errors_total[$r])) > 0", "{{code}}")], stacked=True),
    Panel("Share of errors", "percentunit", "Errors as a share of commands and requests, without rate limits, missing "
          "rights and slow subscribers.",
          [('sum(rate(apus_errors_total{code!~"RATE_LIMITED|UNAUTHORIZED|FORBIDDEN|SLOW_CONSUMER|KICKED"}[$r])) / '
            "(sum(rate(apus_commands_total[$r])) + sum(rate(apus_http_requests_total[$r])))", "errors")],
          limits=(0.05,)),
    Panel("Commands", "cps", "Commands over WebSocket, by type, those that were refused included.",
          by("type", "apus_commands_total"), stacked=True),
    Panel("Warnings and errors in the log", "short", "Records in each interval, by level.",
          [("sum by (level) (increase(apus_log_records_total[$r]))", "{{level}}")], stacked=True),
    Panel("Last reload", "short", "1 if the configuration in force is that of the last reload, or there was none.",
          [("apus_config_last_reload_success", "{{instance}}")]),
    Panel("Reloads", "short", "Reloads in each interval, by result.",
          [("sum by (result) (increase(apus_config_reloads_total[$r]))", "{{result}}")]),
    Panel("Age of the configuration", "s", "Time since the configuration in force was read.",
          [("time() - apus_config_last_reload_success_timestamp_seconds", "{{instance}}")]),
]

ACCESS = [
    Panel("Denied", "cps", "Commands and requests without a valid key or token, or without the right; handshakes with "
          "a wrong one.",
          [('sum by (code) (rate(apus_errors_total{code=~"UNAUTHORIZED|FORBIDDEN"}[$r]))', "{{code}}"),
           ('sum(rate(apus_handshakes_refused_total{reason="unauthorized"}[$r]))', "handshake")]),
    Panel("Rate limited", "cps", "Commands and requests refused by each rate limit.",
          by("limit", "apus_rate_limited_total")),
    Panel("Clients with a publish budget", "short", "Clients whose publish rates are kept; there is room for 100,000.",
          [("sum(apus_publish_budgets)", "clients")]),
    Panel("Certificates", "s", "Time until the first certificate in force ends.",
          [("apus_tls_certificate_expires_seconds - time()", "{{instance}}")]),
    Panel("Certificates not loaded", "short", "Files that could not be used, in each interval.",
          [("increase(apus_tls_certificate_failures_total[$r])", "{{instance}}")]),
    Panel("Connections refused for their address", "cps", "Because an address has as many as connections_per_address "
          "allows, sends no PROXY header, or speaks no TLS.",
          by("reason", "apus_connections_refused_total")),
]

ROWS = [("Overview", OVERVIEW), ("Delivery", DELIVERY), ("Slow consumers", SLOW_CONSUMERS),
        ("Connections", CONNECTIONS), ("Memory", MEMORY), ("Loops", LOOPS), ("Durability", DURABILITY), ("HTTP", HTTP),
        ("Errors", ERRORS), ("Access", ACCESS)]
