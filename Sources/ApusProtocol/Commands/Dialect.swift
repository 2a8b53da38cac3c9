/// The two forms of the contract's endpoints and messages.
public enum Dialect: UInt8, Sendable, CaseIterable {
    /// `/ws`, `/topics`, …: message ids are UUIDs, and messages have a member `ts`.
    case base
    /// `/v1/ws`, `/v1/topics`, …: message ids are any non-empty string, and messages have a member `timestamp`.
    case v1
}
