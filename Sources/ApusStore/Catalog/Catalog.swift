import Foundation
import GRDB
import Synchronization

/// What there is to know about the topics apart from their messages: an SQLite file.
///
/// Each row has a checksum of its own, and the file has the number and the sum of them all: SQLite itself finds only
/// what breaks its own structure. Only one thread changes it; others may read, as other processes may.
package final class Catalog: Sendable {
    package static let version: Int64 = 1

    package enum Access: Sendable {
        /// Makes the file, or what is in it, if there is nothing yet.
        case create
        /// There has to be a catalog.
        case change
        /// The same, beside a server that has it open.
        case read
    }

    /// A topic, in its row.
    package struct Topic: Hashable, Sendable {
        /// Never used twice: it is in the records of the topic's log.
        package var number: UInt32
        package var name: [UInt8]
        package var epoch: String
        package var durability: StoredDurability
        /// JSON, of which the catalog knows nothing.
        package var settings: String
        /// When it was made, in milliseconds since 1970.
        package var created: Int64
        /// Where ``from`` is a second time, if it was raised: the name of a counter.
        static func beginName(_ number: UInt32) -> String { "\(beginPrefix)\(number)" }
        static let beginPrefix = "from."

        /// What is below this offset is not served, though there may be records of it. A topic without any goes on
        /// with it.
        package var from: UInt64

        package init(
            number: UInt32,
            name: [UInt8],
            epoch: String,
            durability: StoredDurability,
            settings: String,
            created: Int64,
            from: UInt64 = 1
        ) {
            self.number = number
            self.name = name
            self.epoch = epoch
            self.durability = durability
            self.settings = settings
            self.created = created
            self.from = from
        }
    }

    package enum Change: Hashable, Sendable {
        /// The number has to be at least ``Contents/nextTopic``.
        case create(Topic)
        /// Replaces the row with that number, which has to be there. ``Topic/from`` and ``Topic/created`` stay as
        /// they are.
        case change(Topic)
        /// Its row has to be there.
        case delete(topic: UInt32)
        /// Raises ``Topic/from`` of a topic whose row has to be there.
        case keep(topic: UInt32, from: UInt64)
        /// The segment need not be there from now on.
        case giveUp(segment: UInt64)
        case counter(String, Int64)
        case removeCounter(String)
    }

    package struct Contents: Sendable {
        /// In the order of their numbers.
        package internal(set) var topics: [Topic] = []
        package internal(set) var counters: [String: Int64] = [:]
        package internal(set) var givenUp = SegmentNumbers()
        /// The lowest number that no topic has had.
        package internal(set) var nextTopic: UInt32 = 1
    }

    let queue: DatabaseQueue
    private let failure = Mutex<CatalogError?>(nil)
    private let reserve: Reserve

    /// Opens the file, and checks its structure. ``load()`` checks the rows.
    package init(_ path: String, _ access: Access) throws(CatalogError) {
        guard access == .create || FileManager.default.fileExists(atPath: path) else {
            throw .damaged("it is missing")
        }
        if access != .read, WriteAheadLog.isDamaged("\(path)-wal") {
            throw .damaged("its write-ahead log \(path)-wal is damaged")
        }
        reserve = Reserve("\(path)-reserve")
        do throws(CatalogError) {
            queue = try Self.open(path, access)
        } catch  where error.isFull && access != .read && reserve.release() {
            // SQLite's own files need some room.
            queue = try Self.open(path, access)
        }
        if access != .read { reserve.make() }
    }

    private static func open(_ path: String, _ access: Access) throws(CatalogError) -> DatabaseQueue {
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration(access))
            // So that what a crash has left in the log is never among what comes after it.
            if access != .read { checkpoint(queue, .truncate) }
            let isEmpty = try queue.read { try CatalogRows.isEmpty($0) }
            if isEmpty, access == .create { try queue.write { try CatalogRows.begin($0) } }
            try queue.read { try CatalogRows.check($0) }
            return queue
        } catch {
            throw CatalogError(opening: error)
        }
    }

    private static func configuration(_ access: Access) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = access == .read
        // Readers in other processes; whoever recovers after a crash.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA cell_size_check = ON")
            guard access != .read else { return }
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        return configuration
    }

    /// Moves what is in the log to where it belongs. It may fail while others read.
    private static func checkpoint(_ queue: DatabaseQueue, _ kind: Database.CheckpointMode) {
        _ = try? queue.writeWithoutTransaction { try $0.checkpoint(kind) }
    }

    /// Reads and checks all of it.
    package func load() throws(CatalogError) -> Contents {
        do {
            return try queue.read { try CatalogRows.contents($0) }
        } catch {
            throw CatalogError(opening: error)
        }
    }

    /// Makes changes in their order, all or none. When this returns they are beyond a crash of the machine.
    ///
    /// On a disk that is full, those that lead to room (``Change/makesRoom``) are made all the same, if they are not
    /// together with others.
    ///
    /// - Throws: ``CatalogError``. If there was no room, that may change; after anything else, nothing can be changed
    ///   any more.
    package func apply(_ changes: [Change]) throws(CatalogError) {
        if let failure = failure.withLock({ $0 }) { throw failure }
        do throws(CatalogError) {
            do throws(CatalogError) {
                try write(changes)
            } catch  where error.isFull && changes.allSatisfy(\.makesRoom) && reserve.release() {
                try write(changes)
            }
        } catch {
            if !error.isFull { failure.withLock { $0 = error } }
            throw error
        }
        reserve.make()
    }

    private func write(_ changes: [Change]) throws(CatalogError) {
        do {
            try queue.write { database in
                var rows = try CatalogRows(database)
                for change in changes { try rows.apply(change) }
                try rows.finish()
            }
        } catch {
            throw CatalogError(error)
        }
    }
}

extension Catalog.Change {
    /// Whether files can be removed after it.
    package var makesRoom: Bool {
        switch self {
        case .delete, .keep, .giveUp, .removeCounter: true
        case .create, .change, .counter: false
        }
    }
}

/// How much is kept of what a topic takes in.
package enum StoredDurability: String, Hashable, Sendable, CaseIterable {
    case memory
    case os
    case disk
}

extension CatalogError {
    init(_ error: any Error) {
        switch error {
        case let error as CatalogError: self = error
        case let error as DatabaseError
        where error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE:
            self = .full
        case let error as DatabaseError: self = .failed(error.message ?? "\(error.extendedResultCode)")
        default: self = .failed("\(error)")
        }
    }

    /// Of opening and reading, where what SQLite cannot make sense of is damage.
    init(opening error: any Error) {
        let general = CatalogError(error)
        guard case .failed(let reason) = general, let code = (error as? DatabaseError)?.resultCode else {
            self = general
            return
        }
        let damage: [ResultCode] = [
            .SQLITE_CORRUPT, .SQLITE_CONSTRAINT, .SQLITE_ERROR, .SQLITE_FORMAT, .SQLITE_MISMATCH, .SQLITE_NOTADB,
            .SQLITE_SCHEMA, .SQLITE_TOOBIG,
        ]
        self = damage.contains(code) ? .damaged(reason) : general
    }
}
