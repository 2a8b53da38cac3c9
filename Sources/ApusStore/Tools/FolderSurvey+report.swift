// What a survey has found, for people.

extension FolderSurvey {
    /// How much there is of everything.
    package struct Totals: Sendable, Hashable {
        package var topics = 0
        package var segments = 0
        package var records = 0
        /// Of topics that are there; those that have expired are among them.
        package var messages: UInt64 = 0
        /// The size of all files of segments.
        package var bytes = 0
    }

    package var totals: Totals {
        var totals = Totals(topics: catalog.contents.topics.count)
        let topics = Set(catalog.contents.topics.map(\.number))
        for segment in segments {
            totals.segments += 1
            totals.bytes += segment.fileSize
            totals.records += segment.walk.index.entries.count
            for entry in segment.walk.index.entries where topics.contains(entry.topic) {
                totals.messages += UInt64(entry.record.count)
            }
        }
        return totals
    }

    /// What the next start cuts off, as it does after each crash, or a server is writing.
    package var torn: (file: String, place: Int)? {
        segments.last.flatMap { segment in segment.walk.torn.map { (path(segment.number), $0) } }
    }

    /// Each damage.
    package var failures: [DataFolderError] {
        var all = catalog.failures.map { DataFolderError($0, of: view.catalogPath) }
        for (number, _) in missing { all.append(.damaged(.init(path: path(number), detail: "it is missing"))) }
        for error in unreadable {
            all.append(.damaged(.init(path: "\(view.segmentsPath)/\(error.name)", detail: error.reason)))
        }
        for segment in segments { all += failures(of: segment) }
        if let (topic, record) = strays.first {
            let detail = "topic number \(topic) is missing, of which \(path(record.segment)) has messages at byte "
            all.append(.damaged(.init(path: view.catalogPath, detail: detail + "\(record.place)")))
        }
        return all
    }

    private func failures(of segment: Segment) -> [DataFolderError] {
        let file = path(segment.number)
        if let version = segment.walk.version { return [.newer(path: file, version: Int64(version))] }
        var all: [DataFolderError] = segment.walk.broken.map { broken in
            let topic = broken.record.flatMap { name(of: $0.topic) }
            return .damaged(
                .init(
                    path: file,
                    place: broken.range.lowerBound,
                    topic: topic,
                    offsets: topic == nil ? nil : broken.record?.offsets,
                    detail: broken.detail ?? (topic == nil && broken.record != nil ? "of a topic that is gone" : nil)
                )
            )
        }
        if let misfit = segment.misfit { all.append(.damaged(.init(path: file, detail: misfit))) }
        if segment.hasBadIndex {
            let detail = "it is not what is in \(SegmentHead.fileName(segment.number))"
            all.append(
                .damaged(.init(path: "\(view.segmentsPath)/\(SegmentIndex.fileName(segment.number))", detail: detail))
            )
        }
        return all
    }

    /// Topics that the catalog has never had, with their first records.
    var strays: [(topic: UInt32, record: RecordPlace)] {
        guard catalog.isReadable else { return [] }
        var seen: Set<UInt32> = []
        var strays: [(topic: UInt32, record: RecordPlace)] = []
        for segment in segments {
            for entry in segment.walk.index.entries
            where entry.topic >= catalog.contents.nextTopic && seen.insert(entry.topic).inserted {
                strays.append((entry.topic, entry.record))
            }
        }
        return strays
    }

    func name(of topic: UInt32) -> [UInt8]? {
        if confirmed.contains(topic) { return catalog.doubtful[topic]?.name }
        let topics = catalog.contents.topics
        let index = topics.partitioningIndex { $0.number >= topic }
        return index < topics.count && topics[index].number == topic ? topics[index].name : nil
    }

    func path(_ segment: UInt64) -> String { "\(view.segmentsPath)/\(SegmentHead.fileName(segment))" }
}

extension Array {
    /// The first index from which on something holds that holds for no element before.
    fileprivate func partitioningIndex(where holds: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
