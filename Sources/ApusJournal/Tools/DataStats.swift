import ApusBroker
package import ApusStore

/// What the topics in a folder take.
package struct DataStats: Sendable {
    package struct Topic: Sendable {
        package var row: Catalog.Topic
        /// Those that have expired are among them.
        package var messages: UInt64 = 0
        package var bytes = 0
        /// The first and the last message, with their times in milliseconds since 1970.
        package var oldest: (offset: UInt64, time: Int64)?
        package var newest: (offset: UInt64, time: Int64)?
        /// The offset that the next message gets.
        package var next: UInt64
    }

    /// In the order of their names.
    package private(set) var topics: [Topic] = []
    package let segments: Int
    /// The size of all segments' files, of the records in them, and of those that belong to a topic.
    package let (fileBytes, recordBytes, wantedBytes): (Int, Int, Int)

    /// - Parameter progress: called with the number of topics that are done, and of all.
    package init(_ view: FolderView, progress: (Int, Int) -> Void = { _, _ in }) throws(DataFolderError) {
        let contents = try view.contents()
        let reader = SegmentReader(view.segments)
        (segments, fileBytes) = (contents.table.count, contents.fileBytes)
        (recordBytes, wantedBytes) = (contents.table.size, contents.table.wantedSize)
        for (index, row) in contents.catalog.topics.enumerated() {
            progress(index, contents.catalog.topics.count)
            var topic = Topic(row: row, next: max(row.from, 1))
            let places = row.durability == .memory ? [] : contents.table.records(of: row.number)
            for place in places {
                topic.messages += place.end - max(place.first, row.from)
                topic.bytes += place.sizeOnDisk
            }
            if let first = places.first, let last = places.last {
                // What the server has given up meanwhile cannot be read any more; its record says almost the same.
                let start = max(first.first, row.from)
                let oldest = try? reader.messages(first, of: row, from: start).first { $0.offset >= start }
                let newest = try? reader.messages(last, of: row, from: last.end - 1).last
                topic.oldest = (start, oldest?.time ?? first.newestTime)
                topic.newest = (last.end - 1, newest?.time ?? last.newestTime)
                topic.next = max(topic.next, last.end)
            }
            topics.append(topic)
        }
        topics.sort { $0.row.name.lexicographicallyPrecedes($1.row.name) }
    }
}
