import ApusTesting
import Testing

@testable import ApusStore

/// What a table has to say, worked out anew each time from all that there is.
private struct Model {
    var indexes: [UInt64: SegmentIndex] = [:]
    var newest: UInt64 = 0
    var from: [UInt32: UInt64] = [:]
    var ends: [UInt32: UInt64] = [:]
    var gone: Set<UInt32> = []

    var entries: [SegmentIndex.Entry] {
        indexes.sorted { $0.key < $1.key }.flatMap(\.value.entries).filter { !gone.contains($0.topic) }
    }

    func records(of topic: UInt32) -> [RecordPlace] {
        var records: [RecordPlace] = []
        for entry in entries where entry.topic == topic {
            records.removeAll { $0.end > entry.record.first && $0.first < entry.record.end }
            records.append(entry.record)
        }
        return records.filter { $0.end > from[topic] ?? 0 }.sorted { $0.first < $1.first }
    }

    var wanted: [RecordPlace] { Set(entries.map(\.topic)).flatMap { records(of: $0) } }

    func wantedSize(of segment: UInt64) -> Int {
        wanted.filter { $0.segment == segment }.reduce(0) { $0 + $1.sizeOnDisk }
    }

    func emptied(by segment: UInt64) -> [UInt32: UInt64] {
        var emptied: [UInt32: UInt64] = [:]
        for (topic, end) in ends where !gone.contains(topic) && records(of: topic).isEmpty {
            let last = entries.last { $0.topic == topic && $0.record.end == end }
            if last?.record.segment == segment { emptied[topic] = max(end, from[topic] ?? 0) }
        }
        return emptied
    }
}

/// A table and its model, which the same happens to.
private struct Pair {
    var table = SegmentTable()
    var model = Model()
    var generator: SeededGenerator

    mutating func append(_ topic: UInt32, _ offsets: Range<UInt64>, size: Int) {
        let full = (model.indexes[model.newest]?.end ?? .max) > 3000
        if full {
            model.newest += 1
            model.indexes[model.newest] = SegmentIndex(SegmentHead(number: model.newest, before: 0))
        }
        let place = model.indexes[model.newest]?.end ?? 0
        let batch = RecordHead.Batch(
            topic: topic,
            first: offsets.lowerBound,
            count: UInt32(offsets.count),
            newestTime: 0,
            detailsSize: 0,
            marksSize: 0,
            framesSize: size
        )
        let head = RecordHead(batch: batch, commit: 1, kept: 0, isLastOfCommit: true)
        guard let record = model.indexes[model.newest]?.append(head, place: place) else { return }
        model.ends[topic] = max(model.ends[topic] ?? 0, offsets.upperBound)
        table.append(record, of: topic)
    }

    mutating func step() {
        let topic = UInt32.random(in: 1...6, using: &generator)
        let end = model.ends[topic] ?? 1
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<12:
            guard !model.gone.contains(topic) else { return }
            let count = UInt64.random(in: 1...9, using: &generator)
            append(topic, end..<end + count, size: Int.random(in: 0...500, using: &generator))
        case 12..<15:
            let from = UInt64.random(in: 0...end, using: &generator)
            guard from > model.from[topic] ?? 0 else { return }
            model.from[topic] = from
            table.want(topic, from: from)
        case 15 where generator.chance(5):
            model.gone.insert(topic)
            table.remove(topic: topic)
        case 16:
            // All that is kept is written again, as one.
            let records = model.records(of: topic)
            guard let first = records.first, let last = records.last else { return }
            append(topic, first.first..<last.end, size: 10)
        case 17:
            guard let index = model.indexes.randomElement(using: &generator)?.value else { return }
            for entry in table.wanted(of: index) where index.segment.number != model.newest {
                let size = entry.record.size - RecordHead.size
                append(entry.topic, entry.record.first..<entry.record.end, size: size)
            }
        default:
            guard let segment = table.unwanted.min() else { return }
            table.remove(segment: segment)
            model.indexes[segment] = nil
        }
    }

    func check() {
        for topic in 1...6 as ClosedRange<UInt32> {
            let records = model.records(of: topic)
            #expect(Array(table.records(of: topic)) == records)
            for offset in [0, 5, 50] as [UInt64] {
                #expect(table.record(of: topic, from: offset) == records.first { $0.end > offset })
            }
        }
        #expect(table.size == model.indexes.values.reduce(0) { $0 + $1.end })
        #expect(table.wantedSize == model.wanted.reduce(0) { $0 + $1.sizeOnDisk })
        let sealed = model.indexes.keys.filter { $0 != model.newest }
        #expect(table.unwanted == Set(sealed.filter { model.wantedSize(of: $0) == 0 }))
        let thin = sealed.filter { segment in
            let wanted = model.wantedSize(of: segment)
            return wanted > 0 && wanted < (model.indexes[segment]?.end ?? 0) / 4
        }
        #expect(table.thin == Set(thin))
        for (segment, index) in model.indexes {
            #expect(table.emptied(by: segment) == model.emptied(by: segment))
            let wanted = Set(model.wanted.filter { $0.segment == segment })
            #expect(Set(table.wanted(of: index).map(\.record)) == wanted)
        }
    }

    /// All that is wanted is in the table, which has no more than is joined with that. Returns how much is joined.
    func checkJoined(_ table: SegmentTable) -> Int {
        var (joins, sizes) = (0, [UInt64: Int]())
        for topic in 1...6 as ClosedRange<UInt32> {
            let (wanted, records) = (model.records(of: topic), table.records(of: topic))
            for record in records {
                let parts = wanted.filter { record.contains($0) }
                #expect(parts.last?.end == record.end)
                joins += parts.count - 1
                sizes[record.segment, default: 0] += record.sizeOnDisk
            }
            #expect(zip(records, records.dropFirst()).allSatisfy { $0.end <= $1.first })
            #expect(wanted.allSatisfy { part in records.contains { $0.contains(part) } })
        }
        #expect(table.wantedSize == sizes.values.reduce(0, +))
        for (segment, state) in table.segments { #expect(state.wanted == sizes[segment] ?? 0) }
        return joins
    }

    /// What a new process makes of the same segments.
    func reopened(exactness: Int = TopicRecords.exactness) -> SegmentTable {
        var table = SegmentTable(model.indexes.sorted { $0.key < $1.key }.map(\.value), exactness: exactness)
        for topic in table.topicNumbers.sorted() {
            if model.gone.contains(topic) { table.remove(topic: topic) }
            table.want(topic, from: model.from[topic] ?? 0)
        }
        return table
    }
}

