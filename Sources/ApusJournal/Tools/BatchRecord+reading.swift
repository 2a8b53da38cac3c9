import ApusBroker
import ApusProtocol
package import ApusStore
import NIOCore

// Records as tools read them: one after the other, and each only once.

extension BatchRecord {
    /// - Parameter bytes: the whole record.
    init(_ head: RecordHead, _ bytes: UnsafeRawBufferPointer) {
        func part(_ range: Range<Int>) -> ByteBuffer {
            ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        self.init(
            first: head.batch.first,
            count: Int(head.batch.count),
            newestTime: head.batch.newestTime,
            details: part(head.details),
            marks: part(head.marks),
            frames: part(head.frames)
        )
    }
}

/// What the folder's own tools do not know: the contents of records, and what epochs are like.
package enum RecordContents {
    package static func randomEpoch() -> String { MemoryBroker.randomEpoch() }

    /// What is wrong with a record's contents, though its checksum is right. For a ``FolderSurvey``.
    package static func problem(
        _ head: RecordHead,
        of topic: Catalog.Topic?,
        _ bytes: UnsafeRawBufferPointer
    ) -> String? {
        guard let topic else { return nil }
        let record = BatchRecord(head, bytes)
        return record.messages(of: topic.template) == nil ? "it is no batch of this topic" : nil
    }
}

extension Catalog.Topic {
    package var text: String { String(decoding: name, as: UTF8.self) }
    var template: EventTemplate { EventTemplate(topic: text, epoch: epoch) }
}

extension SegmentReader {
    /// The messages of records from the one that has an offset on, up to the first that is damaged; of at least one.
    func messages(
        _ place: RecordPlace,
        of topic: Catalog.Topic,
        from offset: UInt64
    ) throws(LogFailure) -> [KeptMessage] {
        try contents(of: place, of: topic.number, from: offset) { $0.messages(of: topic.template) }.flatMap(\.self)
    }
}
