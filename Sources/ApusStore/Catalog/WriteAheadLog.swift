import Foundation

/// SQLite's write-ahead log, of which SQLite itself takes everything from the first bad byte on for a write that was
/// cut, silently. What is in it is then gone, though a synced commit comes after it.
///
/// The format is that of https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
struct WriteAheadLog {
    private static let (headSize, frameHeadSize) = (32, 24)

    private let bytes: [UInt8]
    private let pageSize: Int

    /// Whether a commit is damaged that was synced: each is, before the next one is written.
    static func isDamaged(_ path: String) -> Bool {
        guard let data = FileManager.default.contents(atPath: path), data.count > headSize else { return false }
        return WriteAheadLog(Array(data)).isDamaged
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        let size = Self.word(bytes, 8)
        // Else it is the head that is damaged; this is what the catalog has.
        pageSize = size.nonzeroBitCount == 1 && (512...65536).contains(size) ? Int(size) : 4096
    }

    private var isDamaged: Bool {
        let frameSize = Self.frameHeadSize + pageSize
        let first = Self.headSize
        guard bytes.count >= first + frameSize else { return false }
        let hasHead = checksum(0..<24, after: (0, 0)) == stored(at: 24)
        // Each round has its own. A new round begins with a new head, which may be cut.
        let round = hasHead ? bytes[16..<24] : bytes[first + 8..<first + 16]
        let isHeadOfRound = bytes[16..<24].elementsEqual(round)
        var (sum, isBroken, ends) = (stored(at: 24), !hasHead, 0)
        for place in stride(from: first, through: bytes.count - frameSize, by: frameSize) {
            // The frame after this one says with its own checksum whether it was written after it.
            defer { sum = stored(at: place + 16) }
            guard bytes[place + 8..<place + 16].elementsEqual(round) else {
                isBroken = true
                continue
            }
            sum = checksum(place..<place + 8, after: sum)
            sum = checksum(place + Self.frameHeadSize..<place + frameSize, after: sum)
            let isIntact = sum == stored(at: place + 16)
            if isIntact, hasHead ? ends > 0 : isHeadOfRound || place == first { return true }
            isBroken = isBroken || !isIntact
            // The last frame of a commit.
            if isBroken, Self.word(bytes, place + 4) > 0 { ends += 1 }
        }
        return false
    }

    /// The two sums after more bytes, a multiple of eight.
    private func checksum(_ range: Range<Int>, after sums: (UInt32, UInt32)) -> (UInt32, UInt32) {
        var (first, second) = sums
        for place in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
            first = first &+ word(place) &+ second
            second = second &+ word(place + 4) &+ first
        }
        return (first, second)
    }

    private func stored(at place: Int) -> (UInt32, UInt32) { (Self.word(bytes, place), Self.word(bytes, place + 4)) }

    /// A number as checksums take it: in the order of the machine that wrote it, which is this one.
    private func word(_ place: Int) -> UInt32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
    }

    /// A number of a head.
    private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
