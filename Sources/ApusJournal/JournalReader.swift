import ApusBroker
import ApusProtocol
import ApusStore
import Foundation
import NIOConcurrencyHelpers
import NIOCore

/// Which records there are: the thread of a journal changes it, and whoever reads looks records up.
final class RecordTable: Sendable {
    private let table: NIOLockedValueBox<SegmentTable>

    init(_ table: SegmentTable) {
        self.table = NIOLockedValueBox(table)
    }

    func withLock<Result>(_ body: (inout SegmentTable) -> Result) -> Result {
        table.withLockedValue { body(&$0) }
    }
}

/// Reads records back, off the event loops.
final class JournalReader: Sendable {
    /// How many reads are done at once. Others wait: each loop has but a few, and each HTTP request one.
    private static let readsAtOnce = 4
    /// A record may be moved, and its segment given up, while it is looked for.
    private static let tries = 5

    let table: RecordTable
    let segments: SegmentReader
    /// Not the folder itself, which is locked for as long as somebody has it.
    private let segmentsPath: String
    private let lead: Int64
    private let tellDamage: @Sendable (DataFolderError) -> Void
    private let queue: OperationQueue

    /// - Parameters:
    ///   - lead: how far the wall clock is ahead of the steady clock, in milliseconds.
    ///   - tellDamage: called with what cannot be read.
    init(
        _ table: RecordTable,
        _ segments: SegmentReader,
        in segmentsPath: String,
        lead: Int64,
        tellDamage: @escaping @Sendable (DataFolderError) -> Void
    ) {
        self.table = table
        self.segments = segments
        self.segmentsPath = segmentsPath
        self.lead = lead
        self.tellDamage = tellDamage
        queue = OperationQueue()
        queue.maxConcurrentOperationCount = Self.readsAtOnce
    }

    func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        queue.addOperation { [self] in answer(find(topic, template: template, from: offset, bytes: bytes)) }
    }

    private func find(_ topic: UInt32, template: EventTemplate, from offset: Offset, bytes: Int) -> ArchiveAnswer {
        for _ in 0..<Self.tries {
            let places = table.withLock { $0.records(of: topic, from: offset, bytes: bytes) }
            guard let first = places.first else { return .gone(before: offset + 1) }
            guard first.first <= offset else { return .gone(before: first.first) }
            var batches: [Batch] = []
            for place in places {
                do throws(LogFailure) {
                    batches += try segments.contents(of: place, of: topic, from: offset) {
                        $0.batch(template: template, lead: lead)?.0
                    }
                    // What is damaged after it is told to whoever asks for that.
                    guard batches.last?.end == place.end else { break }
                } catch {
                    // What was read before it is delivered first.
                    guard batches.isEmpty else { break }
                    if case .missing = error, table.withLock({ $0.record(of: topic, from: offset) }) != place { break }
                    let topic = Array(template.topicJSON.dropFirst().dropLast())
                    tellDamage(DataFolderError(error, topic: topic, in: segmentsPath))
                    return .unreadable(before: error.lost.map { $0.offsets.upperBound + 1 } ?? place.end)
                }
            }
            if !batches.isEmpty { return .batches(batches) }
        }
        return .gone(before: offset + 1)
    }
}
