// A line for each test, and the closing line that `dev/lib.sh` counts: "N passed, N failed".

export default async function* report(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const outcome = data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed";
    counts[outcome] += 1;
    yield `${outcome.padEnd(7)} ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
    const { error } = data.details;
    if (error) yield `${error.cause?.stack ?? error.cause ?? error.stack}`.replace(/^/gm, "    ") + "\n";
  }
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  yield `\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`;
}
