import ApusClient

/// Where the messages of a publish are stored, according to its answer. The members are the same on every transport.
struct AckedPlace: Equatable {
    let epoch: String
    /// The offset of the first message.
    let offset: Int

    /// Reads the members of an answer. A violation of the specification is returned as text.
    static func read(
        _ members: [String: JSONText],
        for pending: PublishWindow.Pending
    ) -> (place: AckedPlace?, fault: String?) {
        guard let epoch = members["epoch"]?.stringValue, let offset = members["offset"]?.integerValue, offset > 0 else {
            return (nil, "the answer to a publish has no outcome")
        }
        let place = AckedPlace(epoch: epoch, offset: offset)
        if members["duplicate"]?.text == "true" { return (place, "a new message is called a duplicate") }
        if pending.isBatch, members["count"]?.integerValue != pending.count {
            let count = members["count"]?.text ?? "none"
            return (place, "the answer to a batch of \(pending.count) has count \(count)")
        }
        return (place, nil)
    }
}
