import Foundation
import Testing

@testable import ApusProtocol

/// The tables of codes in docs/protocol.md.
@Suite struct ErrorCodeTests {
    private static let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized

    private static func text(of path: String) throws -> String {
        try String(contentsOf: repository.appending(path: path), encoding: .utf8)
    }

    /// The cells of the rows below a heading, up to the next one; without the head of the table.
    private static func rows(below heading: String) throws -> [[String]] {
        let page = try text(of: "docs/protocol.md")
        let start = try #require(page.firstRange(of: "\n\(heading)\n"))
        let rest = page[start.upperBound...]
        let section = rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)]
        let lines = section.split(separator: "\n").filter { $0.hasPrefix("|") }.dropFirst(2)
        return lines.map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func `every error code has one row, with its status, when it comes and what to do`() throws {
        let rows = try Self.rows(below: "## Error codes")
        let codes = try rows.map { try #require($0.first).trimmingCharacters(in: ["`"]) }
        #expect(codes.sorted() == ErrorCode.allCases.map(\.rawValue).sorted())
        for (code, row) in zip(codes.compactMap(ErrorCode.init), rows) {
            #expect(row.count == 5, "\(code)")
            // No answer to a request has it: a slow subscriber is told over its WebSocket.
            #expect(row[1] == (code == .slowConsumer ? "" : "\(code.status)"), "\(code)")
            #expect(row[3...].allSatisfy { !$0.isEmpty }, "\(code)")
        }
    }

    @Test func `every close code has one row, or is said to be reserved`() throws {
        // The initializer is private to this file, so it has all of them.
        let source = try Self.text(of: "Sources/ApusProtocol/Messages/ErrorCode.swift")
        let sent = source.matches(of: /= Disconnect\(([0-9]{4}), (?:"([A-Z0-9_]+)"|ErrorCode\.kicked\.rawValue)\)/)
            .map { "\($0.1) `\($0.2 ?? "KICKED")`" }
        #expect(sent.count == source.matches(of: /= Disconnect\(/).count)
        let reserved = "\(Disconnect.forbidden.code) `\(Disconnect.forbidden.reason)`"
        let rows = try Self.rows(below: "## Close codes").filter { $0[0] != "none" }
        #expect(rows.map { "\($0[0]) \($0[1])" }.sorted() == sent.filter { $0 != reserved }.sorted())
        #expect(rows.allSatisfy { $0.count == 4 && $0.allSatisfy { !$0.isEmpty } })
        #expect(try Self.text(of: "docs/protocol.md").contains(reserved))
    }
}
