import CCRC32C
import Foundation
import GRDB

/// The checksum of a row's columns.
struct RowChecksum {
    private(set) var value: UInt32 = 0

    init(name: String, value number: Int64) {
        add(Array(name.utf8))
        add(number)
    }

    init(_ range: ClosedRange<UInt64>) {
        add(Int64(bitPattern: range.lowerBound))
        add(Int64(bitPattern: range.upperBound))
    }

    init(_ topic: Catalog.Topic) {
        add(Int64(topic.number))
        add(topic.name)
        add(Array(topic.epoch.utf8))
        add(Array(topic.durability.rawValue.utf8))
        add(Array(topic.settings.utf8))
        add(topic.created)
        add(Int64(bitPattern: topic.from))
    }

    private mutating func add(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { value = crc32c(value, $0.baseAddress, $0.count) }
    }

    /// With their count, so that nothing can move from one column to the next.
    private mutating func add(_ bytes: [UInt8]) {
        add(Int64(bytes.count))
        bytes.withUnsafeBytes { value = crc32c(value, $0.baseAddress, $0.count) }
    }
}

extension Catalog.Topic {
    var checksum: UInt32 { RowChecksum(self).value }

    /// A row with the columns in the order of the table.
    ///
    /// - Throws: ``CatalogError/damagedTopic(number:name:)`` with what can still be read.
    init(_ row: Row) throws {
        let number = row.integer(0).flatMap { UInt32(exactly: $0) }
        let name = row.bytes(1)
        guard let number, let name, let epoch = row.text(2),
            let durability = row.text(3).flatMap({ StoredDurability(rawValue: $0) }), let settings = row.text(4),
            let created = row.integer(5), let from = row.integer(6)
        else { throw CatalogError.damagedTopic(number: number ?? 0, name: name ?? []) }
        self.init(
            number: number,
            name: name,
            epoch: epoch,
            durability: durability,
            settings: settings,
            created: created,
            from: UInt64(bitPattern: from)
        )
        guard row.integer(7) == Int64(checksum) else {
            throw CatalogError.damagedTopic(number: number, name: name)
        }
    }
}

// A damaged file can have any type in any column, for which GRDB's own conversions stop the process.

extension Row {
    func integer(_ column: Int) -> Int64? {
        guard case .int64(let value) = (self[column] as DatabaseValue).storage else { return nil }
        return value
    }

    func text(_ column: Int) -> String? {
        guard case .string(let value) = (self[column] as DatabaseValue).storage else { return nil }
        return value
    }

    func bytes(_ column: Int) -> [UInt8]? {
        guard case .blob(let value) = (self[column] as DatabaseValue).storage else { return nil }
        return Array(value)
    }
}
