import ApusSockets

/// Says when files that somebody replaces have to be read again.
struct FileChanges {
    /// What the files were like when they were read last, and at the last look.
    private var read: [FileStamp?]
    private var seen: [FileStamp?]

    init(read: [FileStamp?]) {
        (self.read, seen) = (read, read)
    }

    /// Whether to read the files now: `true` once for each change, when they have been the same for two looks. A
    /// certificate and its key are two files, and are not written at once.
    mutating func areSettled(_ now: [FileStamp?]) -> Bool {
        defer { seen = now }
        guard now != read, now == seen else { return false }
        read = now
        return true
    }
}
