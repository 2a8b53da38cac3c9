import Foundation
import GRDB

/// The rows of the catalog in a transaction that changes them.
struct CatalogRows {
    private let database: Database
    /// The lowest number that no topic has had.
    private var nextTopic: Int64
    /// How many rows topics and counters have, and the sum of their checksums: a row that is gone is missed.
    private var total: Total
    /// The segments that are given up in this transaction.
    private var givenUp: Set<UInt64> = []

    struct Total: Equatable {
        var rows: Int64 = 0
        var sum: Int64 = 0

        mutating func add(_ checksum: UInt32) { (rows, sum) = (rows + 1, sum &+ Int64(checksum)) }
        mutating func remove(_ checksum: UInt32) { (rows, sum) = (rows - 1, sum &- Int64(checksum)) }
    }

    private static let tables = [
        "counters": "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER, checksum INTEGER) WITHOUT ROWID",
        "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER, checksum INTEGER) WITHOUT ROWID",
        "given_up": "CREATE TABLE given_up (first INTEGER PRIMARY KEY, last INTEGER, checksum INTEGER)",
        "topics": """
        CREATE TABLE topics (number INTEGER PRIMARY KEY, name BLOB, epoch TEXT, durability TEXT, settings TEXT, \
        created INTEGER, kept_from INTEGER, checksum INTEGER)
        """,
    ]

    init(_ database: Database) throws {
        self.database = database
        let meta = try Self.numbers("meta", database)
        nextTopic = try Self.value("next_topic", of: meta)
        total = Total(rows: try Self.value("rows", of: meta), sum: try Self.value("sum", of: meta))
    }

    // MARK: Opening

    static func isEmpty(_ database: Database) throws -> Bool {
        try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
    }

    static func begin(_ database: Database) throws {
        for (_, table) in tables.sorted(by: { $0.key < $1.key }) { try database.execute(sql: table) }
        for (name, value) in [("next_topic", 1), ("rows", 0), ("sum", 0), ("version", Catalog.version)] {
            try set("meta", name, value, database)
        }
    }

