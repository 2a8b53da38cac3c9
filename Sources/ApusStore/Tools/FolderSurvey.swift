import Glibc

/// All that is in a folder, intact or not: every byte of it is read.
package struct FolderSurvey: Sendable {
    /// A segment that is there.
    struct Segment: Sendable {
        var number: UInt64
        var walk: SegmentWalk
        /// Its index is there and says something else.
        var hasBadIndex = false
        /// What is wrong with its place among the others.
        var misfit: String?
        var fileSize: Int

        var isDamaged: Bool { !walk.broken.isEmpty || misfit != nil }
    }

    package let view: FolderView
    package private(set) var catalog: CatalogSurvey
    private(set) var segments: [Segment] = []
    /// Segments that have to be there, with what their indexes say.
    private(set) var missing: [(number: UInt64, index: SegmentIndex?)] = []
    /// Topics whose rows are damaged, and whose messages bear the name that is in them.
    private(set) var confirmed: Set<UInt32> = []
    /// Files that could not be read, and why.
    private(set) var unreadable: [DiskError] = []
    /// The last segment that there is a file of, used or not.
    private(set) var last: UInt64 = 0

    /// What a record of a topic should be, for who knows about its contents.
    package typealias Visit = (RecordHead, Catalog.Topic?, UnsafeRawBufferPointer) -> String?

    /// - Parameters:
    ///   - progress: called with the number of segments that are done, and of all.
    ///   - visit: called with each record, and its topic if it has one. Returns what is wrong with the contents.
    package init(
        _ view: FolderView,
        progress: (Int, Int) -> Void = { _, _ in },
        visit: @escaping Visit = { _, _, _ in nil }
    ) throws(DataFolderError) {
        self.view = view
        catalog = CatalogSurvey(view)
        let numbers: [UInt64]
        do throws(DiskError) {
            numbers = try view.segments.names().compactMap { SegmentHead.number(inName: $0) }.sorted()
        } catch {
            throw .failed(path: view.segmentsPath, reason: error.reason)
        }
        last = numbers.last ?? 0
        let isLastUsed = numbers.last.map { !isUnused($0) } ?? false
        let used = isLastUsed ? numbers[...] : numbers.dropLast()
        var (catalog, confirmed) = (catalog, confirmed)
        var topics = Dictionary(catalog.contents.topics.map { ($0.number, $0) }) { $1 }
        for (index, number) in used.enumerated() where !catalog.contents.givenUp.contains(number) {
            progress(index, used.count)
            do throws(DiskError) {
                let segment = try read(number, isNewest: index == used.count - 1) { head, bytes in
                    if topics[head.batch.topic] == nil, head.batch.topic >= catalog.contents.nextTopic {
                        // It may have been made after the catalog was read.
                        let now = CatalogSurvey(view)
                        if now.failures.isEmpty { catalog = now }
                        for topic in catalog.contents.topics { topics[topic.number] = topic }
                    }
                    if let topic = catalog.doubtful[head.batch.topic], visit(head, topic, bytes) == nil {
                        confirmed.insert(topic.number)
                    }
                    return visit(head, topics[head.batch.topic], bytes)
                }
                segments.append(segment)
            } catch {
                // What was given up meanwhile is not missed.
                if !error.isMissing { unreadable.append(error) }
            }
        }
        (self.catalog, self.confirmed) = (catalog, confirmed)
        progress(used.count, used.count)
        findMissing(isLastUsed: isLastUsed)
        fit()
    }

    /// Whether nothing was ever written to a segment.
    private func isUnused(_ number: UInt64) -> Bool {
        guard let file = try? view.segments.open(SegmentHead.fileName(number)),
            var reader = try? WindowReader(file, windowSize: 1 << 20)
        else { return false }
        return (try? reader.isZero(from: 0)) ?? false
    }

    private func read(
        _ number: UInt64,
        isNewest: Bool,
        _ visit: (RecordHead, UnsafeRawBufferPointer) -> String?
    ) throws(DiskError) -> Segment {
        let file = try view.segments.open(SegmentHead.fileName(number))
        let (known, isThere) = index(of: number)
        // A segment with an index was closed, so nothing was under way in it.
        let isNewest = isNewest && !isThere
        var walk = try SegmentWalk(file, number: number, known: known, isNewest: isNewest, visit: visit)
        // What a server is writing looks damaged, until it is written.
        for _ in 1..<FolderView.tries where isNewest && !walk.broken.isEmpty {
            usleep(20_000)
            walk = try SegmentWalk(file, number: number, known: known, isNewest: isNewest, visit: visit)
        }
        let hasBadIndex = isThere && (known == nil || walk.broken.isEmpty && known != walk.index)
        return Segment(number: number, walk: walk, hasBadIndex: hasBadIndex, fileSize: try file.size())
    }

    private func index(of number: UInt64) -> (SegmentIndex?, isThere: Bool) {
        guard let bytes = try? view.segments.open(SegmentIndex.fileName(number)).read() else { return (nil, false) }
        let index = bytes.withUnsafeBytes { SegmentIndex($0) }
        return (index?.segment.number == number ? index : nil, true)
    }

    /// Finds which segments should be there, as the catalog and the files are now.
    private mutating func findMissing(isLastUsed: Bool) {
        let needsNext = isLastUsed && !(segments.last?.walk.index.entries.isEmpty ?? true)
        let there = Set((try? view.segments.names())?.compactMap { SegmentHead.number(inName: $0) } ?? [])
        func missed(_ givenUp: SegmentNumbers) -> [UInt64] {
            let first = givenUp.range(with: 0).map { $0.upperBound + 1 } ?? 1
            // A folder where nothing was ever given up may be one where nothing was ever begun.
            let end = max(last + (needsNext ? 1 : 0), givenUp.isEmpty ? 0 : first)
            guard first <= end else { return [] }
            return (first...end).filter { !there.contains($0) && !givenUp.contains($0) }
        }
        guard catalog.isReadable, catalog.knowsGivenUp, !missed(catalog.contents.givenUp).isEmpty else { return }
        let now = CatalogSurvey(view)
        if now.failures.isEmpty { catalog = now }
        missing = missed(catalog.contents.givenUp).map { ($0, index(of: $0).0) }
    }

    /// Each segment begins with the commit after the last one of the segment before.
    private mutating func fit() {
        var before: Segment?
        for index in segments.indices {
            defer { before = segments[index] }
            guard let head = segments[index].walk.head, let before, before.walk.broken.isEmpty else { continue }
            let commit = before.walk.index.commit
            let isNext = before.number + 1 == head.number
            if isNext ? head.before != commit : head.before < commit {
                segments[index].misfit = "it does not follow \(SegmentHead.fileName(before.number))"
            }
        }
    }
}
