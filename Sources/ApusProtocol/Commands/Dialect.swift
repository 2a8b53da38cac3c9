/// The wire dialect of a connection.
public enum Dialect: UInt8, Sendable, CaseIterable {
    /// `/ws`: message ids are UUIDs.
    case base
    /// `/v1/ws`: message ids are any non-empty string.
    case v1
}
