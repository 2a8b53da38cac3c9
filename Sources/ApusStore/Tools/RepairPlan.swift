/// What a repair does, and what is lost by that.
///
/// Damaged segments are given up as the server gives up others: what is intact of them and wanted is written again, at
/// the end. A topic with a gap keeps what comes after it.
struct RepairPlan {
    /// For people, a line each. Empty if nothing is damaged.
    private(set) var lines: [String] = []
    /// Whether a new catalog is made of what can be read of this one.
    let rebuildsCatalog: Bool
    /// The rows of the topics that stay, with their new epochs.
    private(set) var topics: [Catalog.Topic]
    /// Those of them that get a new epoch.
    private(set) var renewed: Set<UInt32> = []
    let nextTopic: UInt32
    let counters: [String: Int64]
    /// All segments that need not be there from now on.
    private(set) var givenUp: SegmentNumbers
    /// Segments whose files are put aside, if they are there.
    private(set) var asideSegments: [UInt64] = []
    private(set) var asideIndexes: [UInt64] = []
    /// What is written again.
    private(set) var moved: [SegmentIndex.Entry] = []
    /// The newest segment, and where it is cut off.
    let torn: (number: UInt64, place: Int)?
    /// The segment that comes next, and the last commit before it.
    let (next, commit): (UInt64, UInt64)

    private let survey: FolderSurvey
    /// What there is of the topics that stay.
    private var table: SegmentTable

    /// - Parameter renewsAll: whether all topics get new epochs.
    init(_ survey: FolderSurvey, renewsAll: Bool, makeEpoch: () -> String) {
        self.survey = survey
        let contents = survey.catalog.contents
        let strays = survey.strays
        rebuildsCatalog = !survey.catalog.failures.isEmpty || !strays.isEmpty
        let confirmed = survey.confirmed.compactMap { survey.catalog.doubtful[$0] }
        topics = (contents.topics + confirmed).sorted { $0.number < $1.number }
        let stay = Set(topics.map { Catalog.Topic.beginName($0.number) })
        counters = contents.counters.filter { !$0.key.hasPrefix(Catalog.Topic.beginPrefix) || stay.contains($0.key) }
        nextTopic = max(contents.nextTopic, (strays.map(\.topic).max() ?? 0) + 1)
        givenUp = contents.givenUp
        let indexes = survey.segments.map(\.walk.index)
        let last = survey.segments.last
        torn = last.flatMap { segment in segment.isDamaged ? nil : segment.walk.torn.map { (segment.number, $0) } }
        commit = survey.segments.reduce(0) { max($0, $1.walk.index.commit, $1.walk.head?.before ?? 0) }
        let used =
            survey.segments.map(\.number) + survey.missing.map(\.number) + contents.givenUp.ranges.map(\.upperBound)
        next = max((used.max() ?? 0) + 1, survey.last)
        table = SegmentTable(indexes)
        planCatalog()
        planSegments()
        planTopics(renewsAll: renewsAll, makeEpoch)
        for segment in survey.segments where segment.isDamaged { moved += table.wanted(of: segment.walk.index) }
    }

    private mutating func planCatalog() {
        for failure in survey.catalog.failures {
            guard case .damagedTopic(let number, let name) = failure else {
                lines.append("\(survey.view.catalogPath): \(failure): made anew from the rows that can be read")
                continue
            }
            let text =
                "\(survey.view.catalogPath): topic '\(String(decoding: name, as: UTF8.self))', number \(number), "
            lines.append(
                survey.confirmed.contains(number)
                    ? text
                        + "has a damaged row, and its messages bear this name: it stays, in a new epoch; "
                        + "look at its settings"
                    : text + "is lost" + messages(of: number)
            )
        }
        for (number, _) in survey.strays {
            lines.append(
                "\(survey.view.catalogPath): topic number \(number) is lost, its row is missing" + messages(of: number)
            )
        }
        guard !survey.catalog.knowsGivenUp else { return }
        lines.append("\(survey.view.catalogPath): which segments were given up is lost: all that are not there")
        let there = Set(survey.segments.map(\.number))
        givenUp.insert(0)
        for number in 1..<max(next, 1) where !there.contains(number) { givenUp.insert(number) }
    }

    private func messages(of topic: UInt32) -> String {
        let records = table.records(of: topic)
        guard let first = records.first, let last = records.last else { return "" }
        return ", with its messages, offsets \(first.first) to \(last.end - 1)"
    }

