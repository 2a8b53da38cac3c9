import ApusClient
import Foundation
import NIOCore

/// Where the events of a replay come from, one after the other.
enum ReplaySource: Sendable {
    case file(ReplayFile)
    case history(ReplayHistory)

    enum Item: Equatable {
        case event(ReplayEvent, line: Int)
        case bad(line: Int, reason: String)
    }

    /// How much of all has been read, from 0 to 1; `nil` if that is unknown.
    var fraction: Double? {
        switch self {
        case .file(let file): file.fraction
        case .history(let history): history.fraction
        }
    }

    mutating func next() async throws -> Item? {
        switch self {
        case .file(var file):
            defer { self = .file(file) }
            return try await file.next()
        case .history(var history):
            defer { self = .history(history) }
            return try await history.next()
        }
    }
}

/// A file of events, or standard input.
struct ReplayFile: Sendable {
    private static let maxLineBytes = 32 << 20

    private var lines: LineReader
    private var parser: ReplayLines
    /// The file's size; `nil` for standard input and pipes.
    private let size: Int?
    private var readBytes = 0

    init(path: String, fallback: String?) throws {
        parser = ReplayLines(fallback: fallback)
        guard path != "-" else {
            lines = LineReader(limit: Self.maxLineBytes)
            size = nil
            return
        }
        lines = try LineReader(path: path, limit: Self.maxLineBytes)
        size = LineReader.size(of: path)
    }

    var fraction: Double? {
        size.map { min(1, Double(readBytes) / Double($0)) }
    }

    mutating func next() async throws -> ReplaySource.Item? {
        do {
            while let line = try await lines.next() {
                guard let text = line.text else { return .bad(line: line.number, reason: "not UTF-8") }
                readBytes += text.utf8.count + 1
                if text.allSatisfy(\.isWhitespace) { continue }
                switch parser.read(text) {
                case .event(let event): return .event(event, line: line.number)
                case .other: continue
                case .bad(let reason): return .bad(line: line.number, reason: reason)
                }
            }
            return nil
        } catch let error as LineReader.TooLong {
            throw CommandFailure("line \(error.number) is longer than 32 MiB; what follows was not published")
        }
    }
}

extension LineReader {
    /// The size of a file in bytes; `nil` for what has none, such as a pipe.
    static func size(of path: String) -> Int? {
        let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber
        return size.flatMap { $0.intValue > 0 ? $0.intValue : nil }
    }

    /// The lines of a file.
    init(path: String, limit: Int) throws {
        guard let input = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure("'\(path)': \(String(cString: strerror(errno)).lowercased())", exitCode: .usage)
        }
        self.init(limit: limit) {
            let data = try input.read(upToCount: 256 << 10) ?? Data()
            return data.isEmpty ? nil : ByteBuffer(bytes: data)
        }
    }
}