    /// Checks the version and the structure of the file.
    static func check(_ database: Database) throws {
        if let version = try numbers("meta", database)["version"], version != Catalog.version {
            throw CatalogError.version(version)
        }
        var found: [String: String] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT name, sql FROM sqlite_master") {
            guard let name = row.text(0), let sql = row.text(1) else {
                throw CatalogError.damaged("its schema is damaged")
            }
            found[name] = sql
        }
        guard found == tables else { throw CatalogError.damaged("its schema is damaged") }
        guard let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)"), verdict == "ok" else {
            throw CatalogError.damaged("its structure is damaged")
        }
    }

    // MARK: Reading

    static func contents(_ database: Database) throws -> Catalog.Contents {
        let rows = try CatalogRows(database)
        var contents = Catalog.Contents()
        var total = Total()
        var names: Set<[UInt8]> = []
        let cursor = try Row.fetchCursor(
            database,
            sql: "SELECT * FROM topics ORDER BY number"
        )
        while let row = try cursor.next() {
            let topic = try Catalog.Topic(row)
            guard topic.number < rows.nextTopic, names.insert(topic.name).inserted else {
                throw CatalogError.damagedTopic(number: topic.number, name: topic.name)
            }
            total.add(topic.checksum)
            contents.topics.append(topic)
        }
        contents.counters = try numbers("counters", database)
        for (name, value) in contents.counters { total.add(RowChecksum(name: name, value: value).value) }
        for range in try givenUp(database) {
            contents.givenUp.insert(range)
            total.add(RowChecksum(range).value)
        }
        guard total == rows.total, let nextTopic = UInt32(exactly: rows.nextTopic) else {
            throw CatalogError.damaged("rows are missing")
        }
        contents.nextTopic = nextTopic
        return contents
    }

    /// The rows of a table of numbers that have names.
    private static func numbers(_ table: String, _ database: Database) throws -> [String: Int64] {
        var numbers: [String: Int64] = [:]
        let cursor = try Row.fetchCursor(database, sql: "SELECT name, value, checksum FROM \(table)")
        while let row = try cursor.next() {
            guard let name = row.text(0), let value = row.integer(1),
                row.integer(2) == Int64(RowChecksum(name: name, value: value).value),
                numbers.updateValue(value, forKey: name) == nil
            else { throw CatalogError.damaged("a row of table \(table) is damaged") }
        }
        return numbers
    }

    private static func givenUp(_ database: Database) throws -> [ClosedRange<UInt64>] {
        try Row.fetchAll(database, sql: "SELECT first, last, checksum FROM given_up").map { row in
            guard let first = row.integer(0), let last = row.integer(1), 0 <= first, first <= last else {
                throw CatalogError.damaged("a row of table given_up is damaged")
            }
            let range = UInt64(first)...UInt64(last)
            guard row.integer(2) == Int64(RowChecksum(range).value) else {
                throw CatalogError.damaged("a row of table given_up is damaged")
            }
            return range
        }
    }

    private static func value(_ name: String, of meta: [String: Int64]) throws -> Int64 {
        guard let value = meta[name] else { throw CatalogError.damaged("a row of table meta is missing") }
        return value
    }

    // MARK: Changes

    mutating func apply(_ change: Catalog.Change) throws {
        switch change {
        case .create(let topic):
            guard topic.number >= nextTopic, topic.number < .max else {
                throw CatalogError.failed("topic number \(topic.number) was used before")
            }
            nextTopic = Int64(topic.number) + 1
            try write(topic)
        case .change(let topic):
            guard let old = try self.topic(topic.number) else {
                throw CatalogError.failed("there is no topic number \(topic.number)")
            }
            var topic = topic
            (topic.from, topic.created) = (old.from, old.created)
            try remove(topic: topic.number)
            try write(topic)
        case .delete(let number):
            try remove(topic: number)
            try removeCounter(Catalog.Topic.beginName(number))
        case .keep(let number, let offset):
            guard var topic = try topic(number) else { throw CatalogError.failed("there is no topic number \(number)") }
            topic.from = max(topic.from, offset)
            try remove(topic: number)
            try write(topic)
            // Beside the row, too: a repair of a damaged row must not bring back what was purged.
            try setCounter(Catalog.Topic.beginName(number), Int64(bitPattern: topic.from))
        case .giveUp(let segment):
            givenUp.insert(segment)
        case .counter(let name, let value):
            try setCounter(name, value)
        case .removeCounter(let name):
            try removeCounter(name)
        }
    }

    /// Writes what the changes came to.
    mutating func finish() throws {
        if !givenUp.isEmpty { try giveUp(givenUp) }
        for (name, value) in [("next_topic", nextTopic), ("rows", total.rows), ("sum", total.sum)] {
            try Self.set("meta", name, value, database)
        }
    }

    private mutating func write(_ topic: Catalog.Topic) throws {
        try database.cachedStatement(sql: "INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
            Int64(topic.number), Data(topic.name), topic.epoch, topic.durability.rawValue, topic.settings,
            topic.created, Int64(bitPattern: topic.from), Int64(topic.checksum),
        ])
        total.add(topic.checksum)
    }

    private func topic(_ number: UInt32) throws -> Catalog.Topic? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM topics WHERE number = ?")
        return try Row.fetchOne(statement, arguments: [Int64(number)]).map { try Catalog.Topic($0) }
    }

    /// There is a row for each range.
    private mutating func giveUp(_ segments: Set<UInt64>) throws {
        let before = SegmentNumbers(try Self.givenUp(database))
        var after = before
        for segment in segments { after.insert(segment) }
        for range in Set(before.ranges).subtracting(after.ranges) {
            try database.cachedStatement(sql: "DELETE FROM given_up WHERE first = ?")
                .execute(arguments: [Int64(range.lowerBound)])
            total.remove(RowChecksum(range).value)
        }
        for range in Set(after.ranges).subtracting(before.ranges) {
            let checksum = RowChecksum(range).value
            try database.cachedStatement(sql: "INSERT INTO given_up VALUES (?, ?, ?)")
                .execute(arguments: [Int64(range.lowerBound), Int64(range.upperBound), Int64(checksum)])
            total.add(checksum)
        }
    }

    private mutating func remove(topic number: UInt32) throws {
        let checksum = try UInt32.fetchOne(
            database.cachedStatement(sql: "SELECT checksum FROM topics WHERE number = ?"),
            arguments: [Int64(number)]
        )
        guard let checksum else { throw CatalogError.failed("there is no topic number \(number)") }
        try database.cachedStatement(sql: "DELETE FROM topics WHERE number = ?").execute(arguments: [Int64(number)])
        total.remove(checksum)
    }

    private mutating func setCounter(_ name: String, _ value: Int64) throws {
        try removeCounter(name)
        total.add(try Self.set("counters", name, value, database))
    }

    private mutating func removeCounter(_ name: String) throws {
        let checksum = try UInt32.fetchOne(
            database.cachedStatement(sql: "SELECT checksum FROM counters WHERE name = ?"),
            arguments: [name]
        )
        guard let checksum else { return }
        try database.cachedStatement(sql: "DELETE FROM counters WHERE name = ?").execute(arguments: [name])
        total.remove(checksum)
    }

    @discardableResult
    private static func set(_ table: String, _ name: String, _ value: Int64, _ database: Database) throws -> UInt32 {
        let checksum = RowChecksum(name: name, value: value).value
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO \(table) VALUES (?, ?, ?)")
            .execute(arguments: [name, value, Int64(checksum)])
        return checksum
    }
}
