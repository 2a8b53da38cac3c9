import Foundation
import GRDB

/// What can be read of a catalog, though it may be damaged.
package struct CatalogSurvey: Sendable {
    /// The rows that are as they were written.
    package private(set) var contents = Catalog.Contents()
    /// Rows with a wrong checksum, as they are now. Each may have one column that is wrong.
    private(set) var doubtful: [UInt32: Catalog.Topic] = [:]
    /// What is wrong with it, each thing once.
    package private(set) var failures: [CatalogError] = []
    /// Whether all that was given up is among the contents.
    package private(set) var knowsGivenUp = true
    /// Whether anything could be read at all.
    package private(set) var isReadable = true

    init(_ view: FolderView) {
        do throws(CatalogError) {
            contents = try Catalog(view.catalogPath, .read).load()
            if view.isLogDamaged {
                failures = [.damaged("its write-ahead log \(view.catalogPath)-wal is damaged")]
                // What SQLite reads is what was before the damage.
                knowsGivenUp = false
            }
        } catch {
            failures = [error]
            if case .version = error { isReadable = false } else { salvage(view.catalogPath) }
        }
    }

    private mutating func salvage(_ path: String) {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        guard FileManager.default.fileExists(atPath: path),
            let queue = try? DatabaseQueue(path: path, configuration: configuration)
        else { return isReadable = false }
        var found: [UInt32: Catalog.Topic] = [:]
        var damaged: [CatalogError] = []
        var nextTopic: Int64 = 1
        // From both ends, as what is damaged in the middle may end the reading.
        for order in ["ASC", "DESC"] {
            var rows = 0
            let sql = "SELECT * FROM topics ORDER BY number \(order)"
            let isWhole = Self.each(queue, sql) { row in
                rows += 1
                do {
                    let topic = try Catalog.Topic(row)
                    found[topic.number] = topic
                } catch let error as CatalogError where !damaged.contains(error) {
                    damaged.append(error)
                    if let topic = Catalog.Topic(doubtful: row) { doubtful[topic.number] = topic }
                } catch {}
            }
            isReadable = isReadable && (isWhole || rows > 0)
            if isWhole { break }
        }
        if !damaged.isEmpty {
            let isAll = failures.allSatisfy { if case .damagedTopic = $0 { true } else { false } }
            failures = isAll ? damaged : failures + damaged
        }
        let isWhole = Self.each(queue, "SELECT first, last, checksum FROM given_up") { row in
            guard let first = row.integer(0), let last = row.integer(1), 0 <= first, first <= last,
                row.integer(2) == Int64(RowChecksum(UInt64(first)...UInt64(last)).value)
            else { return knowsGivenUp = false }
            contents.givenUp.insert(UInt64(first)...UInt64(last))
        }
        // A row may be missing, which only the sum of all tells, and that says nothing of which table.
        knowsGivenUp =
            knowsGivenUp && isWhole && failures.allSatisfy { if case .damagedTopic = $0 { true } else { false } }
        for table in ["counters", "meta"] {
            _ = Self.each(queue, "SELECT name, value, checksum FROM \(table)") { row in
                guard let name = row.text(0), let value = row.integer(1),
                    row.integer(2) == Int64(RowChecksum(name: name, value: value).value)
                else {
                    let failure = CatalogError.damaged("a row of table \(table) is damaged")
                    if !failures.contains(failure) { failures.append(failure) }
                    return
                }
                if table == "counters" { contents.counters[name] = value }
                if table == "meta", name == "next_topic" { nextTopic = value }
            }
        }
        contents.topics = found.values.sorted { $0.number < $1.number }
        let last = contents.topics.last?.number ?? 0
        contents.nextTopic = max(UInt32(clamping: nextTopic), last + 1)
    }

    /// Returns whether all rows could be read.
    private static func each(_ queue: DatabaseQueue, _ sql: String, _ body: (Row) -> Void) -> Bool {
        let result: Void? = try? queue.read { database in
            let rows = try Row.fetchCursor(database, sql: sql)
            while let row = try rows.next() { body(row) }
        }
        return result != nil
    }
}

extension Catalog.Topic {
    /// What a row says that is damaged; `nil` if it has no number or no name.
    fileprivate init?(doubtful row: Row) {
        guard let number = row.integer(0).flatMap({ UInt32(exactly: $0) }), let name = row.bytes(1), number < .max
        else {
            return nil
        }
        self.init(
            number: number,
            name: name,
            epoch: row.text(2) ?? "",
            durability: row.text(3).flatMap { StoredDurability(rawValue: $0) } ?? .disk,
            settings: row.text(4) ?? "{}",
            created: row.integer(5) ?? 0,
            from: row.integer(6).map { UInt64(bitPattern: $0) } ?? 1
        )
    }
}
