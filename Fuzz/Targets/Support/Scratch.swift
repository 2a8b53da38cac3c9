import Glibc

/// A file without a name, for what is read from files.
final class Scratch {
    private let stream: UnsafeMutablePointer<FILE>

    /// The path under which this process finds it.
    var path: String { "/proc/self/fd/\(fileno(stream))" }

    init() throws {
        guard let stream = tmpfile() else { throw Broken(invariant: "there is room for a temporary file") }
        self.stream = stream
    }

    deinit {
        fclose(stream)
    }

    func write(_ text: String) {
        var text = text
        ftruncate(fileno(stream), 0)
        text.withUTF8 { bytes in _ = pwrite(fileno(stream), bytes.baseAddress, bytes.count, 0) }
    }
}
