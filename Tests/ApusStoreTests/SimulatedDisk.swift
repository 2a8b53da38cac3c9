import Synchronization

@testable import ApusStore

/// A folder in memory whose machine can crash: of what was not synced then, any part is there.
final class SimulatedDisk: Disk {
    /// What goes wrong on purpose, for the tests of the tests.
    enum Lie: Hashable {
        /// A sync of a file returns, and nothing is kept.
        case fileSync
        /// A sync of the folder returns, and nothing is kept.
        case nameSync
    }

    struct Content {
        var kept: [UInt8]
        var now: [UInt8]
        var changes: [Change] = []
    }

    enum Change {
        case write([UInt8], at: Int)
        case size(Int)
    }

    struct State {
        var files: [String: Int] = [:]
        var keptFiles: [String: Int] = [:]
        var contents: [Int: Content] = [:]
        var nextContent = 0
        /// How many more calls that change something succeed. Then the machine stops.
        var callsLeft = Int.max
        var lies: Set<Lie> = []
        /// How many bytes all files may have.
        var capacity = Int.max
        /// After so many writes, one fails.
        var writesLeft = Int.max
    }

    let state: Mutex<State>

    init() { state = Mutex(State()) }

    /// With the same files.
    init(copying other: SimulatedDisk) { state = Mutex(other.state.withLock { $0 }) }

    /// Whether the machine has stopped. Everything fails then, until ``crash(_:)``.
    var hasStopped: Bool { state.withLock { $0.callsLeft <= 0 } }

    func create(_ name: String, size: Int) throws(DiskError) -> any DiskFile {
        let number: Result<Int, DiskError> = state.withLock { state in
            guard state.spend() else { return .failure(DiskError("open", name, code: 5)) }
            guard state.files[name] == nil else { return .failure(DiskError("open", name, code: 17)) }
            guard state.hasRoom(size) else { return .failure(DiskError("fallocate", name, code: 28)) }
            let number = state.nextContent
            state.nextContent += 1
            let zeros = [UInt8](repeating: 0, count: size)
            state.contents[number] = Content(kept: [], now: zeros, changes: [.size(size)])
            state.files[name] = number
            return .success(number)
        }
        return SimulatedFile(name, try number.get(), self)
    }

    func open(_ name: String) throws(DiskError) -> any DiskFile {
        guard let number = state.withLock({ $0.files[name] }) else { throw DiskError("open", name, code: 2) }
        return SimulatedFile(name, number, self)
    }

    func names() throws(DiskError) -> [String] { state.withLock { Array($0.files.keys) } }

    func remove(_ name: String) throws(DiskError) {
        let code: CInt? = state.withLock { state in
            guard state.spend() else { return 5 }
            return state.files.removeValue(forKey: name) == nil ? 2 : nil
        }
        if let code { throw DiskError("unlink", name, code: code) }
    }

    func syncNames() throws(DiskError) {
        let isDone = state.withLock { state in
            guard state.spend() else { return false }
            if !state.lies.contains(.nameSync) { state.keptFiles = state.files }
            return true
        }
        if !isDone { throw DiskError("fsync", "", code: 5) }
    }

    /// The machine starts again, with what is left.
    func crash(_ generator: inout some RandomNumberGenerator) {
        state.withLock { state in
            // Any of the names that were not synced.
            for name in Set(state.files.keys).union(state.keptFiles.keys).sorted()
            where state.files[name] != state.keptFiles[name] && Bool.random(using: &generator) {
                state.keptFiles[name] = state.files[name]
            }
            for number in state.contents.keys.sorted() {
                guard var content = state.contents[number] else { continue }
                for change in content.changes { content.keep(change, &generator) }
                state.contents[number] = Content(kept: content.kept, now: content.kept)
            }
            state.files = state.keptFiles
            state.callsLeft = .max
            state.writesLeft = .max
        }
    }

    /// Turns a bit of a file.
    func flip(_ name: String, bit: Int) {
        state.withLock { state in
            guard let number = state.files[name] else { return }
            state.contents[number]?.now[bit / 8] ^= 1 << (bit % 8)
            guard bit / 8 < state.contents[number]?.kept.count ?? 0 else { return }
            state.contents[number]?.kept[bit / 8] ^= 1 << (bit % 8)
        }
    }
}

extension SimulatedDisk.State {
    func hasRoom(_ size: Int) -> Bool {
        files.values.reduce(size) { $0 + (contents[$1]?.now.count ?? 0) } <= capacity
    }

