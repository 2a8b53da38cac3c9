/// Why the catalog could not be opened, read or changed.
package enum CatalogError: Error, Hashable, Sendable {
    /// There is no room, which may change. Nothing was changed.
    case full
    /// A call failed, which says why.
    case failed(String)
    /// A version of Apus wrote it that this one does not know.
    case version(Int64)
    /// It is not what was written.
    case damaged(String)
    /// The row of a topic is not what was written.
    case damagedTopic(number: UInt32, name: [UInt8])

    package var isFull: Bool { self == .full }
}

extension CatalogError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .full: "there is no room on the disk"
        case .failed(let reason): reason
        case .version(let version): "it is of version \(version), which a newer Apus has written"
        case .damaged(let what): what
        case .damagedTopic(let number, let name):
            "the row of topic '\(String(decoding: name, as: UTF8.self))', number \(number), is damaged"
        }
    }
}
