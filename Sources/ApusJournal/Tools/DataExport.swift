import ApusBroker
import ApusProtocol
package import ApusStore
package import NIOCore

/// The topics of a folder as lines of JSON: one for each topic, and one for each of its messages, which look as in a
/// page of history.
///
/// ```
/// {"topic":"orders","epoch":"k3v9","settings":{"history":1000},"created":"…","next":43}
/// {"offset":42,"message":{"id":"…","payload":1},"key":"a","ts":"…","expires":"…"}
/// {"expired":{"from":43,"to":45}}
/// ```
/// Offsets that have no line of their own are in a line such as the last one.
package struct DataExport {
    private let view: FolderView
    private let reader: SegmentReader
    private var contents: FolderView.Contents

    /// What is left to export of a topic.
    package struct Cursor: Sendable {
        fileprivate let topic: Catalog.Topic
        fileprivate var next: UInt64
        fileprivate let end: UInt64
        /// Messages that were given up before they were read.
        package fileprivate(set) var missed: UInt64 = 0
    }

    package init(_ view: FolderView) throws(DataFolderError) {
        self.view = view
        contents = try view.contents()
        reader = SegmentReader(view.segments)
    }

    package var topics: [Catalog.Topic] { contents.catalog.topics }

    /// Begins with a topic.
    ///
    /// - Parameters:
    ///   - after: only later offsets.
    ///   - limit: only so many offsets; what has expired counts.
    /// - Returns: the first line, and what follows.
    package func begin(_ topic: Catalog.Topic, after: UInt64 = 0, limit: UInt64 = .max) -> (String, Cursor) {
        let places = topic.durability == .memory ? [] : contents.table.records(of: topic.number)
        let head = max(topic.from, places.last?.end ?? 1, 1)
        let start = max(topic.from, places.first?.first ?? head, after == .max ? after : after + 1)
        let (sum, isOver) = start.addingReportingOverflow(limit)
        let end = max(min(head, isOver ? .max : sum), min(start, head))
        let line = JSONWriter.object { writer in
            writer.member("topic", topic.text)
            writer.member("epoch", topic.epoch)
            writer.member("settings", json: topic.settings)
            writer.member("created", "\(Timestamp(milliseconds: topic.created))")
            writer.member("next", end)
        }
        return (line + "\n", Cursor(topic: topic, next: start, end: end))
    }

    /// The lines of the next record; `nil` after the last one.
    ///
    /// - Parameter now: what has expired by then is left out; in milliseconds since 1970.
    package mutating func lines(_ cursor: inout Cursor, now: Int64) throws(DataFolderError) -> ByteBuffer? {
        for _ in 0..<Self.tries {
            guard cursor.next < cursor.end,
                let place = contents.table.record(of: cursor.topic.number, from: cursor.next),
                place.first < cursor.end
            else {
                var lines = ByteBuffer()
                Self.miss(upTo: cursor.end, &cursor, &lines)
                return lines.readableBytes > 0 ? lines : nil
            }
            do throws(LogFailure) {
                let messages = try reader.messages(place, of: cursor.topic, from: cursor.next)
                var lines = ByteBuffer()
                Self.miss(upTo: place.first, &cursor, &lines)
                Self.take(messages, &cursor, now: now, &lines)
                return lines
            } catch .missing {
                // The server has given its segment up; what is still wanted of it is elsewhere now.
                contents = try view.contents()
            } catch {
                throw view.failure(error, contents.catalog)
            }
        }
        throw .failed(path: view.segmentsPath, reason: "segments go faster than they can be read; try again")
    }

    private static let tries = 10

    private static func miss(upTo end: UInt64, _ cursor: inout Cursor, _ lines: inout ByteBuffer) {
        guard cursor.next < end else { return }
        lines.writeString(#"{"missed":{"from":\#(cursor.next),"to":\#(end - 1)}}"# + "\n")
        cursor.missed += end - cursor.next
        cursor.next = end
    }

    private static func take(
        _ messages: [KeptMessage],
        _ cursor: inout Cursor,
        now: Int64,
        _ lines: inout ByteBuffer
    ) {
        var firstExpired: UInt64?
        func endExpired(before end: UInt64, _ lines: inout ByteBuffer) {
            if let first = firstExpired {
                lines.writeString(#"{"expired":{"from":\#(first),"to":\#(end - 1)}}"# + "\n")
            }
            firstExpired = nil
        }
        for message in messages where message.offset >= cursor.next && message.offset < cursor.end {
            cursor.next = message.offset + 1
            if let expires = message.expires, expires <= now {
                firstExpired = firstExpired ?? message.offset
                continue
            }
            endExpired(before: message.offset, &lines)
            lines.writeString(#"{"offset":\#(message.offset),"message":"#)
            // A line break can only be between tokens, where a space is as good.
            lines.writeBytes(message.message.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
            if let key = message.key {
                lines.writeStaticString(#","key":"#)
                lines.writeBytes(key)
            }
            if let trace = message.trace {
                lines.writeStaticString(#","trace":"#)
                lines.writeBytes(trace)
            }
            lines.writeString(#","ts":"\#(Timestamp(milliseconds: message.time))""#)
            if let expires = message.expires {
                lines.writeString(#","expires":"\#(Timestamp(milliseconds: expires))""#)
            }
            lines.writeStaticString("}\n")
        }
        endExpired(before: cursor.next, &lines)
    }
}
