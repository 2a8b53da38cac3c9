extension DiskFile {
    /// Writes bytes.
    func write(_ bytes: [UInt8], at place: Int) throws(DiskError) {
        var failure: DiskError?
        bytes.withUnsafeBytes { bytes in
            do throws(DiskError) { try write([bytes], at: place) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads the first bytes, or all of them.
    func read(_ count: Int = .max) throws(DiskError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: min(count, try size()))
        var (done, failure) = (0, DiskError?.none)
        bytes.withUnsafeMutableBytes { room in
            do throws(DiskError) { done = try read(into: room, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        bytes.removeLast(bytes.count - done)
        return bytes
    }
}
