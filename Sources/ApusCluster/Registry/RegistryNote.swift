/// Something small that the registry keeps for all nodes besides topics, by a key: the last message of its subject.
///
/// ```
/// apus.registry.~<base64url of the key>     Apus-Note: 1     body: the value
/// ```
/// The tilde is in no base64url, so no topic has such a subject.
package struct RegistryNote: Sendable, Equatable {
    package static let name = "Apus-Note"
    /// What its header says: the version of the form.
    package static let version = "1"
    /// Longer keys and values are not taken.
    package static let (longestKey, longestValue) = (2048, 4096)

    package let key: String
    package let value: String
    /// In the registry's stream; 0 if that is read again and has not shown it yet.
    package internal(set) var sequence: UInt64
    let id: PackID
}

/// A note that is being written.
struct PendingNote: Sendable {
    enum Step: Sendable, Equatable {
        case sent
        /// To be sent again at this time.
        case paused(until: Int64)
        /// Something else may have been written at this sequence, which the mirror has not shown yet.
        case looking(sequence: UInt64)
    }

    let key: String
    let value: String
    let id: PackID
    let deadline: Int64
    var expected: ExpectedSequence
    var step = Step.sent
}

extension PublishRequest.Header {
    /// That of a note.
    static let note = Self(name: RegistryNote.name, value: RegistryNote.version)

    private init(name: String, value: String) { (self.name, self.value) = (name, value) }
}