    /// Returns whether the machine still runs.
    mutating func spend() -> Bool {
        callsLeft -= 1
        return callsLeft > 0
    }
}

extension SimulatedDisk.Content {
    private static let sector = 512

    /// Takes over a change wholly, not at all, or in some of its sectors, of which one may be cut at any byte.
    mutating func keep(_ change: SimulatedDisk.Change, _ generator: inout some RandomNumberGenerator) {
        switch change {
        case .size(let size):
            guard Bool.random(using: &generator) else { return }
            resize(to: size)
        case .write(let bytes, let place):
            let kind = Int.random(in: 0..<4, using: &generator)
            guard kind > 0 else { return }
            resize(to: max(kept.count, place + bytes.count))
            let cut = kind == 1 ? Int.random(in: 0...bytes.count, using: &generator) : bytes.count
            var next = 0
            while next < cut {
                let end = min(cut, (place + next) / Self.sector * Self.sector + Self.sector - place)
                if kind != 2 || Bool.random(using: &generator) {
                    kept.replaceSubrange(place + next..<place + end, with: bytes[next..<end])
                }
                next = end
            }
        }
    }

    mutating func resize(to size: Int) {
        if size < kept.count { kept.removeLast(kept.count - size) }
        kept += [UInt8](repeating: 0, count: size - kept.count)
    }
}

private final class SimulatedFile: DiskFile {
    let name: String
    private let number: Int
    private let disk: SimulatedDisk

    init(_ name: String, _ number: Int, _ disk: SimulatedDisk) {
        self.name = name
        self.number = number
        self.disk = disk
    }

    func size() throws(DiskError) -> Int { disk.state.withLock { $0.contents[number]?.now.count ?? 0 } }

    func allocate(_ size: Int) throws(DiskError) {
        let failure: DiskError? = disk.state.withLock { state in
            guard state.spend() else { return DiskError("fallocate", name, code: 5) }
            let missing = size - (state.contents[number]?.now.count ?? 0)
            guard missing > 0 else { return nil }
            guard state.hasRoom(missing) else { return DiskError("fallocate", name, code: 28) }
            state.contents[number]?.now += [UInt8](repeating: 0, count: missing)
            state.contents[number]?.changes.append(.size(size))
            return nil
        }
        if let failure { throw failure }
    }

    func write(_ parts: [UnsafeRawBufferPointer], at place: Int) throws(DiskError) {
        let bytes = parts.reduce(into: [UInt8]()) { $0 += $1 }
        let code: CInt? = disk.state.withLock { state in
            // What was under way when the machine stopped may be there, too.
            state.writesLeft -= 1
            let succeeds = state.spend() && state.writesLeft > 0
            guard succeeds || state.callsLeft == 0 || state.writesLeft == 0 else { return 5 }
            let missing = place + bytes.count - (state.contents[number]?.now.count ?? 0)
            if missing > 0 {
                guard state.hasRoom(missing) else { return 28 }
                state.contents[number]?.now += [UInt8](repeating: 0, count: missing)
            }
            state.contents[number]?.now.replaceSubrange(place..<place + bytes.count, with: bytes)
            state.contents[number]?.changes.append(.write(bytes, at: place))
            return succeeds ? nil : 5
        }
        if let code { throw DiskError("pwritev", name, code: code) }
    }

    func read(into room: UnsafeMutableRawBufferPointer, at place: Int) throws(DiskError) -> Int {
        disk.state.withLock { state in
            guard let now = state.contents[number]?.now, place < now.count else { return 0 }
            let bytes = now[place..<min(now.count, place + room.count)]
            room.copyBytes(from: bytes)
            return bytes.count
        }
    }

    /// A crash keeps any part of what is not synced anyway.
    func beginSync(of bytes: Range<Int>) {}

    func sync() throws(DiskError) {
        let isDone = disk.state.withLock { state in
            guard state.spend() else { return false }
            guard !state.lies.contains(.fileSync), let now = state.contents[number]?.now else { return true }
            state.contents[number] = SimulatedDisk.Content(kept: now, now: now)
            return true
        }
        if !isDone { throw DiskError("fdatasync", name, code: 5) }
    }

    func truncate(to size: Int) throws(DiskError) {
        let isDone = disk.state.withLock { state in
            guard state.spend(), let now = state.contents[number]?.now else { return false }
            state.contents[number]?.now =
                Array(now.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - now.count))
            state.contents[number]?.changes.append(.size(size))
            return true
        }
        if !isDone { throw DiskError("ftruncate", name, code: 5) }
    }
}
