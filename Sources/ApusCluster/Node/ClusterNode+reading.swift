// Reading up to where the cluster is: before a node says that something is not there.

extension ClusterNode {
    /// Tells when all that was acked before this call has come, of the registry and of the streams of the topics:
    /// a ``ClusterEvent/caughtUp(_:_:)``.
    ///
    /// It takes one message to each of these streams. Those who ask while one is under way share the next one.
    package mutating func catchUp(on names: some Sequence<String>, ticket: Ticket) {
        var wanted: Set<ClusterStream> = [.registry]
        for name in names { wanted.insert(ClusterStream(ofTopic: name)) }
        var marks: [PendingReading.Mark] = []
        for stream in used where wanted.contains(stream) {
            marks.append(PendingReading.Mark(stream: stream, barrier: wantBarrier(stream)))
        }
        // Those who wait for the same are one, or each turn of the server would be looked at with each event.
        let deadline = now + timing.answer
        let same = readings.indices.suffix(Self.comparedReadings).last { index in
            readings[index].marks == marks && deadline - readings[index].deadline < Self.samePatience
        }
        guard let same else {
            return readings.append(PendingReading(tickets: [ticket], marks: marks, deadline: deadline))
        }
        readings[same].tickets.append(ticket)
    }

    private static var comparedReadings: Int { 16 }
    /// Those whose time ends so much later, in milliseconds, may end with the others.
    private static var samePatience: Int64 { 100 }

    /// A barrier of a stream was acked: who waits for it, or one before it, knows how far to read. Later ones do not
    /// count, or whoever is a moment behind would never have read enough.
    mutating func noteBarrier(of stream: ClusterStream) {
        let passed = streams[stream.number].passed
        setEnds(of: stream) { mark in mark.end ?? (passed.number >= mark.barrier ? passed.sequence : nil) }
    }

    /// A stream is read again: what had come of it does not count.
    mutating func forgetEnds(of stream: ClusterStream) {
        setEnds(of: stream) { mark in mark.end == nil ? nil : 0 }
    }

    private mutating func setEnds(of stream: ClusterStream, _ end: (PendingReading.Mark) -> UInt64?) {
        for index in readings.indices {
            for place in readings[index].marks.indices where readings[index].marks[place].stream == stream {
                readings[index].marks[place].end = end(readings[index].marks[place])
            }
        }
    }

    /// Tells the outcome of those that have one.
    mutating func finishReadings() {
        guard readings.contains(where: { $0.deadline <= self.now || hasCome($0) }) else { return }
        let (pending, now) = (readings, now)
        readings = pending.filter { reading in
            if hasCome(reading) {
                for ticket in reading.tickets { emit(.caughtUp(ticket, .success(()))) }
            } else if reading.deadline <= now {
                for ticket in reading.tickets { emit(.caughtUp(ticket, .failure(.unavailable))) }
            } else {
                return true
            }
            return false
        }
    }

    private func hasCome(_ reading: PendingReading) -> Bool {
        reading.marks.allSatisfy { mark in
            guard let end = mark.end else { return false }
            let number = mark.stream.number
            return streams[number].mirror.isCaughtUp && streams[number].mirror.position >= end
        }
    }
}

/// What waits until a node has read what there was when it was asked.
struct PendingReading {
    var tickets: [Ticket]
    var marks: [Mark]
    let deadline: Int64

    /// A stream, and the barrier that its mirror has to pass.
    struct Mark: Equatable {
        let stream: ClusterStream
        let barrier: UInt64
        /// The sequence up to which to read; `nil` until the barrier was acked.
        var end: UInt64?
    }
}
