/// Where a replay starts.
package enum ReplayStart: Sendable, Equatable {
    /// This many publications before the head.
    case lastN(Int)
    /// After this position.
    case position(epoch: String, offset: UInt64)
    /// At the first publication made at this time or later, in milliseconds since 1970.
    case time(Int64)
    /// At the first publication made this many milliseconds ago or later.
    case age(Int64)
    /// At the oldest publication kept.
    case all

    /// Parses `"10m"`, an RFC 3339 time or `"all"`; `nil` for anything else.
    package init?(_ text: String) {
        if text == "all" {
            self = .all
        } else if let age = DurationText.milliseconds(withUnit: text) {
            self = .age(age)
        } else if let time = Timestamp.milliseconds(rfc3339: text) {
            self = .time(time)
        } else {
            return nil
        }
    }
}

/// The fields of `subscribe` beyond the plain contract.
package struct SubscribeExtensions: Sendable, Equatable {
    /// Whether events and the ack contain positions in the log.
    package var positions = false
    package var since: ReplayStart?
    /// `nil` for the topic's setting, or else the server's.
    package var overflow: OverflowPolicy?
    /// `nil` for the topic's setting, or else the server's.
    package var queue: Int?
    /// Whether the subscription receives what its own connection publishes.
    package var echo = true
    /// Whether other subscriptions are announced to it.
    package var presence = false
    /// Whether to wait for a topic that does not exist.
    package var wait = false
    /// Whether events contain the trace context that their messages were published with.
    package var trace = false
    /// Whether the command has any of these fields. Events then also contain their keys.
    package var isUsed = false

    package init() {}
}

extension CommandScanner {
    /// Reads the extension fields of a scanned `subscribe`.
    ///
    /// - Parameter maxQueue: the largest `queue` accepted.
    package func subscribeExtensions(
        of command: Command,
        in bytes: UnsafeRawBufferPointer,
        maxQueue: Int
    ) -> Result<SubscribeExtensions, CommandError> {
        var result = SubscribeExtensions()
        guard command.hasExtensions else { return .success(result) }
        do throws(FieldError) {
            let fields = ExtensionFields(in: bytes)
            result.positions = try fields.flag(.positions, in: bytes) ?? false
            result.since = try fields.since(in: bytes)
            if result.since != nil { result.positions = true }
            guard result.since == nil || !command.hasLastN else {
                throw FieldError("since", "and 'last_n' exclude each other")
            }
            if let text = try fields.text(.overflow, in: bytes) {
                guard let overflow = OverflowPolicy(rawValue: text) else {
                    let names = OverflowPolicy.allCases.map(\.rawValue).joined(separator: ", ")
                    throw FieldError(message: "'overflow' must be one of \(names)")
                }
                result.overflow = overflow
            }
            result.queue = try fields.queue(in: bytes, max: maxQueue)
            result.echo = try fields.flag(.echo, in: bytes) ?? true
            result.presence = try fields.flag(.presence, in: bytes) ?? false
            result.wait = try fields.flag(.wait, in: bytes) ?? false
            result.trace = try fields.flag(.trace, in: bytes) ?? false
            result.isUsed = fields.isAnyGiven(
                of: .positions,
                .since,
                .overflow,
                .queue,
                .echo,
                .presence,
                .wait,
                .trace
            )
            return .success(result)
        } catch {
            return .failure(CommandError(message: error.message, requestID: command.requestID))
        }
    }
}
