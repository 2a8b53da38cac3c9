import Glibc

/// Reads a file from its beginning to its end, a window at a time, which grows for what is larger.
struct WindowReader {
    private let file: any DiskFile
    private let windowSize: Int
    let size: Int
    private var window: [UInt8] = []
    private var start = 0

    init(_ file: any DiskFile, windowSize: Int) throws(DiskError) {
        self.file = file
        self.windowSize = windowSize
        size = try file.size()
    }

    /// Calls `body` with bytes of the file; `nil` if it ends before.
    mutating func bytes<Result>(
        at place: Int,
        count: Int,
        _ body: (UnsafeRawBufferPointer) -> Result?
    ) throws(DiskError) -> Result? {
        guard place + count <= size, try fill(at: place, count: count) else { return nil }
        return window.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[(place - start)...].prefix(count))) }
    }

    /// Whether all bytes from a place to the end are zero.
    mutating func isZero(from place: Int) throws(DiskError) -> Bool {
        var place = place
        while place < size {
            let count = min(windowSize, size - place)
            guard try bytes(at: place, count: count, { Self.isZero($0) }) == true else { return false }
            place += count
        }
        return true
    }

    /// Whether the first byte is zero and each is like the one after it.
    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return true }
        return bytes[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }

    /// Has the window hold bytes of the file. Returns whether the file has them.
    private mutating func fill(at place: Int, count: Int) throws(DiskError) -> Bool {
        if place >= start, place + count <= start + window.count { return true }
        let room = min(max(windowSize, count), size - place)
        window = [UInt8](repeating: 0, count: room)
        start = place
        var done = 0
        var failure: DiskError?
        window.withUnsafeMutableBytes { bytes in
            do throws(DiskError) { done = try file.read(into: bytes, at: place) } catch { failure = error }
        }
        if let failure { throw failure }
        window.removeLast(room - done)
        return done >= count
    }
}
