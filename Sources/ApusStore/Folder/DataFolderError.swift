/// Why a server cannot start with a folder. ``description`` is one sentence for people.
package enum DataFolderError: Error, Hashable, Sendable {
    /// Another process has it, by its id where that is known.
    case inUse(folder: String, process: Int?)
    case notWritable(path: String, reason: String)
    case cannotBeMade(path: String, reason: String)
    /// It holds other things and nothing of Apus.
    case foreign(folder: String)
    /// A call failed that has to do with the machine and not with what is in the file.
    case failed(path: String, reason: String)
    /// A version of Apus wrote the file that this one does not know.
    case newer(path: String, version: Int64)
    case damaged(Damage)

    package struct Damage: Hashable, Sendable {
        package var path: String
        /// The byte at which it begins.
        package var place: Int?
        package var topic: [UInt8]?
        package var offsets: ClosedRange<UInt64>?
        /// What is wrong, where there is more to say than that something is.
        package var detail: String?

        package init(
            path: String,
            place: Int? = nil,
            topic: [UInt8]? = nil,
            offsets: ClosedRange<UInt64>? = nil,
            detail: String? = nil
        ) {
            self.path = path
            self.place = place
            self.topic = topic
            self.offsets = offsets
            self.detail = detail
        }
    }

    /// EX_CANTCREAT where another folder or other rights would do; EX_CONFIG where what is in it cannot be used.
    package var exitCode: Int32 {
        switch self {
        case .inUse, .notWritable, .cannotBeMade, .foreign, .failed: 73
        case .newer, .damaged: 78
        }
    }
}

extension DataFolderError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .inUse(let folder, let process):
            "\(folder) is in use by another server" + (process.map { ", process \($0)" } ?? "")
                + "; stop that one, or name another folder"
        case .notWritable(let path, let reason):
            "\(path) cannot be written to: \(reason); let this user write there, or name another folder"
        case .cannotBeMade(let path, let reason):
            "\(path) cannot be made: \(reason); name a folder that can be made and written to"
        case .foreign(let folder): "\(folder) holds other files and no data of Apus; name an empty or a new folder"
        case .failed(let path, let reason): "\(path) cannot be used: \(reason)"
        case .newer(let path, let version):
            "\(path) was written by a newer version of Apus, in format \(version), which this one does not know"
        case .damaged(let damage): "\(damage)"
        }
    }
}

extension DataFolderError.Damage: CustomStringConvertible {
    package var description: String {
        var parts = ["\(path) is damaged" + (place.map { " at byte \($0)" } ?? "")]
        if let topic { parts.append("topic '\(String(decoding: topic, as: UTF8.self))'") }
        if let offsets {
            let isOne = offsets.lowerBound == offsets.upperBound
            parts.append(
                isOne ? "offset \(offsets.lowerBound)" : "offsets \(offsets.lowerBound) to \(offsets.upperBound)"
            )
        }
        return parts.joined(separator: ", ") + (detail.map { ": \($0)" } ?? "")
    }
}
