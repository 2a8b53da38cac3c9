extension DataFolder {
    /// About how many bytes of messages are read at a start.
    private static let checkedAtStart = 128 << 20

    /// What is in the folder at a start.
    package struct Recovered: Sendable {
        package var catalog: Catalog.Contents
        /// The records of the topics in the catalog, but for those of memory; each topic's without a gap up to its
        /// last one.
        package var table: SegmentTable
        /// The topics of memory that there are records of, from a time when they were kept.
        package var outlived: [UInt32]
        /// For a ``SegmentWriter``.
        package var nextSegment: UInt64
        /// The last commit.
        package var commit: UInt64
    }

    /// Finds all that is kept, and cuts off what a crash has left.
    ///
    /// - Parameter progress: called with the number of segments that are done, and of all.
    package func recover(
        _ catalog: Catalog,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(DataFolderError) -> Recovered {
        let contents = try load(catalog)
        let log: LogRecovery
        do throws(LogFailure) {
            log = try LogRecovery(segments, givenUp: contents.givenUp, progress: progress)
        } catch {
            throw failure(error, contents)
        }
        var table = SegmentTable(log.segments)
        let recorded = Set(table.topicNumbers)
        // The catalog is written first.
        if let (topic, record) = Self.keep(contents, in: &table) {
            let file = "\(segmentsPath)/\(SegmentHead.fileName(record.segment))"
            let detail = "topic number \(topic) is missing, of which \(file) has messages at byte \(record.place)"
            throw .damaged(DataFolderError.Damage(path: catalogPath, detail: detail))
        }
        do throws(LogFailure) {
            try checkNewest(log.segments, table)
        } catch {
            throw failure(error, contents)
        }
        // From now on a folder without segments is one that has lost them.
        if contents.givenUp.isEmpty {
            do throws(CatalogError) {
                try catalog.apply([.giveUp(segment: 0)])
            } catch {
                throw DataFolderError(error, of: catalogPath)
            }
        }
        return Recovered(
            catalog: contents,
            table: table,
            outlived: contents.topics.filter { $0.durability == .memory && recorded.contains($0.number) }
                .map(\.number),
            nextSegment: log.nextNumber,
            commit: log.commit
        )
    }

    /// Reads the newest messages, to know that they are as they were written. To read all of them would take long:
    /// others are checked when somebody asks for them.
    private func checkNewest(_ indexes: [SegmentIndex], _ table: SegmentTable) throws(LogFailure) {
        let reader = SegmentReader(segments)
        var left = Self.checkedAtStart
        for index in indexes.reversed() where left > 0 {
            for entry in table.wanted(of: index) {
                _ = try reader.bytes(of: entry.record, of: entry.topic)
                left -= entry.record.size
            }
        }
    }

    /// Has only the records be wanted that belong to something.
    ///
    /// - Returns: a topic of which there are messages and which the catalog has never had, with its first record.
    static func keep(
        _ contents: Catalog.Contents,
        in table: inout SegmentTable
    ) -> (topic: UInt32, record: RecordPlace)? {
        var gone = Set(table.topicNumbers)
        for topic in contents.topics where topic.durability != .memory && gone.remove(topic.number) != nil {
            table.want(topic.number, from: topic.from)
            table.wantWithoutGaps(topic.number)
        }
        for number in gone.sorted() {
            if number >= contents.nextTopic, let record = table.records(of: number).first { return (number, record) }
            table.remove(topic: number)
        }
        return nil
    }

    /// What went wrong with the log, for people.
    package func failure(_ failure: LogFailure, _ contents: Catalog.Contents) -> DataFolderError {
        var topic: Catalog.Topic?
        if case .damaged(_, _, let lost?) = failure { topic = contents.topics.first { $0.number == lost.topic } }
        return DataFolderError(failure, topic: topic?.name, in: segmentsPath)
    }
}

extension DataFolderError {
    /// - Parameters:
    ///   - topic: whose record it was, as far as that is known.
    ///   - segmentsPath: where the log is.
    package init(_ failure: LogFailure, topic: [UInt8]?, in segmentsPath: String) {
        func path(_ name: String) -> String { name.isEmpty ? segmentsPath : "\(segmentsPath)/\(name)" }
        switch failure {
        case .disk(let error):
            self = .failed(path: path(error.name), reason: error.reason)
        case .version(let file, let version):
            self = .newer(path: path(file), version: Int64(version))
        case .missing(let file):
            self = .damaged(Damage(path: path(file), detail: "it is missing"))
        case .damaged(let file, let place, let lost):
            let offsets = topic == nil ? nil : lost?.offsets
            self = .damaged(Damage(path: path(file), place: place, topic: topic, offsets: offsets))
        }
    }
}
