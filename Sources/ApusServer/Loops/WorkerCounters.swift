import ApusProtocol

/// What one event loop's connections have done since the server began.
struct WorkerCounters: Sendable {
    private var commands = InlineArray<5, UInt64>(repeating: 0)
    var errors: [ErrorCode: UInt64] = [:]
    var opened: UInt64 = 0
    /// By the reason in the server's close frame; connections that clients ended are not in it.
    var closed: [String: UInt64] = [:]
    var receivedBytes: UInt64 = 0
    var sentBytes: UInt64 = 0
    /// Of ``opened``, those with compression.
    var openedCompressed: UInt64 = 0
    /// What clients sent compressed, before and after.
    var inflatedInput: UInt64 = 0
    var inflatedOutput: UInt64 = 0

    mutating func count(_ kind: Command.Kind) {
        commands[Int(kind.rawValue)] += 1
    }

    func count(of kind: Command.Kind) -> UInt64 {
        commands[Int(kind.rawValue)]
    }
}