    private mutating func planSegments() {
        for segment in survey.segments {
            if segment.isDamaged {
                givenUp.insert(segment.number)
                asideSegments.append(segment.number)
                for broken in segment.walk.broken { lines.append(line(broken, survey.path(segment.number))) }
                if let misfit = segment.misfit { lines.append("\(survey.path(segment.number)): \(misfit)") }
            } else if segment.hasBadIndex {
                asideIndexes.append(segment.number)
                lines.append("\(survey.path(segment.number)).idx is made anew; nothing is lost by that")
            }
        }
        for (number, index) in survey.missing {
            givenUp.insert(number)
            asideSegments.append(number)
            lines.append("\(survey.path(number)) is missing, with all that was in it")
            for entry in index?.entries ?? [] where survey.name(of: entry.topic) != nil {
                lines.append(line(LostRecord(entry.topic, entry.record), survey.path(number)))
            }
        }
        for error in survey.unreadable {
            guard let number = SegmentHead.number(inName: error.name) else { continue }
            givenUp.insert(number)
            asideSegments.append(number)
            lines.append("\(survey.path(number)) cannot be read, all that is in it is lost: \(error.reason)")
        }
    }

    private func line(_ broken: SegmentWalk.Broken, _ path: String) -> String {
        let place = "\(path) at byte \(broken.range.lowerBound)"
        if let record = broken.record {
            return survey.name(of: record.topic) == nil ? "\(place): nothing that a topic has" : line(record, place)
        }
        if broken.isUnknown { return "\(place): \(broken.range.count) bytes, and what was in them" }
        return "\(place): \(broken.detail ?? "it is damaged"); nothing is lost by that"
    }

    private func line(_ record: LostRecord, _ place: String) -> String {
        let name = String(decoding: survey.name(of: record.topic) ?? [], as: UTF8.self)
        return
            "\(place): topic '\(name)', offsets \(record.offsets.lowerBound) to \(record.offsets.upperBound) are lost"
    }

    // MARK: Topics

    /// Whether it is not known which topics have lost something.
    private var isUnknown: Bool {
        !survey.catalog.knowsGivenUp || !survey.unreadable.isEmpty || survey.missing.contains { $0.index == nil }
            || survey.segments.contains { $0.walk.broken.contains(where: \.isUnknown) }
    }

    /// The offsets after the last ones that topics are known to have lost.
    private var lostEnds: [UInt32: UInt64] {
        var ends: [UInt32: UInt64] = [:]
        let broken = survey.segments.flatMap { $0.walk.broken.compactMap(\.record) }
        let missing = survey.missing.flatMap { $0.index?.entries ?? [] }.map { LostRecord($0.topic, $0.record) }
        for record in broken + missing {
            ends[record.topic] = max(ends[record.topic] ?? 0, record.offsets.upperBound + 1)
        }
        return ends
    }

    /// Where a topic with a damaged row begins, whose own word may be too much.
    ///
    /// Where it was purged there is a second word. Without it, what is left may be more than was wanted.
    private func begin(of topic: UInt32) -> UInt64 {
        if let from = counters[Catalog.Topic.beginName(topic)] { return UInt64(bitPattern: from) }
        return table.records(of: topic).first?.first ?? 1
    }

    private mutating func planTopics(renewsAll: Bool, _ makeEpoch: () -> String) {
        let (isUnknown, lostEnds) = (isUnknown, lostEnds)
        var gone = Set(table.topicNumbers)
        for index in topics.indices where topics[index].durability != .memory {
            let isDoubtful = survey.confirmed.contains(topics[index].number)
            if isDoubtful { topics[index].from = begin(of: topics[index].number) }
            let topic = topics[index]
            gone.remove(topic.number)
            table.want(topic.number, from: topic.from)
            let before = table.records(of: topic.number).first?.first
            table.wantWithoutGaps(topic.number)
            let records = table.records(of: topic.number)
            let name = "topic '\(String(decoding: topic.name, as: UTF8.self))'"
            if isUnknown || lostEnds[topic.number] != nil, let before, let after = records.first?.first, before < after
            {
                lines.append(
                    "\(name): what is left before the gap, from offset \(before) on, goes too: "
                        + "it keeps \(after) and later"
                )
            }
            let isCut = lostEnds[topic.number].map { $0 > records.last?.end ?? topic.from } ?? false
            guard renewsAll || isUnknown || isCut || isDoubtful else { continue }
            topics[index].epoch = makeEpoch()
            renewed.insert(topic.number)
            if isCut { lines.append("\(name) gets a new epoch, as its last messages are lost") }
        }
        for number in gone { table.remove(topic: number) }
        if renewsAll {
            lines.append("all topics get new epochs, as --new-epochs says")
        } else if isUnknown {
            lines.append("all topics get new epochs, as it is not known which have lost their last messages")
        }
    }
}
