import ApusTesting

extension RecordingSubscriber {
    /// The numbers that came in, of all topics.
    var numbers: [Int] { messages.compactMap { Int($0.dropFirst(5).dropLast()) } }

    /// The offsets that came in, of all topics.
    var offsets: [UInt64] {
        records.compactMap { record in
            if case .event(_, _, _, let offset) = record { offset } else { nil }
        }
    }

    /// The records with events as numbers: `1 2 dropped(3) 6 deleted`; with positions `dropped(3: 3-5)`.
    var summary: String {
        records.map { record in
            switch record {
            case .event(_, let message, _, _): "\(message.dropFirst(5).dropLast())"
            case .dropped(_, let count, nil): "dropped(\(count))"
            case .dropped(_, let count, let range?): "dropped(\(count): \(range.lowerBound)-\(range.upperBound))"
            case .deleted: "deleted"
            case .created(_, let epoch, false): "created(\(epoch))"
            case .created(_, let epoch, true): "created(\(epoch)) unrecovered"
            case .slowConsumer: "slow"
            case .warning(_, let lag, let queue): "warning(\(lag) of \(queue))"
            case .presence(_, let hasJoined, let clientID): hasJoined ? "+\(clientID)" : "-\(clientID)"
            case .presenceDropped(_, let count): "presenceDropped(\(count))"
            case .historyUnavailable: "unavailable"
            case .overloaded: "overloaded"
            case .malformed: "malformed"
            }
        }.joined(separator: " ")
    }
}

extension Sequence<Int> {
    /// The numbers as ``RecordingSubscriber/summary`` writes them.
    var summary: String { map(String.init).joined(separator: " ") }
}
