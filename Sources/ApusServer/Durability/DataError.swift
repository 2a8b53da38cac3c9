import ApusStore

/// Why a server cannot start with the folder that `data` names.
///
/// The description is a sentence that names the file, and where known the place in it, the topic and the offsets.
public struct DataError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    /// Whether what is in the folder cannot be used: it is damaged, or a newer version wrote it. Otherwise another
    /// folder, other rights, or the end of another server would do.
    public let isUnusable: Bool

    init(_ error: DataFolderError) {
        description = "\(error)"
        isUnusable = error.exitCode == 78
    }
}
