/// How a running server gets its next configurations.
///
/// ```swift
/// let reloading = Reloading(requests: hangups, logLevel: level) { () throws(ConfigurationError) in
///     try ServerConfiguration.load(environment: environment, file: "apus.yaml")
/// }
/// ```
/// Settings that a running server cannot change are named in the log. A configuration that cannot be used changes
/// nothing.
public struct Reloading: Sendable {
    let requests: AsyncStream<Void>
    let logLevel: LogLevel?
    let load: @Sendable () throws(ConfigurationError) -> LoadedConfiguration

    /// - Parameters:
    ///   - requests: one element for each reload. Let it buffer one, so that requests during a reload become one more.
    ///   - logLevel: the level of the server's log, if the configuration decides about it.
    ///   - load: reads the configuration again.
    public init(
        requests: AsyncStream<Void>,
        logLevel: LogLevel? = nil,
        load: @escaping @Sendable () throws(ConfigurationError) -> LoadedConfiguration
    ) {
        self.requests = requests
        self.logLevel = logLevel
        self.load = load
    }
}
