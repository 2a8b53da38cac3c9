/// Which of the two wire dialects a connection speaks.
public enum Dialect: UInt8, Sendable, CaseIterable {
    /// `/ws`: message ids are UUIDs.
    case base
    /// `/v1/ws`: message ids are any non-empty string.
    case v1
}