@Suite("The table of segments")
struct SegmentTableTests {
    private func life(_ seed: UInt64, steps: Int = 150) -> Pair {
        var pair = Pair(generator: SeededGenerator(seed: seed))
        for _ in 0..<steps { pair.step() }
        return pair
    }

    @Test func `says the same as one that looks at everything`() {
        var (unwanted, thin) = (0, 0)
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(generator: SeededGenerator(seed: seed))
            for step in 0..<150 {
                pair.step()
                if step % 10 == 0 { pair.check() }
                unwanted += pair.table.unwanted.count
                thin += pair.table.thin.count
            }
        }
        #expect(unwanted > 100 && thin > 100)
    }

    @Test func `says the same after a start`() {
        for seed in 1...60 as ClosedRange<UInt64> {
            let pair = life(seed)
            let table = pair.reopened()
            for topic in 1...6 as ClosedRange<UInt32> {
                #expect(table.records(of: topic) == pair.table.records(of: topic))
            }
            #expect(table.wantedSize == pair.table.wantedSize && table.size == pair.table.size)
            for (segment, state) in pair.table.segments { #expect(table.segments[segment]?.wanted == state.wanted) }
        }
    }

    @Test func `joins what follows each other, and loses nothing by that`() {
        var joins = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            var pair = Pair(table: SegmentTable(exactness: 1), generator: SeededGenerator(seed: seed))
            for step in 0..<150 {
                pair.step()
                if step % 10 == 0 { joins += pair.checkJoined(pair.table) }
            }
            joins += pair.checkJoined(pair.reopened(exactness: 1))
        }
        #expect(joins > 1000)
    }

    @Test func `gives up a segment when nothing of it is wanted, and says which topics it was the last of`() {
        var pair = Pair(generator: SeededGenerator(seed: 1))
        pair.append(1, 1..<11, size: 2000)
        pair.append(2, 1..<6, size: 2000)
        pair.append(1, 11..<21, size: 2000)
        #expect(pair.table.unwanted.isEmpty)
        pair.table.want(1, from: 11)
        #expect(pair.table.unwanted.isEmpty)
        pair.table.want(2, from: 6)
        #expect(pair.table.unwanted == [1])
        #expect(pair.table.emptied(by: 1) == [2: 6])
        pair.table.remove(segment: 1)
        #expect(pair.table.unwanted.isEmpty && pair.table.records(of: 2).isEmpty)
        #expect(pair.table.records(of: 1).map(\.first) == [11])
    }

    @Test func `does not fall back to where the last of older records ended`() {
        var pair = Pair(generator: SeededGenerator(seed: 1))
        pair.append(1, 1..<13, size: 4000)
        pair.append(2, 1..<2, size: 4000)
        pair.table.want(1, from: 42)
        #expect(pair.table.emptied(by: 1) == [1: 42])
    }

    @Test func `moves what pins a thin segment`() throws {
        var pair = Pair(generator: SeededGenerator(seed: 1))
        pair.append(1, 1..<2, size: 100)
        pair.append(2, 1..<2, size: 4000)
        pair.append(2, 2..<3, size: 4000)
        pair.append(2, 3..<4, size: 4000)
        pair.table.want(2, from: 3)
        #expect(pair.table.thin == [1])
        let wanted = pair.table.wanted(of: try #require(pair.model.indexes[1]))
        #expect(wanted.map(\.topic) == [1])
        pair.append(1, 1..<2, size: 100)
        #expect(pair.table.thin.isEmpty && pair.table.unwanted == [1, 2])
        #expect(pair.table.records(of: 1).map(\.segment) == [4])
    }

    @Test func `takes the numbers of segments as ranges`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<50 {
            var (numbers, model) = (SegmentNumbers(), Set<UInt64>())
            for _ in 0..<60 {
                let first = UInt64.random(in: 0...80, using: &generator)
                let range = first...first + UInt64.random(in: 0...(generator.chance(20) ? 9 : 0), using: &generator)
                numbers.insert(range)
                model.formUnion(range)
            }
            for number in 0...100 as ClosedRange<UInt64> { #expect(numbers.contains(number) == model.contains(number)) }
            #expect(zip(numbers.ranges, numbers.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
        }
    }
}
