import ApusLoad
import Foundation

/// The result for programs: one JSON object, with members in snake case and in alphabetical order.
enum BenchJSON {
    static func text(_ result: LoadResult) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(result), as: UTF8.self) + "\n"
    }
}
