/// What makes a log, or a record of it, unusable: it is never served and never silently left out.
package enum LogFailure: Error, Hashable, Sendable {
    case disk(DiskError)
    /// A version of Apus wrote the file that this one does not know.
    case version(file: String, UInt32)
    /// Something that was kept is not there any more, from this place on. With what is known of the record that was.
    case damaged(file: String, place: Int, LostRecord?)
    /// A segment that has to be there is not.
    case missing(file: String)

    /// What of it is known to be lost.
    package var lost: LostRecord? {
        if case .damaged(_, _, let lost) = self { lost } else { nil }
    }
}

/// What is known of a record that cannot be read.
package struct LostRecord: Hashable, Sendable {
    package var topic: UInt32
    package var offsets: ClosedRange<UInt64>

    package init(_ topic: UInt32, _ record: RecordPlace) {
        self.topic = topic
        offsets = record.first...record.end - 1
    }

    init(_ topic: UInt32, _ offsets: ClosedRange<UInt64>) {
        self.topic = topic
        self.offsets = offsets
    }

    package init(_ batch: RecordHead.Batch) {
        topic = batch.topic
        offsets = batch.first...batch.first + UInt64(batch.count) - 1
    }
}
