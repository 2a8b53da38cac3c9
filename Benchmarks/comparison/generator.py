"""The load generators: their command lines, and what they print in one form.

`peer-load` is ours, on the engine of `apus bench`. A neutral one, another program with the options of
`NeutralGenerator`, can take its place to check it.
"""

import http.client
import json

from .server import Failed

PROTOCOLS = {"apus": "json", "nats": "nats", "redis": "redis", "nchan": "nchan", "mqtt": "mqtt"}


def paced_by_delivery(contestant, workload):
    return workload.name in contestant.paced_by_delivery


class PeerLoad:
    """Benchmarks/Sources/peer-load."""

    name = "peer-load"

    def __init__(self, program):
        self.program = program

    def prepare(self, contestant, workload, server, prefix):
        """Makes the topics, where there is such a thing: a prefix and six digits."""
        if contestant.protocol != "apus":
            return
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            for number in range(workload.topics):
                body = json.dumps({"name": f"{prefix}{number:06}"})
                connection.request("POST", "/topics", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status not in (200, 201):
                    raise Failed(f"POST /topics was answered with status {answer.status}")
        except http.client.HTTPException as error:
            raise Failed(f"POST /topics: {error}") from error
        finally:
            connection.close()

    def command(self, contestant, workload, server, seconds, prefix):
        options = {
            "protocol": contestant.protocol,
            "server": f"127.0.0.1:{server.port}",
            "prefix": prefix,
            "topics": workload.topics,
            "warmup": seconds.warmup,
            "duration": seconds.duration,
        }
        if workload.is_idle:
            options["connections"] = workload.subscribers
        else:
            options |= {
                "subs": workload.subscribers,
                "pubs": workload.publishers,
                "size": workload.payload,
                "slow": workload.stalled,
            }
            options |= {"rate": workload.rate} if workload.rate else {"window": workload.window}
            if paced_by_delivery(contestant, workload):
                options["credit"] = "delivery"
        words = [f"--{name}={value}" for name, value in options.items()]
        return [self.program, *words, *(f"--pid={pid}" for pid in server.pids)]

    def read(self, text, workload):
        found = json.loads(text)
        measured, wanted = found["measured_seconds"], found["options"]["duration"]
        if not 0.8 < measured / wanted < 1.25:
            raise Failed(f"the machine was too busy: {measured:.1f} s were measured in place of {wanted:g} s")
        server, deliveries = found["server_usage"], found["deliveries"]
        connections, latency = found["connections"], found.get("latency") or {}
        if workload.is_idle:
            return {
                "connects_per_s": connections["per_second"],
                "bytes_per_connection": connections["resident_bytes_each"],
                "cpu_us_per_connect": connections["cpu_microseconds_each"],
                "closed": found["closed"],
            }
        return {
            "publishes_per_s": found["publishes"]["per_second"],
            "deliveries_per_s": deliveries["per_second"],
            "cpu_us_per_delivery": server.get("cpu_microseconds_per_delivery"),
            "server_cpu_percent": server["cpu_percent"],
            "generator_cpu_percent": found["generator"]["busy_percent"],
            "p50_us": latency.get("p50"),
            "p99_us": latency.get("p99"),
            "p999_us": latency.get("p999"),
            "max_us": latency.get("max"),
            "expected": deliveries["expected"],
            "lost": deliveries["lost"],
            "duplicates": deliveries["doubled"],
            "out_of_order": deliveries["out_of_order"],
            "errors": found["errors"],
            "closed": found["closed"],
            "stalled_closed": (found.get("stalled") or {}).get("closed"),
            "memory_bytes": server["resident_bytes_peak"],
            "memory_growth_bytes": server["resident_bytes_peak"] - server["resident_bytes_connected"],
        }


class NeutralGenerator:
    """A generator that is no part of this repository."""

    name = "neutral"

    def __init__(self, program):
        self.program = program

    def prepare(self, *_):
        """It makes its topics itself."""

    def command(self, contestant, workload, server, seconds, prefix):
        options = {
            "proto": PROTOCOLS[contestant.protocol],
            "port": server.port,
            "prefix": prefix,
            "pid": ",".join(map(str, server.pids)),
            "warmup": seconds.warmup,
            "duration": seconds.duration,
        }
        if workload.is_idle:
            options |= {"idle": workload.subscribers}
        else:
            options |= {
                "subs": workload.subscribers,
                "pubs": workload.publishers,
                "topics": workload.topics,
                "size": workload.payload,
                "slow": workload.stalled,
            }
            options |= {"rate": workload.rate} if workload.rate else {"window": workload.window}
            if paced_by_delivery(contestant, workload):
                options["credit"] = "delivery"
        return [self.program, *(str(word) for name, value in options.items() for word in (f"--{name}", value))]

    def read(self, text, workload):
        found = json.loads(text)
        if workload.is_idle:
            return {
                "connects_per_s": found["connects_per_s"],
                "bytes_per_connection": found["rss_bytes_per_conn"],
                "cpu_us_per_connect": found["server_cpu_us_per_connect"],
                "closed": found["closed"],
            }
        latency = found["lat_us"]
        has_deliveries = found["deliveries_per_s"] > 0
        return {
            "publishes_per_s": found["publishes_per_s"],
            "deliveries_per_s": found["deliveries_per_s"],
            "cpu_us_per_delivery": found["server_cpu_us_per_delivery"] if has_deliveries else None,
            "server_cpu_percent": found["server_cpu_pct"],
            "generator_cpu_percent": found["gen_cpu_pct"],
            "p50_us": latency["p50"],
            "p99_us": latency["p99"],
            "p999_us": latency["p999"],
            "max_us": latency["max"],
            "expected": found["expected"],
            "lost": found["lost"],
            "duplicates": found["dup"],
            "out_of_order": found["ooo"],
            "errors": found["errors"],
            "closed": found["closed"],
            "stalled_closed": found["slow_closed"],
            "memory_bytes": 1024 * found["rss_peak_kib"],
            "memory_growth_bytes": 1024 * (found["rss_peak_kib"] - found["rss_connected_kib"]),
        }
