#if NATS
/// What a reader has had of its consumer, which numbers its messages without gaps.
struct ReaderProgress: Equatable {
    /// The newest message of the stream that came.
    private(set) var last: UInt64
    /// The consumer's number of it.
    private(set) var delivered: UInt64 = 0

    init(from sequence: UInt64) {
        last = max(sequence, 1) - 1
    }

    /// Whether a message is the next one. What is not, is a gap: the server or libnats has dropped something.
    mutating func take(_ delivery: DeliverySubject) -> Bool {
        guard delivery.delivered == delivered + 1, delivery.sequence > last else { return false }
        delivered += 1
        last = delivery.sequence
        return true
    }

    /// Whether everything has come that a heartbeat says was sent.
    func isComplete(delivered count: UInt64) -> Bool { count == delivered }
}

/// What the reply subject of a consumer's message says about it.
///
/// `$JS.ACK.STREAM.CONSUMER.TIMES.SEQUENCE.DELIVERED.TIME.PENDING`, or with the domain and the account's hash before
/// the stream, and maybe something at the end.
struct DeliverySubject: Equatable {
    let sequence: UInt64
    let delivered: UInt64
    /// Nanoseconds since 1970, by the stream's leader.
    let time: Int64
    let pending: UInt64

    init?(_ subject: String) {
        let parts = subject.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let start = parts.count == 9 ? 5 : 7
        guard subject.hasPrefix("$JS.ACK."), parts.count == 9 || parts.count >= 11,
            let sequence = UInt64(Substring(parts[start])),
            let delivered = UInt64(Substring(parts[start + 1])),
            let time = Int64(Substring(parts[start + 2])),
            let pending = UInt64(Substring(parts[start + 3]))
        else { return nil }
        self.sequence = sequence
        self.delivered = delivered
        self.time = time
        self.pending = pending
    }
}
#endif
