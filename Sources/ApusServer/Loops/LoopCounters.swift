import ApusProtocol

/// Counts what the connections of one event loop have done since the server started.
struct LoopCounters: Sendable {
    private var commands = InlineArray<5, UInt64>(repeating: 0)
    var errors: [ErrorCode: UInt64] = [:]
    /// Refused commands and publishes by the limit that was reached.
    var limited: [RateLimits.Name: UInt64] = [:]
    var opened: UInt64 = 0
    /// Closed connections by the reason in the server's close frame. Connections that clients closed are not included.
    var closed: [String: UInt64] = [:]
    var tlsHandshakes = TLSHandshakes()
    var receivedBytes: UInt64 = 0
    var sentBytes: UInt64 = 0
    /// How many connections of ``opened`` use compression.
    var openedCompressed: UInt64 = 0
    /// Bytes of compressed client messages, before and after decompression.
    var inflatedInput: UInt64 = 0
    var inflatedOutput: UInt64 = 0

    /// TLS handshakes by how they ended.
    struct TLSHandshakes: Sendable {
        var ok: UInt64 = 0
        var failed: UInt64 = 0
        /// The client left, or took too long.
        var abandoned: UInt64 = 0
    }

    mutating func count(_ kind: Command.Kind, _ number: Int = 1) {
        commands[Int(kind.rawValue)] += UInt64(number)
    }

    func count(of kind: Command.Kind) -> UInt64 {
        commands[Int(kind.rawValue)]
    }
}
