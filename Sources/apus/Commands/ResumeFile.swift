import ApusClient
import Foundation

/// The positions that `apus sub --resume` stores: JSON, by topic.
///
/// The whole file is replaced each time, so that a reader, or a restart after a crash, finds either the old positions
/// or the new ones. Positions of topics that this run does not follow are kept.
struct ResumeFile: Sendable {
    let path: String
    private(set) var positions: [String: ApusClient.Position]

    /// Reads the file. A missing file has no positions.
    init(path: String) throws {
        self.path = path
        do {
            positions = try JSONDecoder().decode(
                [String: ApusClient.Position].self,
                from: Data(contentsOf: URL(fileURLWithPath: path))
            )
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            positions = [:]
        } catch is DecodingError {
            throw CommandFailure("'\(path)' holds no positions; remove it to start anew")
        } catch {
            throw CommandFailure("cannot read '\(path)': \(Self.reason(of: error))")
        }
    }

    /// Writes these positions, together with those of other topics, if any changed.
    mutating func save(_ new: [String: ApusClient.Position]) throws {
        let merged = positions.merging(new) { _, new in new }
        guard merged != positions || !FileManager.default.fileExists(atPath: path) else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            try encoder.encode(merged).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure("cannot write '\(path)': \(Self.reason(of: error))")
        }
        positions = merged
    }

    private static func reason(of error: any Error) -> String {
        guard let error = error as? CocoaError else { return "\(error)" }
        let underlying = error.underlying as? POSIXError
        return underlying.map { String(cString: strerror($0.errorCode)).lowercased() } ?? error.localizedDescription
    }
}

extension POSIXError {
    fileprivate var errorCode: Int32 { code.rawValue }
}
