extension Setting {
    static let tracing: [Setting] = [
        .init(
            "tracing.endpoint",
            \.tracing.endpoint,
            .collector,
            "OpenTelemetry collector that gets spans by OTLP/HTTP, such as http://127.0.0.1:4318/v1/traces."
        ),
        .init(
            "tracing.headers",
            \.tracing.headers,
            .headerFields,
            "Header fields of each request to it, as name=value; may be given several times."
        ),
        .init(
            "tracing.sample",
            \.tracing.sample,
            .ratio,
            "How many of the HTTP requests get a trace that bring none: from 0 to 1."
        ),
        .init("tracing.service_name", \.tracing.serviceName, .serviceName, "The server's name in its spans."),
        .init(
            "tracing.queue",
            \.tracing.queue,
            .whole(1...1_000_000),
            "Spans that may wait for the collector; further ones are dropped and counted."
        ),
    ]
}
