import NIOCore

/// Splits a stream of bytes into lines.
///
/// It buffers what a read brought beyond the returned line, and at most `limit` bytes of a long line.
struct LineReader: Sendable {
    struct Line: Equatable, Sendable {
        /// The line's number, from 1.
        let number: Int
        /// The line without its line end; `nil` if it is not UTF-8.
        let text: String?
    }

    /// A line is longer than the limit.
    struct TooLong: Error, Equatable {
        let number: Int
    }

    private let limit: Int
    private let read: @Sendable () async throws -> ByteBuffer?
    private var buffer = ByteBuffer()
    /// How many of the buffer's bytes are known to contain no line end.
    private var searched = 0
    private var count = 0
    private var isAtEnd = false

    init(limit: Int, read: @escaping @Sendable () async throws -> ByteBuffer? = StandardInput.read) {
        self.limit = limit
        self.read = read
    }

    /// Whether `next` has a line without reading.
    var hasLine: Bool {
        buffer.readableBytesView.dropFirst(searched).contains(0x0A)
    }

    /// The next line; `nil` at the end. A last line without a line end counts.
    mutating func next() async throws -> Line? {
        while true {
            if let end = buffer.readableBytesView.dropFirst(searched).firstIndex(of: 0x0A) {
                return try take(end - buffer.readerIndex, lineEnd: 1)
            }
            searched = buffer.readableBytes
            if isAtEnd {
                return searched == 0 ? nil : try take(searched, lineEnd: 0)
            }
            // A CR may come before the line end that has not arrived yet.
            guard searched <= limit + 1 else { throw TooLong(number: count + 1) }
            if var chunk = try await read() {
                buffer.discardReadBytes()
                buffer.writeBuffer(&chunk)
            } else {
                isAtEnd = true
            }
        }
    }

    private mutating func take(_ length: Int, lineEnd: Int) throws -> Line {
        count += 1
        searched = 0
        var line = buffer.readSlice(length: length) ?? ByteBuffer()
        buffer.moveReaderIndex(forwardBy: lineEnd)
        if line.readableBytesView.last == 0x0D { line.moveWriterIndex(to: line.writerIndex - 1) }
        guard line.readableBytes <= limit else { throw TooLong(number: count) }
        return Line(number: count, text: String(validating: line.readableBytesView, as: UTF8.self))
    }
}
